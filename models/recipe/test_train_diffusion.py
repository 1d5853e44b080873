"""Tests of the times that a batch is trained at; they need PyTorch and diffusers, but no icons."""

from __future__ import annotations

import unittest

try:
    import torch

    from train_diffusion import spread_times
except ImportError as missing:
    raise unittest.SkipTest(f"without {missing.name}") from missing


class SpreadTimes(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(4)

    def test_each_part_of_the_range_has_one(self) -> None:
        for _ in range(50):
            parts = spread_times(50, 1000) // 20
            self.assertEqual(parts.sort().values.tolist(), list(range(50)))

    def test_every_time_is_as_likely_and_none_is_out_of_range(self) -> None:
        counts = torch.bincount(torch.cat([spread_times(40, 200) for _ in range(500)]), minlength=200)
        self.assertEqual(len(counts), 200)
        self.assertLess((counts.float() / 100 - 1).abs().max().item(), 0.45)

    def test_a_place_in_the_batch_says_nothing_of_the_time(self) -> None:
        means = torch.stack([spread_times(10, 1000) for _ in range(2000)]).float().mean(0)
        self.assertLess((means - 499.5).abs().max().item(), 30)


if __name__ == "__main__":
    unittest.main()
