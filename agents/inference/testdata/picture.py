"""Writes picture.json: what Python's pipeline makes of an input picture, with each scheduler.

Needs diffusers 0.39, transformers 4.57, optimum-onnx 0.1 and torch. The model is stock/sd15, whose encoder gives means and
logarithms of variances, as the exporter writes it. The pipeline is optimum's own, told two things: to take the mean
where it would draw, and to add the noise of src/noise.rs. Its latents are kept: encoded and noised, then after each step.
"""

import json
from itertools import count
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
)
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img as img2img
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm
from noise import normals
from optimum.onnxruntime import ORTStableDiffusionImg2ImgPipeline
from PIL import Image

HERE = Path(__file__).parent
MODEL = HERE / "stock" / "sd15"
SIDE = 64
PROMPT = "a red apple on a blue background"
STEPS, GUIDANCE, SEED = 8, 3.0, 9
# Name of the scheduler, its class (none: the model's own), strength.
CASES = [
    ("ddim", None, "0.5"),
    ("euler", EulerDiscreteScheduler, "0.8"),
    ("euler-ancestral", EulerAncestralDiscreteScheduler, "0.6"),
    ("dpmpp-2m", DPMSolverMultistepScheduler, "0.7"),
    ("lcm", LCMScheduler, "1"),
]


def floats(values: torch.Tensor) -> list[float]:
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def mean(encoded: object, **_: object) -> torch.Tensor:
    return encoded.latent_dist.mode()


def main() -> None:
    places = np.arange(SIDE * SIDE * 3)
    rgb = (places * 37 + (places // 97) ** 2).astype(np.uint8).reshape(SIDE, SIDE, 3)
    cases = []
    pipeline = ORTStableDiffusionImg2ImgPipeline.from_pretrained(MODEL, provider="CPUExecutionProvider")
    own = pipeline.scheduler
    for name, kind, strength in CASES:
        pipeline.scheduler = kind.from_config(own.config) if kind else own
        streams = count(1)
        latents: list[torch.Tensor] = []

        def draw(shape: torch.Size, **_: object) -> torch.Tensor:
            bits = b"".join(normals(SEED, next(streams), shape.numel()))
            return torch.from_numpy(np.frombuffer(bits, ">f4").astype(np.float32)).reshape(shape)

        def keep(_: object, __: int, ___: object, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            latents.append(values["latents"].clone())
            return values

        img2img.retrieve_latents = mean
        for module in (img2img, scheduling_euler_ancestral_discrete, scheduling_lcm):
            module.randn_tensor = draw
        add_noise = pipeline.scheduler.add_noise
        pipeline.scheduler.add_noise = lambda *given: latents.append(add_noise(*given)) or latents[-1]
        pipeline(
            PROMPT,
            image=Image.fromarray(rgb),
            strength=float(strength),
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            callback_on_step_end=keep,
            output_type="latent",
        )
        cases.append({"scheduler": name, "strength": strength, "latents": [floats(values) for values in latents]})
    head = {
        "source": "optimum-onnx ORTStableDiffusionImg2ImgPipeline, the encoder's mean",
        "prompt": PROMPT,
        "steps": STEPS,
        "guidance": str(GUIDANCE).removesuffix(".0"),
        "seed": SEED,
        "side": SIDE,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "picture.json").write_text("{\n" + ",\n".join(lines) + f',\n"cases": [\n{rows}\n]\n}}\n')


if __name__ == "__main__":
    main()
