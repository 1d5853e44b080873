"""Tests that a training which was cut off ends to the bit where one in one go ends; they need PyTorch, but no icons."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from config import TINY

try:
    import torch

    import recover
    import sharpen
    import train_diffusion
    import train_vae
    from bpe import write_tokenizer
    from checkpoint import save
except ImportError as missing:
    raise unittest.SkipTest(f"without {missing.name}") from missing

CONFIG = dataclasses.replace(TINY, vae_steps=6, vae_batch=4, unet_steps=6, unet_batch=4, merges=20)
CAPTIONS = ["a red apple", "a blue car", "two green fish", "a yellow star on a black background"] * 10
SAVED = 3  # steps between checkpoints
Step = Callable[[Path], None]  # of the recipe, on a work folder


def tensors(state: dict[str, object], prefix: str = "") -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint, optimiser included, by their paths in it."""
    found = {}
    for key, value in state.items():
        if isinstance(value, dict):
            found |= tensors(value, f"{prefix}{key}.")
        elif isinstance(value, torch.Tensor):
            found[f"{prefix}{key}"] = value
    return found


class Cut(Exception):
    """Ends a training as a machine that goes down does."""


def fill(work: Path) -> None:
    """A work folder as data.py leaves it, of random pictures."""
    folder = work / CONFIG.name
    folder.mkdir(parents=True)
    size = (len(CAPTIONS), CONFIG.image_size, CONFIG.image_size, 3)
    np.save(folder / "pictures.npy", np.random.default_rng(3).integers(256, size=size, dtype=np.uint8))
    write_tokenizer(CAPTIONS, CONFIG.merges, CONFIG.max_tokens, folder / "tokenizer")
    (folder / "captions.json").write_text(json.dumps(CAPTIONS))


class Resume(unittest.TestCase):
    def setUp(self) -> None:
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.work = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compare(self, module: object, result: str, train: Step, ready: Step) -> None:
        """Trains in one go and cut off; `result` is the file that must come out alike, `ready` what comes before.

        `module` is the one that writes the checkpoints.
        """
        whole, cut = self.work / "whole", self.work / "cut"
        for work in (whole, cut):
            fill(work)
            ready(work)

        def save_and_stop(path: Path, state: dict[str, object]) -> None:
            save(path, state)
            raise Cut

        with mock.patch.object(module, "SAVE_STEPS", SAVED):
            train(whole)
            with mock.patch.object(module, "save", save_and_stop), self.assertRaises(Cut):
                train(cut)
            train(cut)
        left, right = (tensors(torch.load(work / CONFIG.name / result, weights_only=True)) for work in (whole, cut))
        self.assertEqual(left.keys(), right.keys())
        for name, value in left.items():
            self.assertTrue(torch.equal(value, right[name]), name)

    def train_vae(self, work: Path) -> None:
        train_vae.train(CONFIG, work, 1e6, "cpu")

    def train_diffusion(self, work: Path) -> None:
        train_diffusion.train(CONFIG, work, 1e6, "cpu", True, None)

    def train_both(self, work: Path) -> None:
        self.train_vae(work)
        self.train_diffusion(work)

    def train_a_round(self, work: Path) -> None:
        start = work / "first.pt" if not (work / CONFIG.name / "diffusion.pt").exists() else None  # once is enough
        train_diffusion.train(CONFIG, work, 1e6, "cpu", True, start)

    def end_a_round(self, work: Path) -> None:
        self.train_both(work)
        (work / CONFIG.name / "diffusion.pt").rename(work / "first.pt")

    def sharpen(self, work: Path) -> None:
        sharpen.train(CONFIG, work, 1e6, "cpu")

    def test_the_autoencoder_goes_on(self) -> None:
        self.compare(train_vae, "vae.pt", self.train_vae, lambda _: None)

    def test_the_denoiser_goes_on(self) -> None:
        self.compare(train_diffusion, "diffusion.pt", self.train_diffusion, self.train_vae)

    def test_a_further_round_goes_on(self) -> None:
        self.compare(train_diffusion, "diffusion.pt", self.train_a_round, self.end_a_round)

    def test_a_further_round_starts_from_the_former_with_other_batches(self) -> None:
        fill(self.work)
        with mock.patch.object(np.random, "default_rng", wraps=np.random.default_rng) as seeds:
            self.end_a_round(self.work)
            former = {call.args for call in seeds.call_args_list}
            seeds.reset_mock()
            still = dataclasses.replace(CONFIG, unet_lr=0.0)
            train_diffusion.train(still, self.work, 1e6, "cpu", True, self.work / "first.pt")
        self.assertEqual(seeds.call_count, CONFIG.unet_steps)
        self.assertTrue(former.isdisjoint(call.args for call in seeds.call_args_list))
        ended, started = (
            torch.load(path, weights_only=True)["ema"]
            for path in (self.work / "first.pt", self.work / CONFIG.name / "diffusion.pt")
        )
        for name, value in tensors(ended).items():
            self.assertTrue(torch.allclose(value, tensors(started)[name]), name)

    def recover(self, work: Path) -> None:
        recover.encoder(CONFIG, CONFIG.package_dir, work, 1e6, "cpu")

    def test_a_recovered_encoder_goes_on(self) -> None:
        with mock.patch.object(recover, "STEPS", 6):
            self.compare(train_vae, "vae.pt", self.recover, lambda _: None)

    def test_the_decoder_goes_on(self) -> None:
        with mock.patch.object(sharpen, "STEPS", 6):
            self.compare(train_vae, "vae-sharp.pt", self.sharpen, self.train_both)


if __name__ == "__main__":
    unittest.main()
