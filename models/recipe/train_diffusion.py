"""Trains the denoiser and the text encoder together, on latents that are computed once.

Velocity prediction, all noise levels weighted alike: at 16x16 latents the caption decides the drawing where there is
almost only noise, and min-SNR weights, tried first, all but ignore those levels, so that colours were learned and nouns
were not. One caption in ten is left empty, which is what guidance is measured against. The averaged weights are what
gets exported.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import EMAModel
from torch.nn import functional as F
from transformers import CLIPTokenizer

import data
from checkpoint import chosen_device, learning_rate, load, save
from config import MODELS, SCALING_FACTOR, ModelConfig, training_parser
from networks import build_scheduler, build_text_encoder, build_unet, build_vae
from train_vae import to_unit

EMPTY_SHARE = 0.1
WEIGHT_DECAY = 0.01
ENCODE_BATCH = 8
REPORT_STEPS, SAVE_STEPS = 100, 500


@torch.no_grad()
def latents(config: ModelConfig, work: Path) -> np.ndarray:
    """The latents of all pictures, scaled to unit variance, as fp16; computed on first use."""
    file = work / config.name / "latents.npy"
    if not file.exists():
        pictures, _ = data.load(config, work)
        vae = build_vae(config)
        vae.load_state_dict(torch.load(work / config.name / "vae.pt", weights_only=True))
        vae = vae.eval().to(memory_format=torch.channels_last)
        parts = []
        for at in range(0, len(pictures), ENCODE_BATCH):
            mean = vae.encode(to_unit(pictures[at : at + ENCODE_BATCH])).latent_dist.mean
            parts.append((mean * SCALING_FACTOR).numpy().astype(np.float16))
            if (at + ENCODE_BATCH) % 10_000 == 0:
                print(f"encoded {at + ENCODE_BATCH} of {len(pictures)} pictures", file=sys.stderr)
        np.save(file, np.concatenate(parts))
    return np.load(file, mmap_mode="r")


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Padded ids, [captions, tokens]."""
    return torch.tensor(tokenizer(captions, padding="max_length", truncation=True)["input_ids"])


def spread_times(batch: int, times: int) -> torch.Tensor:
    """A time for each picture of a batch, one from each part of the range, so that chance moves the loss less."""
    return ((torch.randperm(batch) + torch.rand(batch)) * (times / batch)).long().clamp(max=times - 1)


def train(config: ModelConfig, work: Path, minutes: float, device: str, bf16: bool, start: Path | None) -> None:
    """Trains for the config's steps or for `minutes`, whichever ends first, resuming where a former run stopped."""
    folder = work / config.name
    codes = latents(config, work)
    _, captions = data.load(config, work)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    ids, empty = token_ids(tokenizer, captions).to(device), token_ids(tokenizer, [""])[0].to(device)

    torch.manual_seed(config.seed)
    unet = build_unet(config).to(device, memory_format=torch.channels_last)
    unet.set_attn_processor(AttnProcessor())  # the fused attention takes a third of a step in bfloat16 on a CPU
    text = build_text_encoder(config, tokenizer).to(device)
    drawn = 0  # batches of former rounds, so that none is drawn twice with the same noise
    if start:
        former = torch.load(start, map_location="cpu", weights_only=True)
        unet.load_state_dict(former["ema"]["unet"])
        text.load_state_dict(former["ema"]["text"])
        drawn = former["drawn"] + former["step"]
    parameters = [*unet.parameters(), *text.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.unet_lr, weight_decay=WEIGHT_DECAY, fused=True)
    average = EMAModel(parameters, decay=config.ema_decay, use_ema_warmup=True, power=3 / 4)
    scheduler = build_scheduler()

    state = load(folder / "diffusion.pt")
    first, spent = 0, 0.0
    if state and "optimiser" in state:
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
        optimiser.load_state_dict(state["optimiser"])
        average.load_state_dict(state["average"])
        average.to(device)
        drawn, first, spent = state["drawn"], state["step"], state["seconds"]
    began, total, count = time.monotonic() - spent, 0.0, 0

    def checkpoint(step: int) -> None:
        training = {"unet": unet.state_dict(), "text": text.state_dict(), "optimiser": optimiser.state_dict()}
        average.store(parameters)
        average.copy_to(parameters)
        nets = {"unet": unet, "text": text}
        ema = {part: {k: v.cpu().clone() for k, v in net.state_dict().items()} for part, net in nets.items()}
        average.restore(parameters)
        training |= {"average": average.state_dict(), "ema": ema, "drawn": drawn, "step": step}
        training["seconds"] = time.monotonic() - began
        save(folder / "diffusion.pt", training)

    step = first
    while step < config.unet_steps:
        seconds = time.monotonic() - began
        progress = max(step / config.unet_steps, seconds / (minutes * 60))
        if progress >= 1:
            break
        rng = np.random.default_rng((config.seed, 1, drawn + step))
        torch.manual_seed(config.seed * 1_000_003 + drawn + step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config.unet_lr, step, progress)
        chosen = np.sort(rng.choice(len(codes), config.unet_batch, replace=False))
        clean = torch.from_numpy(codes[chosen].astype(np.float32)).to(device)
        words = ids[torch.from_numpy(chosen).to(device)]
        words = torch.where((torch.rand(len(words), 1) < EMPTY_SHARE).to(device), empty, words)
        noise = torch.randn(clean.shape).to(device)
        times = spread_times(len(clean), scheduler.config.num_train_timesteps).to(device)

        noisy, target = scheduler.add_noise(clean, noise, times), scheduler.get_velocity(clean, noise, times)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            predicted = unet(noisy, times, text(words).last_hidden_state).sample
        value = F.mse_loss(predicted.float(), target)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.step(parameters)
        step += 1
        total, count = total + value.item(), count + 1
        if step % REPORT_STEPS == 0:
            print(f"diffusion step {step}: loss {total / count:.4f}, {seconds:.0f} s", file=sys.stderr)
            total, count = 0.0, 0
        if step % SAVE_STEPS == 0:
            checkpoint(step)
    checkpoint(step)


def main() -> None:
    parser = training_parser(__doc__)
    parser.add_argument(
        "--start",
        type=Path,
        help="a further round: the former one's diffusion.pt, moved elsewhere; the learning rate rises anew",
    )
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16; faster on GPUs and on CPUs with AMX, on no others"
    )
    args: argparse.Namespace = parser.parse_args()
    train(MODELS[args.model], args.work, args.minutes, chosen_device(args.device), args.bf16, args.start)


if __name__ == "__main__":
    main()
