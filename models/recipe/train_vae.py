"""Trains the autoencoder on crops of the composed pictures, then keeps its principal channels and fixes their scale.

Crops, because an autoencoder of icons has nothing to learn that is larger than its field of view, and a quarter of the
area is a quarter of the time. It trains with more latent channels than the denoiser can use, several of which come out
alike; given channels that say the same thing, the denoiser learns colours and little of shapes. So the latents are
turned to their principal components, and the first of them kept. Stable Diffusion's scaling factor expects latents of a
certain spread: theirs is folded into the convolutions around them, so that the stock factor brings them to unit
variance.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
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
REPORT_STEPS, SAVE_STEPS = 100, 250


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


def distance(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """L1 on pixels and on their differences."""
    edges = sum(F.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis)) for axis in (2, 3))
    return F.l1_loss(drawn, wanted) + EDGE_WEIGHT * edges


def loss(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """The distance to what is drawn, and a little of the usual divergence."""
    posterior = vae.encode(pictures).latent_dist
    return distance(vae.decode(posterior.sample()).sample, pictures) + KL_WEIGHT * posterior.kl().mean()


@torch.no_grad()
def pass_means_on(vae: AutoencoderKL) -> None:
    """Makes the last convolution of the encoder the one that gives the means: the one after it changes nothing."""
    channels = vae.config.latent_channels
    vae.quant_conv.weight.zero_()
    vae.quant_conv.weight[:channels, :channels, 0, 0] = torch.eye(channels)
    vae.quant_conv.bias.zero_()
    vae.quant_conv.bias[channels:] = FIRST_LOG_VARIANCE


@torch.no_grad()
def principal(trained: AutoencoderKL, config: ModelConfig, pictures: np.ndarray) -> AutoencoderKL:
    """The same autoencoder with its principal latent channels only, each of mean 0 and spread 1 / SCALING_FACTOR.

    A channel counts by its spread in units of its own noise, which is what it can carry: channels that came out alike
    share one component. The convolutions around the latents take the change of basis, so that no picture changes where
    all components are kept. Noise does not turn with a basis: only the mean is of use afterwards.
    """
    step = max(1, len(pictures) // MEASURED)
    posteriors = [trained.encode(to_unit(part)).latent_dist for part in np.array_split(pictures[::step], 40)]
    means = torch.cat([posterior.mean for posterior in posteriors]).transpose(0, 1).flatten(1)
    noise = torch.cat([posterior.std for posterior in posteriors]).mean((0, 2, 3))
    shift, (variances, basis) = means.mean(1), torch.linalg.eigh(torch.cov(means / noise[:, None]))
    spreads, basis = variances.flip(0).clamp(min=0).sqrt(), basis.flip(1)[:, : config.latent_channels]
    print(f"spreads of the components, in units of noise: {spreads.numpy().round(1)}", file=sys.stderr)
    factors = spreads[: config.latent_channels] * SCALING_FACTOR
    inward = basis.T / noise / factors[:, None]  # new = inward (old - shift)
    outward = noise[:, None] * basis * factors  # old = outward new + shift

    vae = build_vae(config)
    changed = ("encoder.conv_out", "decoder.conv_in", "quant_conv", "post_quant_conv")
    kept = {name: value for name, value in trained.state_dict().items() if not name.startswith(changed)}
    vae.load_state_dict(kept, strict=False)
    for name in changed:
        vae.get_submodule(name).weight.zero_()
        vae.get_submodule(name).bias.zero_()

    # On the way in, the last convolution gives the new means; the one after it passes them on.
    count, channels = len(shift), config.latent_channels
    last, mix, new = trained.encoder.conv_out, trained.quant_conv, vae.encoder.conv_out
    to_mean = inward @ mix.weight[:count, :, 0, 0]
    new.weight[:channels] = torch.einsum("no,oihw->nihw", to_mean, last.weight)
    new.bias[:channels] = to_mean @ last.bias + inward @ (mix.bias[:count] - shift)
    pass_means_on(vae)

    # On the way out, what the first convolution was given is `turn new + rest`. It pads with zeros, so `rest` has to
    # come before it; the part of `rest` that the kept channels cannot say goes into its bias, wrong at the border
    # alone.
    mix, first, new = trained.post_quant_conv, trained.decoder.conv_in, vae.decoder.conv_in
    turn = mix.weight[:, :, 0, 0] @ outward
    rest = mix.weight[:, :, 0, 0] @ shift + mix.bias
    said = torch.linalg.pinv(turn) @ rest
    vae.post_quant_conv.weight[:, :, 0, 0] = torch.eye(channels)
    vae.post_quant_conv.bias.copy_(said)
    new.weight.copy_(torch.einsum("oihw,in->onhw", first.weight, turn))
    new.bias.copy_(first.bias + first.weight.sum((2, 3)) @ (rest - turn @ said))
    return vae.eval()


@torch.no_grad()
def error(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """The mean distance of a pixel (of -1..1) to what the autoencoder makes of it."""
    parts = np.array_split(pictures[:: max(1, len(pictures) // MEASURED)], 40)
    drawn = [F.l1_loss(vae.decode(vae.encode(to_unit(part)).latent_dist.mean).sample, to_unit(part)) for part in parts]
    return torch.stack(drawn).mean().item()


@dataclass(frozen=True)
class Plan:
    """How long a training of the autoencoder or a part of it takes, and where it keeps what it has."""

    what: str
    checkpoint: Path
    steps: int
    rate: float  # the highest learning rate
    minutes: float


def fit(vae: AutoencoderKL, parameters: list[nn.Parameter], loss_at: Callable[[int], torch.Tensor], plan: Plan) -> None:
    """Trains for the plan's steps or minutes, whichever end first, resuming where a former run stopped.

    `loss_at` gives the loss of a step, and draws what it draws by the step's number alone.
    """
    optimiser = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=0)
    state = load(plan.checkpoint)
    first, spent = 0, 0.0
    if state:
        vae.load_state_dict(state["vae"])
        optimiser.load_state_dict(state["optimiser"])
        first, spent = state["step"], state["seconds"]
    began, total = time.monotonic() - spent, 0.0
    for step in range(first, plan.steps):
        seconds = time.monotonic() - began
        progress = max(step / plan.steps, seconds / (plan.minutes * 60))
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(plan.rate, step, progress)
        value = loss_at(step)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        total += value.item()
        if (step + 1) % REPORT_STEPS == 0:
            print(f"{plan.what} step {step + 1}: loss {total / REPORT_STEPS:.4f}, {seconds:.0f} s", file=sys.stderr)
            total = 0.0
        if (step + 1) % SAVE_STEPS == 0:
            training = {"vae": vae.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            save(plan.checkpoint, training | {"seconds": seconds})


def train(config: ModelConfig, work: Path, minutes: float, device: str) -> None:
    """Trains the whole of it and keeps the principal channels."""
    pictures, _ = data.load(config, work)
    folder = work / config.name
    torch.manual_seed(config.seed)
    channels = config.trained_channels
    vae = build_vae(config, channels).to(device, memory_format=torch.channels_last)  # a quarter faster on CPUs
    with torch.no_grad():
        vae.quant_conv.weight[channels:] = 0
        vae.quant_conv.bias[channels:] = FIRST_LOG_VARIANCE

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((config.seed, step))
        torch.manual_seed(config.seed * 3_000_003 + step)
        return loss(vae, crops(pictures, config.vae_batch, CROP * config.scale, rng).to(device))

    plan = Plan("vae", folder / "vae-training.pt", config.vae_steps, config.vae_lr, minutes)
    fit(vae, list(vae.parameters()), loss_at, plan)
    vae.cpu().eval()
    packed = principal(vae, config, pictures)
    errors = f"{error(vae, pictures):.4f}, {error(packed, pictures):.4f} with {config.latent_channels} channels"
    print(f"error a pixel: {errors}", file=sys.stderr)
    save(folder / "vae.pt", packed.state_dict())


def main() -> None:
    args = training_parser(__doc__).parse_args()
    train(MODELS[args.model], args.work, args.minutes, chosen_device(args.device))


if __name__ == "__main__":
    main()
