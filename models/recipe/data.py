"""Composes the training set: pictures of icons, recoloured, on coloured backgrounds, counted and paired, with captions.

There are only about 5,000 icons, and a model that sees each with one caption learns them by heart. Composition makes
colour words, backgrounds and counts mean the same for every noun.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image

import common
import heldout
import icons
from captions import Thing, caption
from colours import WORDS, background, name_colour, recolour
from config import MODELS, ModelConfig, base_parser
from names import split_colour

NORMAL, SMALL, BIG, HALF, MANY = 0.86, 0.5, 1.0, 0.5, 0.49  # of the picture's width
# Light drawings vanish on white and dark ones on black: such a pair is drawn again.
TOO_CLOSE = {("white", "white"), ("black", "black"), ("white", "yellow")}


# Where the centres of so many things of a kind are.
PLACES = {
    1: [(0.5, 0.5)],
    2: [(0.25, 0.5), (0.75, 0.5)],
    3: [(0.5, 0.25), (0.25, 0.75), (0.75, 0.75)],
    4: [(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)],
}


class Composer:
    """Draws random compositions; the same seed gives the same set."""

    def __init__(self, pictures: np.ndarray, entries: list[icons.Icon], size: int, seed: int) -> None:
        self.pictures, self.entries, self.size = pictures, entries, size
        self.rng = random.Random(seed)
        weights = [entry.weight * (common.FACTOR if entry.noun in common.NOUNS else 1) for entry in entries]
        self.weights = list(accumulate(weights))
        self.colours: dict[int, str | None] = {}

    def _colour_of(self, index: int) -> str | None:
        if index not in self.colours:
            self.colours[index] = name_colour(self.pictures[index][::4, ::4])
        return self.colours[index]

    def _scaled(self, index: int, width: int) -> np.ndarray:
        """An icon at `width` pixels; premultiplied while it shrinks, so that transparent edges do not darken."""
        image = Image.fromarray(self.pictures[index], "RGBA").convert("RGBa")
        return np.asarray(image.resize((width, width), Image.Resampling.LANCZOS).convert("RGBA"))

    def _choose(self, style: str | None = None) -> int:
        """A random icon, of one style or of any."""
        while True:
            index = self.rng.choices(range(len(self.entries)), cum_weights=self.weights)[0]
            if style is None or self.entries[index].style == style:
                return index

    def _thing(
        self, index: int, width: float, recolour_chance: float, **extra: object
    ) -> tuple[np.ndarray, Thing, str | None, str]:
        """An icon at a width: its picture, its description, the colour it really has, and its style word."""
        entry = self.entries[index]
        picture = self._scaled(index, round(width * self.size))
        own, noun = split_colour(entry.noun)
        if self.rng.random() < recolour_chance:
            word = self.rng.choice([word for word in WORDS if not heldout.colour(noun, word)])
            return recolour(picture, word), Thing(noun, word, **extra), word, entry.style
        actual = own or self._colour_of(index)
        unseen = heldout.colour(noun, actual)
        told = own or (actual if self.rng.random() < 0.5 and not unseen else None)
        return picture, Thing(noun, told, **extra), actual, entry.style

    def _noun(self, index: int) -> str:
        return split_colour(self.entries[index].noun)[1]

    def _pair(self) -> list[tuple[np.ndarray, Thing, str | None, str]]:
        """Two things of one style, to stand side by side."""
        one = self._choose()
        while True:
            other = self._choose(self.entries[one].style)
            if not heldout.pair(self._noun(one), self._noun(other)):
                return [self._thing(one, HALF, 0.45), self._thing(other, HALF, 0.45)]

    def _background(self, actual: list[str | None], nouns: list[str]) -> str:
        """White half of the time, else any colour that the drawings stand out from."""
        while True:
            word = "white" if self.rng.random() < 0.5 else self.rng.choice(tuple(WORDS))
            if any(colour == word or (colour, word) in TOO_CLOSE for colour in actual):
                continue
            if not any(heldout.ground(noun, word) for noun in nouns):
                return word

    def _paste(self, canvas: np.ndarray, picture: np.ndarray, x: float, y: float) -> None:
        """Blends a picture onto the canvas around a centre given in 0..1."""
        width = picture.shape[0]
        limit = self.size - width
        left = min(max(round(x * self.size - width / 2), 0), limit)
        top = min(max(round(y * self.size - width / 2), 0), limit)
        alpha = picture[..., 3:].astype(np.float32) / 255
        area = canvas[top : top + width, left : left + width]
        area[:] = area * (1 - alpha) + picture[..., :3] / np.float32(255) * alpha

    def canvas(self, ground: str, shift: float, drawn: list[np.ndarray], count: int) -> np.ndarray:
        """`count` drawings, taken in turn, on a plain ground: bytes [size, size, 3]. `shift`, -1..1, varies it."""
        colour = np.ones(3) if ground == "white" else background(ground, shift)
        canvas = np.broadcast_to(colour.astype(np.float32), (self.size, self.size, 3)).copy()
        for i, (x, y) in enumerate(PLACES[count]):
            self._paste(canvas, drawn[i % len(drawn)], x, y)
        return (canvas * 255 + 0.5).astype(np.uint8)

    def draw(
        self, index: int, colour: str | None, ground: str, count: int = 1, width: float | None = None
    ) -> np.ndarray:
        """A given icon as asked for: what measure.py takes for a right answer."""
        picture = self._scaled(index, round((width or (NORMAL if count == 1 else MANY)) * self.size))
        return self.canvas(ground, 0, [recolour(picture, colour) if colour else picture], count)

    def compose(self) -> tuple[np.ndarray, str]:
        """One picture [size, size, 3] as bytes and its caption."""
        kind = self.rng.choices(("one", "sized", "many", "pair"), (0.72, 0.06, 0.12, 0.10))[0]
        rng, count = self.rng, 1
        if kind == "pair":
            drawn, count = self._pair(), 2
        elif kind == "many":
            index = self._choose()
            count = rng.choice([n for n in (2, 3, 4) if not heldout.count(self._noun(index), n)] or [1])
            drawn = [self._thing(index, MANY, 0.4, count=count)]
        elif kind == "sized":
            size = rng.choice(("small", "big"))
            drawn = [self._thing(self._choose(), SMALL if size == "small" else BIG, 0.3, size=size)]
        else:
            drawn = [self._thing(self._choose(), NORMAL + rng.uniform(-0.02, 0.04), 0.45)]
        ground = self._background([actual for _, _, actual, _ in drawn], [thing.noun for _, thing, _, _ in drawn])
        picture = self.canvas(ground, rng.uniform(-1, 1), [part for part, _, _, _ in drawn], count)
        return picture, caption([thing for _, thing, _, _ in drawn], ground, drawn[0][3], rng)


def load(config: ModelConfig, work: Path) -> tuple[np.ndarray, list[str]]:
    """The composed set of a model, made on first use together with the tokenizer that its captions need."""
    folder = work / config.name
    folder.mkdir(parents=True, exist_ok=True)
    pictures_file, captions_file = folder / "pictures.npy", folder / "captions.json"
    if not captions_file.exists():
        composer = Composer(*icons.load(work), config.image_size, config.seed)
        shape = (config.pictures, config.image_size, config.image_size, 3)
        out = np.lib.format.open_memmap(pictures_file, mode="w+", dtype=np.uint8, shape=shape)
        texts = []
        for i in range(config.pictures):
            out[i], text = composer.compose()
            texts.append(text)
            if (i + 1) % 5000 == 0:
                print(f"composed {i + 1} of {config.pictures} pictures", file=sys.stderr)
        out.flush()
        from bpe import write_tokenizer  # here, so that composing needs no transformers

        write_tokenizer(texts, config.merges, config.max_tokens, folder / "tokenizer")
        captions_file.write_text(json.dumps(texts))
    return np.load(pictures_file, mmap_mode="r"), json.loads(captions_file.read_text())


def main() -> None:
    args = base_parser(__doc__).parse_args()
    pictures, texts = load(MODELS[args.model], args.work)
    print(f"{len(texts)} pictures of {pictures.shape[1]} pixels, {len(set(texts))} different captions", file=sys.stderr)


if __name__ == "__main__":
    main()
