"""Decides which icons of a package to use, and what each one is called in plain English."""

from __future__ import annotations

import re

# npm package -> the word that a caption may use for its drawing style
SOURCES = {
    "noto": "emoji",
    "fluent-emoji": "3d",
    "fluent-emoji-flat": "flat",
    "fxemoji": "cartoon",
    "flat-color-icons": "",
}
# How often to draw a style, and how often its caption names it. A prompt without a style word nearly always means one
# style: a small model that must choose among four drawings of a cat draws their average, which is a blob.
SOURCE_WEIGHTS = {
    "noto": 0.35,
    "fluent-emoji": 0.3,
    "fluent-emoji-flat": 1.0,
    "fxemoji": 0.12,
    "flat-color-icons": 0.3,
}
NAMED = {"emoji": 0.6, "3d": 1.0, "flat": 0.25, "cartoon": 1.0, "": 0.0}

# How often to draw icons of a category, relative to things one would ask an icon model for.
CATEGORY_WEIGHTS = {
    "Animals & Nature": 1.3,
    "Food & Drink": 1.3,
    "Objects": 1.0,
    "Activities": 1.0,
    "Travel & Places": 1.0,
    "Smileys & Emotion": 0.6,
    "People & Body": 0.25,
    "Symbols": 0.25,
}
UNCATEGORISED_WEIGHT = 0.25

SKIN_TONE = re.compile(r"-skin-tone|-(light|medium-light|medium|medium-dark|dark)$|-(light|dark|medium)(-|$)")
UNWANTED = re.compile(
    r"flag|keycap|japanese-.*button|^input-|-oclock|-thirty|button-blood|^letter-|middle-finger|^kiss-|^couple|^family|"
    r"^people-holding|^(men|women)-|^(man|woman)-.*(hair|facing)|facing-right|breast|pregnant|"
    r"google|android|iphone|ipad|linux|reddit|steam$|dribbble|stumbleupon|wikipedia|kindle|nook|debian|vlc|bbc|icons8|"
    r"-logo|trademark|copyright|copyleft|service-mark"
)

# Dehyphenated names and oddities of single packages.
RENAMED = {
    "bunny": "rabbit face",
    "bunnyside": "rabbit",
    "catside": "cat",
    "dogside": "dog",
    "dragonhead": "dragon face",
    "dragonside": "dragon",
    "pandaface": "panda",
    "pigside": "pig",
    "pigsnout": "pig nose",
    "tigerside": "tiger",
    "leopardside": "leopard",
    "mouseside": "mouse",
    "wolfface": "wolf",
    "spurtingwhale": "whale",
    "hampster": "hamster",
    "cellphone": "mobile phone",
    "aubergine": "eggplant",
    "chilipepper": "hot pepper",
    "earofmaize": "ear of corn",
    "europeancastle": "castle",
    "evergreen": "evergreen tree",
    "folder": "folder",
    "gem": "gem stone",
    "heels": "high heeled shoe",
    "hotbeverage": "cup of coffee",
    "jackolantern": "jack o lantern",
    "leftmagnifyingglass": "magnifying glass",
    "lightbulb": "light bulb",
    "lock": "locked padlock",
    "openlock": "unlocked padlock",
    "mapleleaf": "maple leaf",
    "moneybag": "money bag",
    "racecar": "racing car",
    "rowboat": "rowboat",
    "sakebottleandcup": "sake",
    "sliceofpizza": "pizza",
    "snowmountains": "snow capped mountain",
    "speaker": "speaker",
    "steamlocomotive": "locomotive",
    "tennisball": "tennis ball",
    "ticket": "ticket",
    "tie": "necktie",
    "stormcloud": "storm cloud",
    "raincloud": "rain cloud",
    "snowcloud": "snow cloud",
    "sunrays": "sun",
    "handbag": "handbag",
    "heartblue": "blue heart",
    "heartgreen": "green heart",
    "heartpurple": "purple heart",
    "heartyellow": "yellow heart",
    "whitestar": "white star",
    "largebluecircle": "blue circle",
    "largeredcircle": "red circle",
    "boot": "boot",
    "glasses": "glasses",
    "house": "house",
    "housebuilding": "house",
    "housebuildings": "houses",
    "screen": "screen",
    "watch": "watch",
    "hand": "hand",
    "foldercopy": "folder",
    "arrow-up": "up arrow",
    "artist-palette": "palette",
    "tear-off-calendar": "calendar",
    "dvd": "disc",
    "ear-of-corn": "corn",
    "automobile": "car",
    "locked": "padlock",
    "unlocked": "unlocked padlock",
    "hot-beverage": "cup of coffee",
    "e-mail": "email",
    "t-rex": "t rex",
    "t-shirt": "t-shirt",
    "x-ray": "x-ray",
    "tennis": "tennis ball",
    "piata": "pinata",
    "spouting-whale": "spouting whale",
    "lady-beetle": "ladybug",
    "honeybee": "bee",
    "sun-with-face": "sun face",
    "womans-boot": "boot",
    "womans-hat": "hat",
    "womans-sandal": "sandal",
    "womans-clothes": "blouse",
    "mans-shoe": "shoe",
    "postal-horn": "horn",
    "wrapped-gift": "gift",
    "rescue-workers-helmet": "helmet",
    "home": "house",
    "full-trash": "trash can",
    "fork-and-knife-with-plate": "plate with fork and knife",
    "cut-of-meat": "steak",
    "pot-of-food": "pot of food",
}

COLOUR_WORDS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
_LEADING_COLOUR = re.compile(rf"^(light )?({'|'.join(COLOUR_WORDS)}) (?=\w)")
# A leading colour that is part of the noun rather than the drawing's colour.
_FIXED = {"orange book", "black nib", "white cane"}


def categories(metadata: dict[str, dict[str, list[str]]]) -> dict[str, str]:
    """Icon name to category."""
    return {name: category for category, names in metadata.get("categories", {}).items() for name in names}


def is_wanted(name: str, category: str) -> bool:
    """False for flags, skin tones, clock faces, letters, trade marks: drawings that are text or near-copies."""
    if category == "Flags" or UNWANTED.search(name):
        return False
    return not ("-skin-tone" in name or (category == "People & Body" and SKIN_TONE.search(name)))


def plain_name(name: str, joined: dict[str, str]) -> str:
    """An icon's name as words. `joined` maps names without hyphens to names with them, for packages that drop them."""
    if name in RENAMED:
        return RENAMED[name]
    if "-" not in name and name in joined:
        name = joined[name]
    return RENAMED.get(name, name.replace("-", " "))


def split_colour(noun: str) -> tuple[str | None, str]:
    """ "red apple" to ("red", "apple"); nouns without a leading colour come back whole."""
    match = None if noun in _FIXED else _LEADING_COLOUR.match(noun)
    if match is None:
        return None, noun
    return match.group(2), noun[match.end() :]
