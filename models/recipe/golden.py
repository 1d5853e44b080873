"""Writes the golden vectors that prove another implementation right: DDIM steps, token ids, and a whole tiny picture.

They come from diffusers' DDIMScheduler, transformers' CLIPTokenizer (the slow, reference one) and the exported files
as ONNX Runtime runs them. Floats are written with the shortest digits that read back as the same fp32 number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from transformers import CLIPTokenizer, CLIPTokenizerFast

from config import GOLDEN_DIR, ICONS, TINY
from onnx_pipeline import OnnxPipeline
from prompts import ODD_PROMPTS

V_TRAILING: dict[str, object] = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
# name, steps, and how the scheduler differs from stock Stable Diffusion 1.x
DDIM_CASES: list[tuple[str, int, dict[str, object]]] = [
    ("epsilon-leading", 5, {}),
    ("epsilon-leading-20", 20, {}),
    ("epsilon-leading-alpha-one", 5, {"set_alpha_to_one": True, "steps_offset": 0}),
    ("epsilon-trailing", 5, {"timestep_spacing": "trailing"}),
    ("epsilon-linspace", 7, {"timestep_spacing": "linspace"}),
    ("epsilon-linear-betas", 5, {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}),
    ("v-leading", 5, {"prediction_type": "v_prediction"}),
    ("v-trailing", 7, V_TRAILING),
    ("v-trailing-alpha-one", 4, V_TRAILING | {"set_alpha_to_one": True}),
    ("sample-trailing", 5, {"prediction_type": "sample", "timestep_spacing": "trailing"}),
    ("one-step", 1, V_TRAILING | {"set_alpha_to_one": True}),
]
STOCK = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
}


def floats(values: np.ndarray | torch.Tensor) -> list[float]:
    """fp32 values as numbers that print short and read back exactly."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def ddim_vectors() -> dict[str, object]:
    """For each case: the timesteps, then per step the model output given and the sample that must follow."""
    cases = []
    for name, steps, changes in DDIM_CASES:
        settings = STOCK | changes
        scheduler = DDIMScheduler(**settings)
        scheduler.set_timesteps(steps)
        generator = torch.Generator().manual_seed(7)
        sample = torch.randn(1, 4, 2, 2, generator=generator)
        case = {"name": name, "steps": steps, "config": settings, "timesteps": scheduler.timesteps.tolist()}
        case["sample"] = floats(sample)
        case["trace"] = []
        for step in scheduler.timesteps:
            output = torch.randn(1, 4, 2, 2, generator=generator)
            sample = scheduler.step(output, step, sample).prev_sample
            case["trace"].append({"model_output": floats(output), "prev_sample": floats(sample)})
        cases.append(case)
    return {"source": "diffusers DDIMScheduler, eta 0", "shape": [1, 4, 2, 2], "cases": cases}


def tokenizer_vectors() -> dict[str, object]:
    """Padded ids of odd prompts; `fast_ids` too where transformers' fast tokenizer disagrees with the slow one."""
    models = {}
    for config in (ICONS, TINY):
        if not config.package_dir.exists():
            continue
        folder = config.package_dir / "tokenizer"
        slow, fast = CLIPTokenizer.from_pretrained(folder), CLIPTokenizerFast.from_pretrained(folder)
        entries = []
        for prompt in ODD_PROMPTS:
            ids = slow(prompt, padding="max_length", truncation=True)["input_ids"]
            fast_ids = fast(prompt, padding="max_length", truncation=True)["input_ids"]
            entries.append({"prompt": prompt, "ids": ids} | ({} if ids == fast_ids else {"fast_ids": fast_ids}))
        models[config.name] = entries
    return {"source": "transformers CLIPTokenizer (slow, without ftfy), padding to model_max_length", "models": models}


def pipeline_vectors(steps: int = 4, guidance: float = 5.0) -> dict[str, object]:
    """One tiny picture from given noise: latents after each step and the bytes of the picture."""
    pipeline = OnnxPipeline(TINY.package_dir, threads=1)
    prompt = "a red apple on a blue background"
    noise = pipeline.noise(1, seed=11)
    drawing = pipeline.draw([prompt], noise, steps, guidance)
    return {
        "source": "onnxruntime on the exported files, diffusers DDIMScheduler",
        "model": TINY.name,
        "prompt": prompt,
        "steps": steps,
        "guidance": guidance,
        "timesteps": pipeline.scheduler.timesteps.tolist(),
        "latents_shape": list(noise.shape),
        "initial_latents": floats(noise),
        "step_latents": [floats(latents) for latents in drawing.latents],
        "pixels_shape": list(drawing.pixels.shape[1:]),
        "pixels": drawing.pixels.ravel().tolist(),
    }


def write(name: str, content: dict[str, object], folder: Path) -> None:
    """One JSON file: a line per top-level entry, non-ASCII escaped so that any editor keeps it."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in content.items()]
    (folder / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=GOLDEN_DIR, help="folder to write to (default: %(default)s)")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    write("ddim.json", ddim_vectors(), folder)
    write("tokenizer.json", tokenizer_vectors(), folder)
    write("tiny-pipeline.json", pipeline_vectors(), folder)


if __name__ == "__main__":
    main()
