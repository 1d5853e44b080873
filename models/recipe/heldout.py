"""Combinations that no composed caption asks for, so that measure.py can ask for something never seen.

A noun and a word (a colour, a background, a number, another noun) are held out where a hash of the two says so: one
combination in ten of each kind, the same ones everywhere and without a list to keep.
"""

from __future__ import annotations

import zlib

SHARE = 10  # one in so many


def _chosen(kind: str, *words: str) -> bool:
    return zlib.crc32(" ".join((kind, *words)).encode()) % SHARE == 0


def colour(noun: str, word: str | None) -> bool:
    """Is "a {word} {noun}" held out? The noun is the icons' own word for it, never a synonym."""
    return word is not None and _chosen("colour", noun, word)


def ground(noun: str, word: str) -> bool:
    """Is "a {noun} on a {word} background" held out? White grounds never are: captions seldom name them."""
    return word != "white" and _chosen("background", noun, word)


def count(noun: str, number: int) -> bool:
    """Is this number of the noun held out? A single one never is."""
    return number > 1 and _chosen("count", noun, str(number))


def pair(one: str, other: str) -> bool:
    """Are these two nouns never drawn together, in either order?"""
    return _chosen("pair", *sorted((one, other)))
