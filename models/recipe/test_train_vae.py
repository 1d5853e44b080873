"""Tests of the change of basis of the autoencoder's latents; they need PyTorch and diffusers, but no icons."""

from __future__ import annotations

import dataclasses
import unittest

import numpy as np

from config import SCALING_FACTOR, TINY

try:
    import torch

    from networks import build_vae
    from train_vae import principal, to_unit
except ImportError as missing:
    raise unittest.SkipTest(f"without {missing.name}") from missing


class Principal(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(7)
        self.config = dataclasses.replace(TINY, trained_channels=6, latent_channels=6)
        self.trained = build_vae(self.config, 6).eval()
        with torch.no_grad():
            for part in (self.trained.encoder.conv_out, self.trained.quant_conv, self.trained.post_quant_conv):
                part.bias.normal_()
        self.pictures = np.random.default_rng(7).integers(256, size=(80, 32, 32, 3), dtype=np.uint8)

    @torch.no_grad()
    def latents(self, vae: torch.nn.Module) -> torch.Tensor:
        return vae.encode(to_unit(self.pictures)).latent_dist.mean * SCALING_FACTOR

    def test_a_turn_alone_changes_no_picture(self) -> None:
        turned = principal(self.trained, self.config, self.pictures)
        codes, pictures = self.latents(turned), to_unit(self.pictures)
        with torch.no_grad():
            before = self.trained.decode(self.trained.encode(pictures).latent_dist.mean).sample
            after = turned.decode(codes / SCALING_FACTOR).sample
        self.assertLess((before - after).abs().max().item(), 1e-3)

    def test_what_is_kept_is_uncorrelated_and_of_unit_spread(self) -> None:
        fewer = dataclasses.replace(self.config, latent_channels=3)
        codes = self.latents(principal(self.trained, fewer, self.pictures)).transpose(0, 1).flatten(1)
        self.assertEqual(len(codes), 3)
        self.assertLess((torch.cov(codes) - torch.eye(3)).abs().max().item(), 1e-2)
        self.assertLess(codes.mean(1).abs().max().item(), 1e-2)

    def test_a_channel_that_says_nothing_is_what_is_dropped(self) -> None:
        with torch.no_grad():  # the last mean is the first one's twin
            for part in (self.trained.quant_conv.weight, self.trained.quant_conv.bias):
                part[5] = part[0]
        fewer = dataclasses.replace(self.config, latent_channels=5)
        codes = self.latents(principal(self.trained, fewer, self.pictures)).transpose(0, 1).flatten(1)
        means = self.latents(self.trained).transpose(0, 1).flatten(1)
        known = torch.cat([codes, torch.ones(1, codes.shape[1])]).T
        rest = means.T - known @ torch.linalg.lstsq(known, means.T).solution
        self.assertLess(rest.abs().max().item(), 1e-4)


if __name__ == "__main__":
    unittest.main()
