"""Trains the CLIP-style byte-pair vocabulary and writes the stock CLIPTokenizer files.

The trainer is written out because it is short and because ties must be broken the same way everywhere: by the pair
itself, after its count.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import regex
from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    i = 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def learn_merges(captions: list[str], count: int) -> list[tuple[str, str]]:
    """The `count` most useful merges of the captions' words, most frequent pair first."""
    to_char = bytes_to_unicode()
    words: Counter[tuple[str, ...]] = Counter()
    for caption in captions:
        for word in WORD.findall(caption.lower()):
            chars = [to_char[byte] for byte in word.encode()]
            words[(*chars[:-1], chars[-1] + "</w>")] += 1
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:], strict=False):
                pairs[pair] += times
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        merged: Counter[tuple[str, ...]] = Counter()
        for word, times in words.items():
            merged[_merge(word, best)] += times
        words = merged
    return merges


def write_tokenizer(captions: list[str], merge_count: int, max_tokens: int, folder: Path) -> CLIPTokenizer:
    """Learns a vocabulary from captions and saves it to `folder`. As in SD 1.x, the pad token is the end of text."""
    merges = learn_merges(captions, merge_count)
    alphabet = list(bytes_to_unicode().values())
    merged = ["".join(pair) for pair in merges]
    # Two merges can spell the same token; it still has one id.
    tokens = list(dict.fromkeys(alphabet + [char + "</w>" for char in alphabet] + merged + [BOS, EOS]))
    folder.mkdir(parents=True, exist_ok=True)
    vocab_file, merges_file = folder / "vocab.json", folder / "merges.txt"
    vocab_file.write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    merges_file.write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    tokenizer = CLIPTokenizer(str(vocab_file), str(merges_file), model_max_length=max_tokens, do_lower_case=True)
    tokenizer.save_pretrained(folder)
    return tokenizer
