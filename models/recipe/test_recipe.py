"""Tests of what needs neither icons nor weights: python -m unittest discover models/recipe."""

from __future__ import annotations

import random
import unittest

import numpy as np

import asks
import heldout
from colours import WORDS, background
from looks import SIDE, main_colour, nearest, pieces, shrink, spread, vectors


def discs(centres: list[tuple[int, int]], radius: int, word: str, ground: str = "white") -> np.ndarray:
    """Plain discs on a plain ground, [SIDE, SIDE, 3]."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = np.any([(y - a) ** 2 + (x - b) ** 2 <= radius**2 for a, b in centres], axis=0)
    colours = [(background(name, 0) * 255).astype(np.uint8) for name in (word, ground)]
    return np.where(inside[..., None], *colours)


class Looks(unittest.TestCase):
    def test_the_colour_is_that_of_the_drawing_and_not_of_the_ground(self) -> None:
        for word in WORDS:
            for ground in WORDS:
                if word != ground:
                    self.assertEqual(main_colour(discs([(32, 32)], 20, word, ground)), word, ground)

    def test_an_empty_picture_has_no_colour_and_no_pieces(self) -> None:
        empty = np.full((SIDE, SIDE, 3), 200, np.uint8)
        self.assertIsNone(main_colour(empty))
        self.assertEqual(pieces(empty), 0)

    def test_pieces_are_counted_and_specks_are_not(self) -> None:
        places = [(16, 16), (16, 48), (48, 16), (48, 48)]
        for count in range(1, 5):
            self.assertEqual(pieces(discs(places[:count], 9, "red")), count)
        speckled = discs([(32, 32)], 20, "blue")
        speckled[2:4, 2:4] = 0
        self.assertEqual(pieces(speckled), 1)

    def test_touching_discs_are_one_piece(self) -> None:
        self.assertEqual(pieces(discs([(32, 24), (32, 40)], 10, "green")), 1)

    def test_size_makes_no_difference(self) -> None:
        large = discs([(16, 16), (48, 48)], 9, "purple").repeat(2, 0).repeat(2, 1)
        small = shrink(large[None], SIDE)[0]
        self.assertEqual((main_colour(small), pieces(small)), ("purple", 2))

    def test_distances(self) -> None:
        red, blue = discs([(32, 32)], 20, "red"), discs([(32, 32)], 20, "blue")
        self.assertEqual(spread(np.stack([red, red, red])), 0)
        self.assertGreater(spread(np.stack([red, blue])), 0.2)
        rows = (vectors(np.stack([red]), 32) * 255 + 0.5).astype(np.uint8)
        near, far = nearest(np.stack([red, blue]), rows)
        self.assertLess(near, 0.01)
        self.assertGreater(far, 0.2)


class HeldOut(unittest.TestCase):
    def test_about_one_in_ten_is_held_out(self) -> None:
        found = [heldout.colour(noun, word) for noun in asks.nouns() for word in WORDS]
        self.assertAlmostEqual(np.mean(found), 1 / heldout.SHARE, delta=0.03)
        self.assertFalse(heldout.colour("cat", None))
        self.assertFalse(any(heldout.ground(noun, "white") or heldout.count(noun, 1) for noun in asks.nouns()))

    def test_pairs_are_held_out_in_either_order(self) -> None:
        nouns = asks.nouns()
        for one, other in zip(nouns, nouns[7:], strict=False):
            self.assertEqual(heldout.pair(one, other), heldout.pair(other, one))

    def test_asks_are_held_out_and_the_same_each_time(self) -> None:
        found = asks.all_asks(set(), set(asks.nouns()))
        self.assertEqual(found, asks.all_asks(set(), set(asks.nouns())))
        for ask in found:
            if ask.kind == "colour":
                self.assertTrue(heldout.colour(ask.noun, ask.colour))
            elif ask.kind == "noun":
                self.assertTrue(heldout.ground(ask.noun, ask.ground))
            elif ask.kind == "count" and ask.count > 1:
                self.assertTrue(heldout.count(ask.noun, ask.count))

    def test_a_composer_keeps_to_it(self) -> None:
        from data import Composer
        from icons import Icon

        rng = np.random.default_rng(1)
        names = ["cat", "dog", "car", "tulip", "owl", "key"]
        pictures = rng.integers(256, size=(len(names), 128, 128, 4), dtype=np.uint8)
        composer = Composer(pictures, [Icon(name, "flat", 1.0, "fluent-emoji-flat") for name in names], 32, 1)
        seen = " | ".join(composer.compose()[1] for _ in range(3000))
        unseen = [(noun, word) for noun in names for word in WORDS if heldout.colour(noun, word)]
        self.assertTrue(unseen)
        for noun, word in unseen:
            self.assertNotIn(f"{word} {noun}", seen)
        rest = [(noun, word) for noun in names for word in WORDS if (noun, word) not in unseen]
        self.assertTrue(all(f"{word} {noun}" in seen for noun, word in random.Random(1).sample(rest, 20)))


if __name__ == "__main__":
    unittest.main()
