#!/usr/bin/env python3
"""What ONNX Runtime's Python binding makes of two made-up pictures: models/golden/style.json.

    tools/fetch-models magenta-style
    python agents/inference/testdata/style.py > models/golden/style.json

Made with onnxruntime 1.31.1. Of the picture every sixteenth pixel of every sixteenth row is kept.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime

PACKAGE = Path(__file__).resolve().parents[3] / "vendor" / "models" / "magenta-style"


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """The same as in agents/inference/tests/style.rs."""
    y, x = np.mgrid[0:384, 0:384]
    content = np.stack([(2 * y + x) % 256, 3 * x % 256, (y // 32 + x // 32) % 2 * 200], -1)
    y, x = np.mgrid[0:256, 0:256]
    style = np.stack([5 * y % 256, (7 * x + y) % 256, x * y % 256], -1)
    return content.astype(np.uint8), style.astype(np.uint8)


def main() -> None:
    content, style = ((picture.astype(np.float32) / 255.0)[None] for picture in pictures())
    predictor, transformer = (
        onnxruntime.InferenceSession(PACKAGE / part / "model.onnx", providers=["CPUExecutionProvider"])
        for part in ("style_predictor", "style_transformer")
    )
    vector = predictor.run(None, {"style_image": style})[0]
    content_input, vector_input = (entry.name for entry in transformer.get_inputs())
    picture = transformer.run(None, {content_input: content, vector_input: vector})[0][0]
    pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)[::16, ::16]
    vector = [float(f"{value:.9g}") for value in vector.ravel()]
    print(json.dumps({"vector": vector, "pixels": pixels.ravel().tolist()}, separators=(",", ":")))


if __name__ == "__main__":
    main()
