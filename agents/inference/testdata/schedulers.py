"""Writes a file of vectors for each scheduler: what diffusers does with the settings of stock models and with rarer ones.

Needs diffusers 0.39 and torch. A case holds the settings, the timesteps and, for each step, the model's output that was
made up, the noise that was added, and the sample that followed. A case with `skip` starts that many steps late, from the
sample `clean` and the noise `start_noise`, as an input picture does. Values are fp32 in the shortest digits that read
back as the same.
"""

import json
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm

Settings = dict[str, object]
Case = tuple[str, int, Settings] | tuple[str, int, Settings, int]

# scheduler_config.json as these models are published with it, but for the names of class and version.
SD15: Settings = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
SD21: Settings = SD15 | {"prediction_type": "v_prediction"}
SDXL: Settings = SD15 | {
    "interpolation_type": "linear",
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "timestep_spacing": "leading",
    "use_karras_sigmas": False,
}
SD_TURBO: Settings = SDXL | {"timestep_spacing": "trailing", "timestep_type": "discrete"}
LCM_DREAMSHAPER: Settings = SDXL | {
    "clip_sample_range": 1.0,
    "dynamic_thresholding_ratio": 0.995,
    "original_inference_steps": 50,
    "rescale_betas_zero_snr": False,
    "set_alpha_to_one": True,
    "steps_offset": 0,
    "thresholding": False,
    "timestep_scaling": 10.0,
}

PLAIN: Settings = {"clip_sample": False}
STOCK: Settings = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
LEADING, LINSPACE, TRAILING = ({"timestep_spacing": name} for name in ("leading", "linspace", "trailing"))
VELOCITY: Settings = {"prediction_type": "v_prediction"}
KARRAS: Settings = {"use_karras_sigmas": True}
ZERO_SNR: Settings = {"rescale_betas_zero_snr": True} | VELOCITY | TRAILING

# Each scheduler with each model's settings, and a picture to start from: strength 0.5 of 8 steps, and all of 2.
MODELS: list[Case] = [
    ("sd15-1", 1, SD15),
    ("sd15-2", 2, SD15),
    ("sd15-20", 20, SD15),
    ("sd15-50", 50, SD15),
    ("sd21-4", 4, SD21),
    ("sdxl-4", 4, SDXL),
    ("sdxl-20", 20, SDXL),
    ("turbo-1", 1, SD_TURBO),
    ("turbo-2", 2, SD_TURBO),
    ("turbo-4", 4, SD_TURBO),
    ("sd15-picture", 8, SD15, 4),
    ("sdxl-picture-whole", 2, SDXL, 0),
]
DDIM: list[Case] = [
    ("all-defaults", 6, {}),
    ("clip", 5, {"clip_sample": True, "clip_sample_range": 0.5}),
    ("cosine", 8, PLAIN | {"beta_schedule": "squaredcos_cap_v2"}),
    ("zero-snr", 5, PLAIN | ZERO_SNR),
    ("trailing-uneven", 30, PLAIN | TRAILING),
    ("linspace-odd", 4, PLAIN | LINSPACE | {"num_train_timesteps": 999}),
    ("linspace-one", 1, PLAIN | LINSPACE),
    ("every-step", 100, PLAIN | {"num_train_timesteps": 100}),
]
# The same three spacings and both predictions for those that reckon in sigmas.
SIGMAS: list[Case] = [
    ("all-defaults", 6, {}),
    ("leading", 5, STOCK | LEADING),
    ("leading-20", 20, STOCK | LEADING),
    ("trailing", 7, STOCK | TRAILING),
    ("linspace", 6, STOCK | LINSPACE),
    ("linspace-one", 1, STOCK | LINSPACE),
    ("v-leading", 5, STOCK | LEADING | VELOCITY),
    ("v-trailing", 5, STOCK | TRAILING | VELOCITY),
    ("v-linspace", 4, STOCK | LINSPACE | VELOCITY),
    ("linear-betas", 5, LEADING),
    ("cosine", 8, {"beta_schedule": "squaredcos_cap_v2"}),
    ("zero-snr", 5, STOCK | ZERO_SNR),
    ("picture-late", 20, STOCK | TRAILING, 17),
]
EULER: list[Case] = SIGMAS + [
    ("karras", 8, STOCK | LEADING | KARRAS),
    ("karras-v", 5, STOCK | LINSPACE | KARRAS | VELOCITY),
    ("ends-above-zero", 4, STOCK | LEADING | {"final_sigmas_type": "sigma_min"}),
]
# Not even asked for does the ancestral scheduler take Karras' sigmas or another end.
ANCESTRAL: list[Case] = SIGMAS + [("no-karras", 4, STOCK | KARRAS | {"final_sigmas_type": "sigma_min"})]
DPM: list[Case] = SIGMAS + [
    ("sample", 5, STOCK | {"prediction_type": "sample"}),
    ("ends-above-zero-fourteen", 14, STOCK | {"final_sigmas_type": "sigma_min"}),
    ("ends-above-zero-fifteen", 15, STOCK | {"final_sigmas_type": "sigma_min"}),
    ("ends-above-zero-euler", 16, STOCK | {"final_sigmas_type": "sigma_min", "euler_at_final": True}),
    ("no-lower-order", 5, STOCK | {"final_sigmas_type": "sigma_min", "lower_order_final": False}),
    ("karras", 8, STOCK | KARRAS),
    ("karras-one", 1, STOCK | KARRAS),
    ("karras-20", 20, SDXL | KARRAS),
    ("unipc-settings", 5, STOCK | {"solver_type": "bh2"}),
]
LCM: list[Case] = [
    ("all-defaults", 4, {}),
    ("dreamshaper-1", 1, LCM_DREAMSHAPER),
    ("dreamshaper-4", 4, LCM_DREAMSHAPER),
    ("dreamshaper-8", 8, LCM_DREAMSHAPER),
    ("v", 4, VELOCITY),
    ("sample", 3, {"prediction_type": "sample"}),
    ("clip", 3, {"clip_sample": True, "clip_sample_range": 0.5}),
    ("uneven", 7, {"original_inference_steps": 30, "timestep_scaling": 3.0}),
    ("picture-late", 10, LCM_DREAMSHAPER, 7),
]
FILES: list[tuple[str, str, list[Case]]] = [
    ("ddim", "DDIMScheduler", DDIM + MODELS),
    ("euler", "EulerDiscreteScheduler", EULER + MODELS),
    ("euler-ancestral", "EulerAncestralDiscreteScheduler", ANCESTRAL + MODELS),
    ("dpmpp-2m", "DPMSolverMultistepScheduler", DPM + MODELS),
    ("lcm", "LCMScheduler", LCM + MODELS),
]


def floats(values: torch.Tensor) -> list[float]:
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def vectors(kind: type, name: str, steps: int, settings: Settings, skip: int | None = None) -> dict[str, object]:
    known = {key: value for key, value in settings.items() if key in kind().config}
    scheduler = kind(**known)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(3)
    noise = torch.Generator().manual_seed(4)
    added: list[torch.Tensor] = []

    def draw(shape: torch.Size, **_: object) -> torch.Tensor:
        added.append(torch.randn(shape, generator=noise))
        return added[-1]

    for module in (scheduling_euler_ancestral_discrete, scheduling_lcm):
        module.randn_tensor = draw
    case: dict[str, object] = {"name": name, "steps": steps, "config": settings}
    timesteps = scheduler.timesteps[skip or 0 :]
    case |= {"timesteps": floats(timesteps), "init_scale": float(scheduler.init_noise_sigma)}
    if skip is None:
        sample = torch.randn(1, 4, generator=generator) * scheduler.init_noise_sigma
    else:
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skip)
        clean, start = torch.randn(1, 4, generator=generator), torch.randn(1, 4, generator=generator)
        sample = scheduler.add_noise(clean, start, timesteps[:1])
        case |= {"skip": skip, "clean": floats(clean), "start_noise": floats(start)}
    case |= {"sample": floats(sample), "trace": []}
    for step in timesteps:
        shown = scheduler.scale_model_input(sample, step)
        output = torch.randn(1, 4, generator=generator)
        added.clear()
        sample = scheduler.step(output, step, sample).prev_sample
        entry = {"model_output": floats(output), "prev_sample": floats(sample)}
        if hasattr(scheduler, "is_scale_input_called"):
            entry["input"] = floats(shown)
        if added:
            entry["noise"] = floats(added[0])
        case["trace"].append(entry)
    return case


if __name__ == "__main__":
    for name, kind, cases in FILES:
        lines = ",\n".join(json.dumps(vectors(getattr(diffusers, kind), *case), separators=(",", ":")) for case in cases)
        text = f'{{"source": "diffusers {diffusers.__version__} {kind}", "cases": [\n{lines}\n]}}\n'
        Path(__file__).with_name(f"{name}.json").write_text(text)
