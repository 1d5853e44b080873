"""Writes ddim.json and euler.json: what diffusers' schedulers do with settings that models/golden does not cover.

Needs diffusers 0.39 and torch. The layout is that of models/golden/ddim.json; `init_scale` and `inputs` are there for Euler.
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

Case = tuple[str, int, dict[str, object]]
PLAIN = {"clip_sample": False}
STOCK = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
ZERO_SNR = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
DDIM_CASES: list[Case] = [
    ("all-defaults", 6, {}),
    ("clip", 5, {"clip_sample": True, "clip_sample_range": 0.5}),
    ("cosine", 8, PLAIN | {"beta_schedule": "squaredcos_cap_v2"}),
    ("zero-snr", 5, PLAIN | ZERO_SNR),
    ("trailing-uneven", 30, PLAIN | {"timestep_spacing": "trailing"}),
    ("linspace-odd", 4, PLAIN | {"timestep_spacing": "linspace", "num_train_timesteps": 999}),
    ("linspace-one", 1, PLAIN | {"timestep_spacing": "linspace"}),
    ("every-step", 100, PLAIN | {"num_train_timesteps": 100}),
]
# diffusers' Euler has another default spacing than DDIM, so each case names its own.
EULER_CASES: list[Case] = [
    ("leading", 5, STOCK | {"timestep_spacing": "leading"}),
    ("leading-20", 20, STOCK | {"timestep_spacing": "leading"}),
    ("trailing", 7, STOCK | {"timestep_spacing": "trailing"}),
    ("linspace", 6, STOCK | {"timestep_spacing": "linspace"}),
    ("linspace-one", 1, STOCK | {"timestep_spacing": "linspace"}),
    ("v-trailing", 5, STOCK | {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}),
    ("v-linspace", 4, STOCK | {"timestep_spacing": "linspace", "prediction_type": "v_prediction"}),
    ("linear-betas", 5, {"timestep_spacing": "leading"}),
]


def floats(values: torch.Tensor) -> list[float]:
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def vectors(kind: type, name: str, steps: int, settings: dict[str, object]) -> dict[str, object]:
    scheduler = kind(**settings)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(3)
    scale = scheduler.init_noise_sigma
    sample = torch.randn(1, 4, generator=generator) * scale
    case = {"name": name, "steps": steps, "config": settings, "timesteps": floats(scheduler.timesteps)}
    case |= {"init_scale": float(scale), "sample": floats(sample), "trace": []}
    for step in scheduler.timesteps:
        shown = scheduler.scale_model_input(sample, step)
        output = torch.randn(1, 4, generator=generator)
        sample = scheduler.step(output, step, sample).prev_sample
        case["trace"].append({"input": floats(shown), "model_output": floats(output), "prev_sample": floats(sample)})
    return case


def write(name: str, kind: type, cases: list[Case]) -> None:
    lines = ",\n".join(json.dumps(vectors(kind, *case), separators=(",", ":")) for case in cases)
    text = f'{{"source": "diffusers {kind.__name__}", "cases": [\n{lines}\n]}}\n'
    Path(__file__).with_name(name).write_text(text)


if __name__ == "__main__":
    write("ddim.json", DDIMScheduler, DDIM_CASES)
    write("euler.json", EulerDiscreteScheduler, EULER_CASES)
