"""Trains the autoencoder on crops of the composed pictures, then fixes the scale of its latents.

Crops, because an autoencoder of icons has nothing to learn that is larger than its field of view, and a quarter of the
area is a quarter of the time. Stable Diffusion's scaling factor expects latents of a certain spread: this autoencoder's
own spread is measured and folded into the two 1x1 convolutions around the latents, so that the stock factor brings them
to unit variance.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

import data
from checkpoint import chosen_device, learning_rate, load, save
from config import MODELS, SCALING_FACTOR, ModelConfig, training_parser
from networks import build_vae

CROP = 8  # latents on each side
KL_WEIGHT = 1e-6
# Of the logarithm of the latents' variance, at first. At the usual 0 the noise is as large as the latents: most
# channels are given up before they are of use, and the divergence keeps them so.
FIRST_LOG_VARIANCE = -6.0
EDGE_WEIGHT = 1.0  # differences of neighbouring pixels: icons are edges, and a plain L1 blurs them
MEASURED = 2000  # pictures whose latents give the spread
REPORT_STEPS, SAVE_STEPS = 100, 500


def to_unit(pictures: np.ndarray) -> torch.Tensor:
    """Bytes [b, h, w, 3] to floats [b, 3, h, w] in -1..1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(pictures: np.ndarray, batch: int, size: int, rng: np.random.Generator) -> torch.Tensor:
    """Random crops of `size` pixels out of random pictures."""
    room = pictures.shape[1] - size
    chosen = rng.integers(len(pictures), size=batch)
    corners = rng.integers(room + 1, size=(batch, 2))
    return to_unit(
        np.stack([pictures[i, y : y + size, x : x + size] for i, (y, x) in zip(chosen, corners, strict=True)])
    )


def loss(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """L1 on pixels and on their differences, and a little of the usual divergence."""
    posterior = vae.encode(pictures).latent_dist
    drawn = vae.decode(posterior.sample()).sample
    edges = sum(F.l1_loss(drawn.diff(dim=axis), pictures.diff(dim=axis)) for axis in (2, 3))
    return F.l1_loss(drawn, pictures) + EDGE_WEIGHT * edges + KL_WEIGHT * posterior.kl().mean()


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, pictures: np.ndarray) -> None:
    """Brings each latent channel to mean 0 and spread 1 / SCALING_FACTOR, without changing any picture."""
    step = max(1, len(pictures) // MEASURED)
    means = torch.cat([vae.encode(to_unit(part)).latent_dist.mean for part in np.array_split(pictures[::step], 40)])
    shift, scale = means.mean((0, 2, 3)), 1 / (means.std((0, 2, 3)) * SCALING_FACTOR)
    quant, post, channels = vae.quant_conv, vae.post_quant_conv, vae.config.latent_channels
    # new = (old - shift) * scale: on the way in for the mean, and for the logarithm of the variance
    quant.weight[:channels] *= scale[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - shift) * scale
    quant.bias[channels:] += 2 * scale.log()
    # old = new / scale + shift: on the way out
    post.bias += (post.weight[:, :, 0, 0] * shift).sum(1)
    post.weight /= scale[None, :, None, None]


def train(config: ModelConfig, work: Path, minutes: float, device: str) -> None:
    """Trains for the config's steps or for `minutes`, whichever ends first, resuming where a former run stopped."""
    pictures, _ = data.load(config, work)
    folder = work / config.name
    torch.manual_seed(config.seed)
    vae = build_vae(config).to(device, memory_format=torch.channels_last)  # a quarter faster on CPUs
    with torch.no_grad():
        vae.quant_conv.weight[config.latent_channels :] = 0
        vae.quant_conv.bias[config.latent_channels :] = FIRST_LOG_VARIANCE
    optimiser = torch.optim.AdamW(vae.parameters(), lr=config.vae_lr, weight_decay=0)
    state = load(folder / "vae-training.pt")
    first, spent = 0, 0.0
    if state:
        vae.load_state_dict(state["vae"])
        optimiser.load_state_dict(state["optimiser"])
        first, spent = state["step"], state["seconds"]
    began, total = time.monotonic() - spent, 0.0
    for step in range(first, config.vae_steps):
        seconds = time.monotonic() - began
        progress = max(step / config.vae_steps, seconds / (minutes * 60))
        if progress >= 1:
            break
        rng = np.random.default_rng((config.seed, step))
        torch.manual_seed(config.seed * 3_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config.vae_lr, step, progress)
        value = loss(vae, crops(pictures, config.vae_batch, CROP * config.scale, rng).to(device))
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        total += value.item()
        if (step + 1) % REPORT_STEPS == 0:
            print(f"vae step {step + 1}: loss {total / REPORT_STEPS:.4f}, {seconds:.0f} s", file=sys.stderr)
            total = 0.0
        if (step + 1) % SAVE_STEPS == 0:
            training = {"vae": vae.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            save(folder / "vae-training.pt", training | {"seconds": seconds})
    vae.cpu().eval()
    fold_scale(vae, pictures)
    save(folder / "vae.pt", vae.state_dict())


def main() -> None:
    args = training_parser(__doc__).parse_args()
    train(MODELS[args.model], args.work, args.minutes, chosen_device(args.device))


if __name__ == "__main__":
    main()
