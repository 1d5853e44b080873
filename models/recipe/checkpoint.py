"""What the trainings share: the device, checkpoints that survive an interruption, and the learning rate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

WARM_UP_STEPS = 200
LAST_SHARE = 0.02  # of the learning rate, at the end


def chosen_device(asked: str | None) -> str:
    """The device that was asked for, else the GPU if there is one."""
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.rename(path)


def load(path: Path) -> dict[str, Any] | None:
    """A checkpoint, if there is one; in memory, whatever device it was made on."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def learning_rate(highest: float, step: int, progress: float) -> float:
    """Warm-up by steps, then a cosine over the training's progress (0..1)."""
    decay = LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return highest * min(1.0, (step + 1) / WARM_UP_STEPS) * decay
