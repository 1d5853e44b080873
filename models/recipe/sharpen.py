"""Trains the decoder alone a little longer, on what the denoiser makes of latents and on latents with some noise.

The encoder stays as it is, so the latents that the denoiser learned stay right. A denoiser's latents are never quite an
encoder's: a decoder that has only seen the encoder's turns small mistakes into smudges, and one that has seen them
draws the edge that was most likely meant. So some pictures' latents are made noisy, as far as leaves their layout, and
the denoiser draws them anew under their captions: the mistakes are its own, and the right picture is known. Whole
pictures, since it is the borders that crops teach badly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import data
from checkpoint import chosen_device, save
from config import MODELS, SCALING_FACTOR, ModelConfig, training_parser
from networks import build_scheduler, build_vae, load_denoiser
from train_diffusion import latents, token_ids
from train_vae import Plan, distance, fit, to_unit

BATCH, STEPS, RATE = 6, 2500, 6e-4  # half of a batch is redrawn latents
MOST_NOISE = 0.25  # of the latents' spread; each picture gets from none to this
REDRAWN, REDRAWN_BATCH = 2500, 50
REDRAWN_FROM = 500  # of the thousand times, at most: with more noise the denoiser draws something else


@torch.no_grad()
def redrawn(config: ModelConfig, work: Path, device: str) -> np.ndarray:
    """The first pictures' latents as the denoiser draws them from noisy ones, as fp16; computed on first use.

    It draws as the package will, with its steps and its guidance, from any of the times up to REDRAWN_FROM.
    """
    folder = work / config.name
    file = folder / "redrawn.npy"
    if not file.exists():
        codes, (_, captions) = latents(config, work), data.load(config, work)
        tokenizer, text, unet = load_denoiser(config, folder)
        text, unet = text.to(device), unet.to(device, memory_format=torch.channels_last)
        scheduler = build_scheduler()
        scheduler.set_timesteps(config.steps)
        moments = [moment for moment in scheduler.timesteps if moment <= REDRAWN_FROM]
        empty, parts = text(token_ids(tokenizer, [""]).to(device)).last_hidden_state, []
        torch.manual_seed(config.seed)
        for at in range(0, min(REDRAWN, len(codes)), REDRAWN_BATCH):
            clean = torch.from_numpy(codes[at : at + REDRAWN_BATCH].astype(np.float32))
            asked = text(token_ids(tokenizer, captions[at : at + len(clean)]).to(device)).last_hidden_state
            states = torch.cat([empty.expand_as(asked), asked])
            rest = moments[at // REDRAWN_BATCH % len(moments) :]
            drawn = scheduler.add_noise(clean, torch.randn(clean.shape), rest[0]).to(device)
            for moment in rest:
                free, guided = unet(drawn.repeat(2, 1, 1, 1), moment, states).sample.chunk(2)
                predicted = free + float(config.guidance) * (guided - free)
                drawn = scheduler.step(predicted, moment, drawn).prev_sample
            parts.append(drawn.cpu().numpy().astype(np.float16))
            if (at + REDRAWN_BATCH) % 500 == 0:
                print(f"redrawn {at + REDRAWN_BATCH} of {REDRAWN} pictures", file=sys.stderr)
        np.save(file, np.concatenate(parts))
    return np.load(file)


def train(config: ModelConfig, work: Path, minutes: float, device: str) -> None:
    """Trains the decoder, and leaves the encoder as it is."""
    folder = work / config.name
    pictures, _ = data.load(config, work)
    codes, mistaken = latents(config, work), redrawn(config, work, device)
    vae = build_vae(config).to(device, memory_format=torch.channels_last)
    vae.load_state_dict(torch.load(folder / "vae.pt", weights_only=True))

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((config.seed, 2, step))
        torch.manual_seed(config.seed * 2_000_003 + step)
        noised = np.sort(rng.choice(len(codes), BATCH - BATCH // 2, replace=False))
        anew = np.sort(rng.choice(len(mistaken), BATCH // 2, replace=False))
        clean = torch.from_numpy(codes[noised].astype(np.float32))
        noise = torch.randn(clean.shape) * torch.rand(len(clean), 1, 1, 1) * MOST_NOISE
        given = torch.cat([clean + noise, torch.from_numpy(mistaken[anew].astype(np.float32))])
        wanted = to_unit(np.concatenate([pictures[noised], pictures[anew]])).to(device)
        drawn = vae.decode(given.to(device) / SCALING_FACTOR).sample
        return distance(drawn, wanted)

    parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    fit(vae, parameters, loss_at, Plan("decoder", folder / "sharpen-training.pt", STEPS, RATE, minutes))
    save(folder / "vae-sharp.pt", vae.cpu().state_dict())


def main() -> None:
    args = training_parser(__doc__).parse_args()
    train(MODELS[args.model], args.work, args.minutes, chosen_device(args.device))


if __name__ == "__main__":
    main()
