"""What can be said of a picture without a model: where its drawing is, its colour, how many pieces it has."""

from __future__ import annotations

import numpy as np
from PIL import Image

from colours import WORDS, to_hsv, words_of

SIDE = 64  # pictures of any size are looked at in this one, so that a larger one has no advantage
DIFFERENT = 40  # in bytes, of any channel, from the ground
LEAST_SHARE = 0.02  # of the picture, or nothing was drawn
PIECE_SHARE, PIECE_OF_LARGEST = 0.012, 0.15  # of the picture and of the largest piece, or it is a speck


def shrink(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures [n, h, w, 3] as bytes [n, side, side, 3], by the mean of each area."""
    resized = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BOX)) for one in pictures]
    return np.stack(resized)


def mask_of(picture: np.ndarray) -> np.ndarray:
    """True where a picture [SIDE, SIDE, 3] differs from its ground, which is what its border mostly shows."""
    border = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3), picture[:, :2].reshape(-1, 3)])
    ground = np.median(np.concatenate([border, picture[:, -2:].reshape(-1, 3)]), axis=0)
    return np.abs(picture.astype(np.int16) - ground).max(-1) > DIFFERENT


def main_colour(picture: np.ndarray) -> str | None:
    """The colour word that describes most of the drawing; None where there is no drawing."""
    mask = mask_of(picture)
    if mask.mean() < LEAST_SHARE:
        return None
    words = words_of(to_hsv(picture[mask].astype(np.float32) / 255))
    return list(WORDS)[int(np.bincount(words, minlength=len(WORDS)).argmax())]


def pieces(picture: np.ndarray) -> int:
    """The number of separate pieces of the drawing, specks not counted; corners do not join pieces."""
    left = mask_of(picture).copy()
    sizes = []
    while left.any():
        start = np.unravel_index(int(left.argmax()), left.shape)
        left[start] = False
        stack, size = [start], 0
        while stack:
            y, x = stack.pop()
            size += 1
            for next_y, next_x in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if 0 <= next_y < SIDE and 0 <= next_x < SIDE and left[next_y, next_x]:
                    left[next_y, next_x] = False
                    stack.append((next_y, next_x))
        sizes.append(size)
    least = max(PIECE_SHARE * SIDE * SIDE, PIECE_OF_LARGEST * max(sizes, default=0))
    return sum(size >= least for size in sizes)


def vectors(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures as rows of numbers 0..1, so that the root mean square of a difference is a distance."""
    return shrink(pictures, side).reshape(len(pictures), -1).astype(np.float32) / 255


def spread(pictures: np.ndarray) -> float:
    """Mean distance between the pictures of one prompt, as a root mean square of 0..1."""
    rows = vectors(pictures, 32)
    distances = [np.sqrt(((a - b) ** 2).mean()) for i, a in enumerate(rows) for b in rows[:i]]
    return float(np.mean(distances))


def nearest(pictures: np.ndarray, training: np.ndarray) -> np.ndarray:
    """For each picture the distance to the nearest row of `training`, vectors of 32 by 32 pixels as bytes."""
    rows = vectors(pictures, 32)
    best = np.full(len(rows), np.inf, np.float32)
    for at in range(0, len(training), 4000):
        part = training[at : at + 4000].astype(np.float32) / 255
        squares = (rows**2).sum(1)[:, None] + (part**2).sum(1)[None] - 2 * rows @ part.T
        best = np.minimum(best, squares.min(1))
    return np.sqrt(np.maximum(best, 0) / rows.shape[1])
