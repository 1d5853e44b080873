"""Draws a sheet of prompts with an exported package through ONNX Runtime, and measures the time a picture takes."""

from __future__ import annotations

import argparse
import time

import numpy as np
from PIL import Image, ImageDraw

from config import MODELS, MODELS_DIR
from onnx_pipeline import OnnxPipeline

PROMPTS = [
    "a red apple", "a green apple", "a blue car", "a yellow car", "a purple house", "a cat", "a black cat", "a dog",
    "a yellow star", "a blue star", "a red heart", "a green heart", "a flower", "a tree", "a fish", "an orange cat",
    "a rocket", "an airplane", "a red umbrella", "a cup of coffee", "a birthday cake", "a pizza", "a bell", "a frog",
    "a smiling face", "a purple smiling face", "a ghost", "a robot", "a panda", "a brown bear", "a penguin", "an owl",
    "a red apple on a blue background", "a yellow star on a black background", "a cat on a green background",
    "a white rabbit on a red background", "a blue bird on a yellow background", "a house on a pink background",
    "a sun on a blue background", "a rocket on a purple background",
    "three red apples", "two blue cars", "four yellow stars", "a small red heart", "a cat and a dog",
    "a red car and a blue house", "a 3d icon of a crown", "a banana, flat",
]  # fmt: skip
COLUMNS, CELL, CAPTION = 8, 132, 26


def timed(pipeline: OnnxPipeline, steps: int, guidance: float) -> float:
    """Seconds a picture, the best of three: what the machine can do when nothing else runs."""
    times = []
    for seed in range(3):
        began = time.perf_counter()
        pipeline.draw(["a red apple"], pipeline.noise(1, seed), steps, guidance)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), default="cuckoo-icons", help="default: %(default)s")
    parser.add_argument("--out", default=str(MODELS_DIR / "contact-sheet.png"), help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the noise (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    args = parser.parse_args()
    config = MODELS[args.model]
    pipeline, guidance = OnnxPipeline(config.package_dir, args.threads), float(config.guidance)

    drawn: list[np.ndarray] = []
    for at in range(0, len(PROMPTS), COLUMNS):
        part = PROMPTS[at : at + COLUMNS]
        drawn.extend(pipeline.draw(part, pipeline.noise(len(part), args.seed + at), config.steps, guidance).pixels)
    rows = -(-len(PROMPTS) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (prompt, pixels) in enumerate(zip(PROMPTS, drawn, strict=True)):
        x, y = i % COLUMNS * CELL, i // COLUMNS * (CELL + CAPTION)
        sheet.paste(Image.fromarray(pixels).resize((CELL - 4, CELL - 4), Image.Resampling.NEAREST), (x + 2, y + 2))
        pen.rectangle((x + 1, y + 1, x + CELL - 2, y + CELL - 2), outline="lightgrey")
        pen.text((x + 2, y + CELL), prompt[:24], fill="black")
        pen.text((x + 2, y + CELL + 11), prompt[24:], fill="black")
    sheet.quantize(192, dither=Image.Dither.NONE).save(args.out, optimize=True)
    print(f"{timed(pipeline, config.steps, guidance):.3f} s a picture, {config.steps} steps, {args.threads} threads")


if __name__ == "__main__":
    main()
