"""Trains the decoder alone a little longer, on latents with some noise, after the denoiser's training or before it.

The encoder stays as it is, so the latents that the denoiser learned stay right. A denoiser's latents are never quite an
encoder's: a decoder that has only seen the encoder's turns small mistakes into smudges, and one that has seen noise
draws the edge that was most likely meant. Whole pictures, since it is the borders that crops teach badly.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import data
from checkpoint import chosen_device, learning_rate, load, save
from config import MODELS, SCALING_FACTOR, ModelConfig, training_parser
from networks import build_vae
from train_diffusion import latents
from train_vae import EDGE_WEIGHT, to_unit

BATCH, STEPS, RATE = 6, 2500, 6e-4
MOST_NOISE = 0.25  # of the latents' spread; each picture gets from none to this
REPORT_STEPS, SAVE_STEPS = 100, 250


def train(config: ModelConfig, work: Path, minutes: float, device: str) -> None:
    """Trains for STEPS or for `minutes`, whichever ends first, resuming where a former run stopped."""
    folder = work / config.name
    pictures, _ = data.load(config, work)
    codes = latents(config, work)
    vae = build_vae(config).to(device, memory_format=torch.channels_last)
    vae.load_state_dict(torch.load(folder / "vae.pt", weights_only=True))
    parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)
    state = load(folder / "sharpen-training.pt")
    first, spent = 0, 0.0
    if state:
        vae.load_state_dict(state["vae"])
        optimiser.load_state_dict(state["optimiser"])
        first, spent = state["step"], state["seconds"]
    began, total = time.monotonic() - spent, 0.0
    for step in range(first, STEPS):
        seconds = time.monotonic() - began
        progress = max(step / STEPS, seconds / (minutes * 60))
        if progress >= 1:
            break
        rng = np.random.default_rng((config.seed, 2, step))
        torch.manual_seed(config.seed * 2_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(RATE, step, progress)
        chosen = np.sort(rng.choice(len(codes), BATCH, replace=False))
        clean = torch.from_numpy(codes[chosen].astype(np.float32))
        noise = torch.randn(clean.shape) * torch.rand(BATCH, 1, 1, 1) * MOST_NOISE
        wanted = to_unit(pictures[chosen]).to(device)
        drawn = vae.decode((clean + noise).to(device) / SCALING_FACTOR).sample
        edges = sum(F.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis)) for axis in (2, 3))
        value = F.l1_loss(drawn, wanted) + EDGE_WEIGHT * edges
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += value.item()
        if (step + 1) % REPORT_STEPS == 0:
            print(f"decoder step {step + 1}: loss {total / REPORT_STEPS:.4f}, {seconds:.0f} s", file=sys.stderr)
            total = 0.0
        if (step + 1) % SAVE_STEPS == 0:
            training = {"vae": vae.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            save(folder / "sharpen-training.pt", training | {"seconds": seconds})
    save(folder / "vae-sharp.pt", vae.cpu().state_dict())


def main() -> None:
    args = training_parser(__doc__).parse_args()
    train(MODELS[args.model], args.work, args.minutes, chosen_device(args.device))


if __name__ == "__main__":
    main()
