"""The nouns that people ask an icon model for first.

A small model cannot learn 1,800 nouns in an hour, so it is shown these more often.
"""

from __future__ import annotations

FACTOR = 30  # how much more often
NOUNS = frozenset(
    (
        "red apple", "green apple", "pear", "tangerine", "lemon", "banana", "watermelon", "grapes", "strawberry",
        "cherries", "peach", "pineapple", "tomato", "carrot", "eggplant", "ear of corn", "hot pepper", "mushroom",
        "bread", "cheese wedge", "hamburger", "pizza", "hot dog", "french fries", "doughnut", "cookie",
        "birthday cake", "shortcake", "lollipop", "candy", "ice cream", "soft ice cream", "cup of coffee", "beer mug",
        "wine glass", "egg", "cat", "cat face", "dog", "dog face", "fish", "tropical fish", "blowfish", "whale",
        "spouting whale", "dolphin", "octopus", "frog", "turtle", "snake", "rabbit", "rabbit face", "mouse",
        "mouse face", "bear", "panda", "lion", "tiger", "tiger face", "monkey", "monkey face", "pig", "pig face",
        "cow", "cow face", "horse", "horse face", "chicken", "baby chick", "hatching chick", "duck", "owl", "penguin",
        "bird", "bee", "butterfly", "ladybug", "spider", "snail", "unicorn", "fox", "wolf", "elephant", "tulip",
        "rose", "sunflower", "blossom", "hibiscus", "cactus", "deciduous tree", "evergreen tree", "palm tree",
        "four leaf clover", "maple leaf", "sun", "crescent moon", "star", "glowing star", "cloud", "rainbow",
        "snowflake", "snowman", "fire", "droplet", "high voltage", "umbrella", "house", "house with garden", "castle",
        "tent", "taxi", "bus", "fire engine", "delivery truck", "tractor", "bicycle", "motorcycle", "airplane",
        "rocket", "helicopter", "sailboat", "ship", "anchor", "locomotive", "balloon", "gift", "christmas tree",
        "soccer ball", "basketball", "tennis ball", "baseball", "trophy", "guitar", "drum", "trumpet", "violin",
        "bell", "key", "old key", "padlock", "light bulb", "candle", "closed book", "open book", "pencil", "scissors",
        "hammer", "wrench", "gear", "magnet", "telephone", "mobile phone", "laptop", "camera", "television", "watch",
        "alarm clock", "bomb", "crown", "top hat", "glasses", "t-shirt", "dress", "jeans", "running shoe", "necktie",
        "backpack", "envelope", "money bag", "gem stone", "red heart", "robot", "ghost", "alien", "skull",
        "jack o lantern", "grinning face", "smiling face", "crying face", "teddy bear", "shopping cart", "broom",
        "toilet", "chair", "bed", "door", "kite", "yo yo", "game die", "video game", "car",
    )
)  # fmt: skip
