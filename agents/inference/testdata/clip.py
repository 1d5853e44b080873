"""Writes clip/prompts.json: a thousand odd prompts, and the token ids that transformers' CLIP tokenisers make of them.

    clip.py bpe_simple_vocab_16e6.txt.gz

The argument is OpenAI's vocabulary (MIT), which the PyPI package open_clip_torch has; its part that CLIP uses is
written to clip/merges.txt. Ids are those of the slow CLIPTokenizer without ftfy, which this project follows where a
package has vocab.json; `fast` has CLIPTokenizerFast's where they differ, which a package with only tokenizer.json
follows; `bang` those with "!" as padding; `tiny` cuckoo-tiny's. Code points that Python's Unicode tables lack are left
out: later tables class them otherwise, and so will a later Python.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import tempfile
import unicodedata
from pathlib import Path

from transformers import CLIPTokenizer, CLIPTokenizerFast
from transformers.models.clip.tokenization_clip import bytes_to_unicode

HERE = Path(__file__).resolve().parent
TINY = HERE.parents[2] / "models" / "cuckoo-tiny" / "tokenizer"
COUNT = 1000
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 49152 - 256 - 2  # what CLIP takes of the file

EMOJI = "😀😂🥲🤖👻💀🐱🐕🦄🍎🍏🌈⭐🔥❄☀🚀🚗🏠🎨👍🙏🫠🏳🏴"
SKIN = "🏻🏼🏽🏾🏿"
ZWJ = ["👩‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴‍☠️", "👩🏽‍💻", "❤️‍🔥", "🧑🏿‍🤝‍🧑🏻", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🇯🇵🇫🇷", "1️⃣#️⃣", "☺️", "☺︎"]
CJK = [
    "猫",
    "山水画",
    "日本語のテキスト",
    "カタカナ",
    "ｶﾀｶﾅ",
    "한국어",
    "각",
    "각",
    "㐀",
    "𠀀",
    "豈",
    "丽",
    "々",
    "〆",
    "「猫」",
    "１２３",
    "ＡＢＣ",
]
MARKS = [
    "e\u0301",
    "\u0301",
    "a\u0300\u0301\u0302",
    "n\u0303",
    "A\u030a",
    "\u0345",
    "α\u0345",
    "q\u0307\u0323",
    "\u20dd",
    "Z\u0351\u036b\u0343",
]
CONTROLS = [
    "\0",
    "\x01",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\x9f",
    "\u200b",
    "\u200d",
    "\u200e",
    "\u2060",
    "\ufeff",
    "\ufffd",
    "\ufffe",
    "\ufdd0",
    "\ue000",
    "\U000f0000",
    "\u00ad",
    "\u2028",
    "\u2029",
    "\u180e",
]
SPACES = [
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\u00a0",
    "\u1680",
    "\u2003",
    "\u202f",
    "\u205f",
    "\u3000",
    "\x1c",
    "\x1f",
]
HTML = [
    "&amp;",
    "&lt;b&gt;",
    "&#39;",
    "&quot;",
    "&nbsp;",
    "&amp;amp;",
    "<b>bold</b>",
    "<br/>",
    "&copy",
    "&#x1F600;",
    "&hellip;",
]
RIGHT_TO_LEFT = ["שלום", "مرحبا بالعالم", "‏עברית‎", "فارسی‌زبان", "ﷺ", "\u202eabc\u202c", "עִבְרִית", "٣٤٥", "ܫܠܡܐ", "ދިވެހި"]
CASES = [
    "İstanbul",
    "ıI",
    "ſ",
    "'ſ",
    "it'ſ",
    "K",
    "ẞ straße",
    "ΣΑΣ",
    "ΟΔΟΣ ΟΔΟΣ.",
    "ǅ",
    "ﬁ",
    "Å",
    "ÀÉÎ",
    "𝐀𝓑",
    "Ⅳ",
    "ⓐⒷ",
]
SPECIAL = [
    BEGIN,
    END,
    "<|ENDOFTEXT|>",
    "<|StartOfText|>",
    "<|ſtartoftext|>",
    "<|endoftext|",
    "<endoftext>",
    END + "\u0338",
    "!" + END,
    "!!<|ENDOFTEXT|>!",
    "!",
    "!!!",
    "a!b",
    "</w>",
    "a</w>",
    "Ġ",
    "<|",
    "|>",
]
CONTRACTIONS = [
    "it's",
    "IT'S",
    "don't",
    "we're",
    "I've",
    "I'm",
    "you'll",
    "he'd",
    "'s",
    "''s",
    "rock'n'roll",
    "’s",
    "it’s",
    "'tis",
    "y'all'd've",
]
NUMBERS = [
    "0",
    "3.14",
    "1,000,000",
    "2024",
    "½",
    "²",
    "①",
    "Ⅷ",
    "१२३",
    "๑๒",
    "1e-5",
    "0x1F",
    "10px",
    "50%",
    "㉈",
    "一二三",
    "𝟘𝟙",
]
SIGNS = list(".,;:?!\"'`´“”‘’«»()[]{}<>/\\|@#$%^&*-_=+~°§¶†‡•…–—¿¡€£¥₿™©®") + [
    "...",
    "?!",
    "--",
    "->",
    "=>",
    "::",
    "//",
    "##",
    "(((",
    ")))",
    "_-_",
    "^_^",
    ":-)",
]
WORDS = "a red blue apple cat dog house on the of in style photo portrait oil painting highly detailed cinematic lighting 8k trending astronaut riding horse supercalifragilisticexpialidocious Zürich naïve café jalapeño Ωmega москва Ελλάδα ไทย हिन्दी தமிழ் ქართული Հայերեն አማርኛ ខ្មែរ".split()
POOLS = [
    list(EMOJI),
    list(SKIN),
    ZWJ,
    CJK,
    MARKS,
    CONTROLS,
    SPACES,
    HTML,
    RIGHT_TO_LEFT,
    CASES,
    SPECIAL,
    CONTRACTIONS,
    NUMBERS,
    SIGNS,
    WORDS,
    WORDS,
    WORDS,
]


def known(code: int) -> bool:
    """Whether Python's Unicode tables have the code point."""
    return unicodedata.category(chr(code)) not in ("Cn", "Cs")


def prompts() -> list[str]:
    random.seed(20260101)
    found = ["", " ", "\n\t ", "a", "A", "\0", "\ufeff", "\u3000", "\u200b"]
    found += [piece for pool in POOLS for piece in pool]
    found += [f"a{piece}b" for pool in POOLS[4:7] + [SPECIAL, CASES, CJK] for piece in pool]
    found += [f"{piece} {piece}" for piece in ZWJ + CJK + RIGHT_TO_LEFT + CASES + SPECIAL]
    # Long ones: words, a word, letters that are not merged, characters of four bytes, signs, blanks.
    found += [
        " ".join(random.choices(WORDS, k=500)),
        "cat " * 500,
        "a" * 500,
        "zq" * 250,
        "🦄" * 130,
        "猫" * 200,
        "! " * 200,
    ]
    found += ["?" * 300, "\u0301" * 200, " " * 300 + "a", "&amp;" * 60, "1" * 200, "'s" * 100, END * 80]
    # Lengths about the limit of 75.
    found += ["dog " * count for count in (73, 74, 75, 76, 77, 78)]
    codes = [code for code in range(0x110000) if known(code)]
    found = list(dict.fromkeys(found))
    while len(found) < COUNT:
        kind = random.random()
        if kind < 0.25:  # any characters at all
            text = "".join(chr(random.choice(codes)) for _ in range(random.randint(1, 8)))
        elif kind < 0.4:  # of the first planes' busy part, where scripts lie
            text = "".join(chr(random.choice(range(0x20, 0x2FF))) for _ in range(random.randint(1, 16)))
        else:
            joint = random.choice(["", "", " ", " ", random.choice(SPACES)])
            text = joint.join(random.choice(random.choice(POOLS)) for _ in range(random.randint(2, 7)))
        if text not in found:
            found.append(text)
    return found[:COUNT]


def clip_folder(source: Path, folder: Path) -> None:
    """vocab.json and merges.txt of OpenAI's vocabulary, as every stock Stable Diffusion has them."""
    lines = gzip.decompress(source.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    (HERE / "clip" / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n")
    alphabet = list(bytes_to_unicode().values())
    tokens = alphabet + [char + "</w>" for char in alphabet] + ["".join(line.split()) for line in lines] + [BEGIN, END]
    assert len(tokens) == len(set(tokens)) == 49408
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text((HERE / "clip" / "merges.txt").read_text())


def ids(tokenizer: CLIPTokenizer | CLIPTokenizerFast, prompt: str) -> list[int]:
    """Without what every prompt has: the begin, the end and the padding."""
    found = tokenizer(prompt, truncation=True)["input_ids"]
    assert found[0] == tokenizer.bos_token_id and found[-1] == tokenizer.eos_token_id
    return found[1:-1]


def main() -> None:
    (HERE / "clip").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip_folder(Path(sys.argv[1]), folder)
        files = str(folder / "vocab.json"), str(folder / "merges.txt")
        slow, fast = CLIPTokenizer(*files, model_max_length=77), CLIPTokenizerFast(*files, model_max_length=77)
        assert slow.fix_text is None, "with ftfy the slow tokeniser is another"
        # SD 2's and SDXL's second one, whose padding is a sign that prompts have too.
        bang = CLIPTokenizer(*files, model_max_length=77, pad_token="!")
        tiny = CLIPTokenizer.from_pretrained(TINY)
        lines = []
        for prompt in prompts():
            entry: dict[str, object] = {"prompt": prompt, "ids": ids(slow, prompt), "tiny": ids(tiny, prompt)}
            for key, other in (("fast", fast), ("bang", bang)):
                if (found := ids(other, prompt)) != entry["ids"]:
                    entry[key] = found
            lines.append(json.dumps(entry, separators=(",", ":"), ensure_ascii=True))
        print(f"{sum('fast' in line for line in lines)} differ between slow and fast")
        (folder / "fast").mkdir()
        fast.save_pretrained(folder / "fast")
        # The settings of the fast one, without what merges.txt says: tests/golden.rs puts them together again.
        settings = json.loads((folder / "fast" / "tokenizer.json").read_text())
        settings["model"]["vocab"], settings["model"]["merges"] = {}, []
        (HERE / "clip" / "tokenizer.json").write_text(json.dumps(settings, indent=1) + "\n")
    (HERE / "clip" / "prompts.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
