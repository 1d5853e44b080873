"""Turns what a composed picture shows into an English caption, varied as people vary their prompts."""

from __future__ import annotations

import random
from dataclasses import dataclass

from names import NAMED
from synonyms import SYNONYMS

NUMBERS = {2: "two", 3: "three", 4: "four"}
_IRREGULAR = {
    "mouse": "mice",
    "fish": "fish",
    "sheep": "sheep",
    "goose": "geese",
    "foot": "feet",
    "tooth": "teeth",
    "leaf": "leaves",
    "wolf": "wolves",
    "knife": "knives",
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "ox": "oxen",
    "bison": "bison",
    "deer": "deer",
    "moose": "moose",
    "scarf": "scarves",
    "octopus": "octopuses",
    "cactus": "cacti",
    "dice": "dice",
}
_GROUNDS = (" on a {} background", " on {} background", " on {}", ", {} background")
_HEADS = (
    " with ",
    " of ",
    " in ",
    " on ",
    " at ",
    " behind ",
    " over ",
    " and ",
    " without ",
    " facing ",
    " pointing ",
)


@dataclass(frozen=True)
class Thing:
    """One drawn object. `colour` is None where the caption shall not name one."""

    noun: str
    colour: str | None = None
    size: str | None = None
    count: int = 1


def plural(noun: str) -> str:
    """The plural of a noun phrase: its head word changes, what follows it stays."""
    for link in _HEADS:
        if link in noun:
            head, rest = noun.split(link, 1)
            return plural(head) + link + rest
    *before, word = noun.split(" ")
    if word in _IRREGULAR:
        word = _IRREGULAR[word]
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        word = word[:-1] + "ies"
    elif word.endswith(("ch", "sh", "x", "ss")):
        word += "es"
    elif not word.endswith("s"):
        word += "s"
    return " ".join([*before, word])


def article(phrase: str) -> str:
    """ "a" or "an", or nothing before a word that is plural already."""
    last = phrase.split(" with ")[0].split(" of ")[0].split(" ")[-1]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        return phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _phrase(thing: Thing, rng: random.Random) -> str:
    noun = thing.noun
    if noun in SYNONYMS and rng.random() < 0.5:
        noun = rng.choice(SYNONYMS[noun])
    if thing.count > 1:
        noun = plural(noun)
    words = [word for word in (thing.size, thing.colour, noun) if word]
    if thing.count > 1:
        return " ".join([NUMBERS[thing.count], *words])
    phrase = " ".join(words)
    return article(phrase) if rng.random() < 0.75 else phrase


def caption(things: list[Thing], background: str | None, style: str, rng: random.Random) -> str:
    """The caption of a picture. A plain white background goes unnamed now and then, others never."""
    text = " and ".join(_phrase(thing, rng) for thing in things)
    if background is not None and (background != "white" or rng.random() < 0.15):
        text += rng.choice(_GROUNDS).format(background)
        text = text.replace(" on a orange", " on an orange")
    if rng.random() < NAMED[style]:
        text = rng.choice((f"{text}, {style}", f"{style} icon of {text}", f"{text}, {style} style"))
    elif rng.random() < 0.1:
        text = f"icon of {text}"
    return text
