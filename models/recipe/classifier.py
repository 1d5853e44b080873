"""A small classifier of the common nouns, trained on the real icons: it says what a drawn picture shows.

It sees every style of an icon, recoloured, on every ground, shifted, blurred and noisy, so that it judges shapes and
forgives a soft edge.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import icons
from asks import nouns
from checkpoint import learning_rate
from colours import WORDS
from data import NORMAL, Composer
from looks import SIDE

PICTURES, STEPS, BATCH, RATE, SEED = 16000, 1600, 64, 2e-3, 5
TOP = 5


def build() -> nn.Module:
    """Four convolutions of stride 2; about half a million parameters."""
    widths, layers = (3, 32, 64, 128, 192), []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(192, len(nouns())))


def examples(work: Path, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bytes [count, 3, SIDE, SIDE] and class numbers: real icons, half of them recoloured, on random grounds."""
    composer, rng = Composer(*icons.load(work), SIDE, seed), random.Random(seed)
    number = {noun: i for i, noun in enumerate(nouns())}
    known = [i for i, entry in enumerate(composer.entries) if entry.noun in number]
    pictures, classes = [], []
    for _ in range(count):
        index = rng.choice(known)
        colour = rng.choice(tuple(WORDS)) if rng.random() < 0.5 else None
        ground = "white" if rng.random() < 0.4 else rng.choice([word for word in WORDS if word != colour])
        pictures.append(composer.draw(index, colour, ground, width=NORMAL + rng.uniform(-0.16, 0.1)))
        classes.append(number[composer.entries[index].noun])
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.tensor(classes)


def _worn(pictures: torch.Tensor) -> torch.Tensor:
    """A batch in -1..1, shifted, half the time blurred, and noisy."""
    dy, dx = torch.randint(-4, 5, (2,)).tolist()
    batch = torch.roll(pictures.float() / 127.5 - 1, (dy, dx), (2, 3))
    if torch.rand(()) < 0.5:
        small = F.interpolate(batch, scale_factor=0.5 if torch.rand(()) < 0.5 else 0.75, mode="area")
        batch = F.interpolate(small, size=SIDE, mode="bilinear")
    return batch + 0.1 * torch.rand(()) * torch.randn_like(batch)


def load(work: Path) -> nn.Module:
    """The trained classifier, trained on first use."""
    file, network = work / "classifier.pt", build()
    if file.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        return network.eval()
    pictures, classes = examples(work, PICTURES, SEED)
    torch.manual_seed(SEED)
    network = build().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    total = 0.0
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(RATE, step, step / STEPS)
        chosen = torch.randint(len(pictures), (BATCH,))
        loss = F.cross_entropy(network(_worn(pictures[chosen])), classes[chosen], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item()
        if (step + 1) % 200 == 0:
            print(f"classifier step {step + 1}: loss {total / 200:.3f}", file=sys.stderr)
            total = 0.0
    torch.save(network.state_dict(), file)
    return network.eval()


@torch.no_grad()
def right(network: nn.Module, pictures: np.ndarray, wanted: list[str], top: int = TOP) -> np.ndarray:
    """For each picture [n, SIDE, SIDE, 3] of bytes: is the wanted noun among the classifier's first `top`?"""
    batch = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    best = network(batch).topk(top).indices.numpy()
    number = {noun: i for i, noun in enumerate(nouns())}
    return np.array([number[noun] in row for noun, row in zip(wanted, best, strict=True)])
