"""Decides which icons of a package to use, and what each one is called in plain English."""

from __future__ import annotations

import re

# npm package -> the word that a caption may use for its drawing style
SOURCES = {
    "noto": "emoji",
    "fluent-emoji": "3d",
    "fluent-emoji-flat": "flat",
    "fxemoji": "",
    "flat-color-icons": "",
}

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

# What people ask an icon model for first. A small model cannot learn 1,800 nouns in an hour, so it is shown these more often.
COMMON_FACTOR = 10
COMMON = frozenset((
    "red apple", "green apple", "pear", "tangerine", "lemon", "banana", "watermelon", "grapes", "strawberry", "cherries",
    "peach", "pineapple", "tomato", "carrot", "eggplant", "ear of corn", "hot pepper", "mushroom", "bread", "cheese wedge",
    "hamburger", "pizza", "hot dog", "french fries", "doughnut", "cookie", "birthday cake", "shortcake", "lollipop", "candy",
    "ice cream", "soft ice cream", "cup of coffee", "beer mug", "wine glass", "egg", "cat", "cat face", "dog", "dog face",
    "fish", "tropical fish", "blowfish", "whale", "spouting whale", "dolphin", "octopus", "frog", "turtle", "snake", "rabbit",
    "rabbit face", "mouse", "mouse face", "bear", "panda", "lion", "tiger", "tiger face", "monkey", "monkey face", "pig",
    "pig face", "cow", "cow face", "horse", "horse face", "chicken", "baby chick", "hatching chick", "duck", "owl", "penguin",
    "bird", "bee", "butterfly", "ladybug", "spider", "snail", "unicorn", "fox", "wolf", "elephant", "tulip", "rose",
    "sunflower", "blossom", "hibiscus", "cactus", "deciduous tree", "evergreen tree", "palm tree", "four leaf clover",
    "maple leaf", "sun", "crescent moon", "star", "glowing star", "cloud", "rainbow", "snowflake", "snowman", "fire",
    "droplet", "high voltage", "umbrella", "house", "house with garden", "castle", "tent", "taxi", "bus", "fire engine",
    "delivery truck", "tractor", "bicycle", "motorcycle", "airplane", "rocket", "helicopter", "sailboat", "ship", "anchor",
    "locomotive", "balloon", "gift", "christmas tree", "soccer ball", "basketball", "tennis ball", "baseball", "trophy",
    "guitar", "drum", "trumpet", "violin", "bell", "key", "old key", "padlock", "light bulb", "candle", "closed book",
    "open book", "pencil", "scissors", "hammer", "wrench", "gear", "magnet", "telephone", "mobile phone", "laptop", "camera",
    "television", "watch", "alarm clock", "bomb", "crown", "top hat", "glasses", "t-shirt", "dress", "jeans", "running shoe",
    "necktie", "backpack", "envelope", "money bag", "gem stone", "red heart", "robot", "ghost", "alien", "skull",
    "jack o lantern", "grinning face", "smiling face", "crying face", "teddy bear", "shopping cart", "broom", "toilet",
    "chair", "bed", "door", "kite", "yo yo", "game die", "video game", "car",
))  # fmt: skip
