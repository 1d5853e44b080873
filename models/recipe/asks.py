"""What measure.py asks a model to draw: combinations held out from the training captions (heldout.py)."""

from __future__ import annotations

import random
from dataclasses import dataclass

import common
import heldout
from captions import NUMBERS, article, plural
from colours import WORDS
from names import split_colour

A_COLOUR, A_NUMBER = 10, 20  # asks for each colour word and for each number
SEEDS, SEEDED = 4, 16  # pictures of one prompt, and prompts drawn so


@dataclass(frozen=True)
class Ask:
    """One prompt and what a right answer shows."""

    kind: str  # colour, noun, plain, count or seed
    prompt: str
    noun: str
    colour: str | None = None
    ground: str = "white"
    count: int = 1


def nouns() -> list[str]:
    """The common nouns, less those that are an icon's colour and noun in one, whose combinations icons show anyway."""
    return sorted(noun for noun in common.NOUNS if split_colour(noun)[0] is None)


def _on(text: str, ground: str) -> str:
    return (text if ground == "white" else f"{text} on a {ground} background").replace(" a orange", " an orange")


def colour_asks(rng: random.Random, natural: set[str]) -> list[Ask]:
    """The same number for each colour word; white things on blue, or nothing would be seen of them."""
    asks = []
    for word in WORDS:
        unseen = [noun for noun in nouns() if heldout.colour(noun, word) and f"{word} {noun}" not in natural]
        ground = "blue" if word == "white" else "white"
        for noun in rng.sample(unseen, min(A_COLOUR, len(unseen))):
            asks.append(Ask("colour", _on(article(f"{word} {noun}"), ground), noun, word, ground))
    return asks


def noun_asks(rng: random.Random) -> list[Ask]:
    """Each noun on a ground that it was never seen on."""
    asks = []
    for noun in nouns():
        unseen = [word for word in WORDS if heldout.ground(noun, word)]
        if unseen:
            ground = rng.choice(unseen)
            asks.append(Ask("noun", _on(article(noun), ground), noun, ground=ground))
    return asks


def plain_asks() -> list[Ask]:
    """Each noun alone: the only asks that captions had word for word."""
    return [Ask("plain", article(noun), noun) for noun in nouns()]


def count_asks(rng: random.Random, countable: set[str]) -> list[Ask]:
    """One to three of a noun whose drawing is one piece; two and three are numbers it was never seen in."""
    asks = [Ask("count", article(noun), noun) for noun in rng.sample(sorted(countable), A_NUMBER)]
    for number in (2, 3):
        unseen = sorted(noun for noun in countable if heldout.count(noun, number))
        for noun in rng.sample(unseen, min(A_NUMBER, len(unseen))):
            asks.append(Ask("count", f"{NUMBERS[number]} {plural(noun)}", noun, count=number))
    return asks


def seed_asks(rng: random.Random) -> list[Ask]:
    """Some nouns several times over, which differ by their noise only."""
    return [Ask("seed", article(noun), noun) for noun in rng.sample(nouns(), SEEDED) for _ in range(SEEDS)]


def all_asks(natural: set[str], countable: set[str], seed: int = 1) -> list[Ask]:
    """Every ask, the same ones for every model."""
    rng = random.Random(seed)
    return [
        *colour_asks(rng, natural), *noun_asks(rng), *plain_asks(), *count_asks(rng, countable), *seed_asks(rng)
    ]  # fmt: skip
