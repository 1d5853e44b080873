#!/usr/bin/env python3
"""What transformers' tokeniser and ONNX Runtime's Python binding make of texts: models/golden/minilm.json.

    tools/fetch-models minilm
    python agents/inference/testdata/minilm.py > models/golden/minilm.json

Made with transformers 4.57 and onnxruntime 1.31.1.
"""

import json
from pathlib import Path

import numpy
import onnxruntime
import torch
from transformers import BertTokenizerFast

PACKAGE = Path(__file__).resolve().parents[3] / "vendor" / "models" / "minilm"

TEXTS = [
    "A cuckoo lays its eggs in the nests of other birds.",
    "Cuckoos are brood parasites.",
    "The bank raised its interest rates by half a point.",
    "a",
    " ",
    "Schrödinger's naïve café, déjà vu: ÀÉÎÕÜ ß ﬁ",
    "I ❤️ 🐦‍⬛ and 🍎",
    "猫が好きです。 Ich mag Katzen.",
    "tabs\tand\nnew lines\r\n\x00\x07\u200b\ufffd\u00a0end",
    "[CLS] special [SEP] tokens [MASK] in the [PAD] text ##ing",
    "antidisestablishmentarianism " + "x" * 101,
    "3.14159 -- 1,000,000 $5 100% e-mail@example.com (a+b)=c",
    "the quick brown fox jumps over the lazy dog " * 40,
]


def main() -> None:
    tokeniser = BertTokenizerFast(tokenizer_file=str(PACKAGE / "tokenizer.json"))
    session = onnxruntime.InferenceSession(PACKAGE / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    cases = []
    for text in TEXTS:
        encoding = tokeniser(text, truncation=True, max_length=256, padding=False, return_tensors="np")
        feeds = {name: encoding[name].astype(numpy.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        hidden = torch.from_numpy(session.run(None, feeds)[0])
        # As sentence-transformers pools and normalises.
        mask = torch.from_numpy(feeds["attention_mask"]).unsqueeze(-1).expand(hidden.size()).float()
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        vector = torch.nn.functional.normalize(mean, p=2, dim=1)[0]
        cases.append({"text": text, "ids": feeds["input_ids"][0].tolist(), "vector": [float(f"{v:.8g}") for v in vector]})
    print(json.dumps({"cases": cases}, separators=(",", ":")))


if __name__ == "__main__":
    main()
