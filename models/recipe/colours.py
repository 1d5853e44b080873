"""Colour words: how a word looks, which word describes an icon, and how to recolour an icon to a word."""

from __future__ import annotations

import numpy as np

# word -> hue (0..1), saturation, value: the middle of what the word means
WORDS: dict[str, tuple[float, float, float]] = {
    "red": (0.00, 0.82, 0.88),
    "orange": (0.075, 0.85, 0.97),
    "yellow": (0.14, 0.78, 0.98),
    "green": (0.36, 0.68, 0.68),
    "blue": (0.59, 0.75, 0.87),
    "purple": (0.76, 0.58, 0.75),
    "pink": (0.93, 0.42, 0.97),
    "brown": (0.065, 0.62, 0.50),
    "black": (0.60, 0.08, 0.17),
    "white": (0.60, 0.02, 0.96),
    "grey": (0.60, 0.04, 0.62),
}
MAIN_HUE_WIDTH = 0.11  # hues this near to the main one are recoloured with it; the rest (a leaf, an eye) keep theirs
NAMED_SHARE = 0.5  # of the opaque area must have one colour for the icon to be called by it


def to_hsv(rgb: np.ndarray) -> np.ndarray:
    """Float RGB in 0..1, last axis, to HSV in 0..1."""
    high, low = rgb.max(-1), rgb.min(-1)
    spread = high - low
    safe = np.where(spread > 0, spread, 1)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    not_red = np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    hue = np.where(high == red, (green - blue) / safe % 6, not_red)
    hue = np.where(spread > 0, hue / 6, 0)
    return np.stack([hue, np.where(high > 0, spread / np.where(high > 0, high, 1), 0), high], -1)


def to_rgb(hsv: np.ndarray) -> np.ndarray:
    """The inverse of to_hsv."""
    hue, saturation, value = hsv[..., 0:1], hsv[..., 1:2], hsv[..., 2:3]
    wheel = np.clip(np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1, 0, 1)
    return value * (1 - saturation + saturation * wheel)


def words_of(hsv: np.ndarray) -> np.ndarray:
    """Index into WORDS of each pixel's nearest colour word."""
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    index = {word: i for i, word in enumerate(WORDS)}
    word = np.full(hue.shape, index["red"])
    for name, low, high in (
        ("orange", 0.035, 0.11),
        ("yellow", 0.11, 0.19),
        ("green", 0.19, 0.47),
        ("blue", 0.47, 0.69),
        ("purple", 0.69, 0.85),
        ("pink", 0.85, 0.965),
    ):
        word[(hue >= low) & (hue < high)] = index[name]
    warm = (hue < 0.11) | (hue > 0.95)
    word[warm & (value < 0.66) & (hue > 0.02) & (hue < 0.11)] = index["brown"]
    word[((hue > 0.9) | (hue < 0.02)) & (saturation < 0.55) & (value > 0.8)] = index["pink"]
    grey = (saturation < 0.16) | (value < 0.2)
    word[grey] = index["grey"]
    word[grey & (value > 0.85)] = index["white"]
    word[value < 0.33 - 0.15 * saturation] = index["black"]
    return word


def name_colour(rgba: np.ndarray) -> str | None:
    """The one word that describes the icon's colour, or None where no word covers enough of it."""
    weight = rgba[..., 3].astype(np.float32)
    words = words_of(to_hsv(rgba[..., :3].astype(np.float32) / 255))
    shares = np.bincount(words.ravel(), weight.ravel(), len(WORDS)) / max(weight.sum(), 1)
    best = int(shares.argmax())
    return list(WORDS)[best] if shares[best] >= NAMED_SHARE else None


def recolour(rgba: np.ndarray, word: str) -> np.ndarray:
    """Moves the icon's main colour to `word`, keeping its shading and, where they differ, its other colours."""
    hsv = to_hsv(rgba[..., :3].astype(np.float32) / 255)
    alpha = rgba[..., 3].astype(np.float32)
    colourful = alpha * hsv[..., 1] * hsv[..., 2]
    angle = hsv[..., 0] * (2 * np.pi)
    main = np.arctan2((np.sin(angle) * colourful).sum(), (np.cos(angle) * colourful).sum()) / (2 * np.pi) % 1
    distance = np.abs((hsv[..., 0] - main + 0.5) % 1 - 0.5)
    chosen = (distance < MAIN_HUE_WIDTH) & (hsv[..., 1] > 0.2)
    if (alpha * chosen).sum() < 0.4 * alpha.sum():
        chosen = np.ones_like(chosen)
    weight = alpha * chosen
    total = max(weight.sum(), 1)
    hue, saturation, value = WORDS[word]
    mean_value = max((hsv[..., 2] * weight).sum() / total, 0.05)
    mean_saturation = (hsv[..., 1] * weight).sum() / total
    new = hsv.copy()
    new[..., 0] = hue
    # Saturation follows the drawing's own variation where it has one; a grey drawing takes the word's everywhere.
    variation = hsv[..., 1] / mean_saturation if mean_saturation > 0.15 else np.ones_like(hsv[..., 1])
    new[..., 1] = np.clip(saturation * (0.5 + 0.5 * variation), 0, 1)
    new[..., 2] = np.clip(value * (hsv[..., 2] / mean_value) ** 0.8, 0, 1)
    hsv = np.where(chosen[..., None], new, hsv)
    return np.concatenate([(to_rgb(hsv) * 255 + 0.5).astype(np.uint8), rgba[..., 3:]], -1)


def background(word: str, shift: float) -> np.ndarray:
    """An RGB colour for a plain background; `shift` in -1..1 makes it a little lighter or darker."""
    hue, saturation, value = WORDS[word]
    varied = np.array([hue, saturation * (1 - 0.2 * abs(shift)), np.clip(value * (1 + 0.08 * shift), 0, 1)])
    return to_rgb(varied)
