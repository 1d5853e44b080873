"""Writes picture.json and the pictures in picture/: what Python's pipelines make of an input picture, with each scheduler, and with each architecture.

Needs diffusers 0.39, transformers 4.57, optimum-onnx 0.1 and torch. The models are those in stock/, whose encoders give means and
logarithms of variances, as the exporter writes them. The pipelines are optimum's own, told two things: to take the mean
where they would draw, and to add the noise of src/noise.rs. Their latents are kept: encoded and noised, then after each step; and what
they draw.
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
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_img2img
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm
from noise import normals
from optimum.onnxruntime import ORTStableDiffusionImg2ImgPipeline, ORTStableDiffusionXLImg2ImgPipeline
from PIL import Image

HERE = Path(__file__).parent
SIDE = 64
PROMPT = "a red apple on a blue background"
SEED = 9
PIPELINES = {
    "sd15": ORTStableDiffusionImg2ImgPipeline,
    "sd-turbo": ORTStableDiffusionImg2ImgPipeline,
    "sdxl": ORTStableDiffusionXLImg2ImgPipeline,
}
# Model, name of the scheduler, its class (none: the model's own), steps, guidance, strength.
CASES = [
    ("sd15", "ddim", None, 8, "3", "0.5"),
    ("sd15", "euler", EulerDiscreteScheduler, 8, "3", "0.8"),
    ("sd15", "euler-ancestral", EulerAncestralDiscreteScheduler, 8, "3", "0.6"),
    ("sd15", "dpmpp-2m", DPMSolverMultistepScheduler, 8, "3", "0.7"),
    ("sd15", "lcm", LCMScheduler, 8, "3", "1"),
    ("sd-turbo", "euler", None, 4, "0", "0.5"),
    ("sdxl", "euler", None, 6, "5", "0.6"),
]


def floats(values: torch.Tensor) -> list[float]:
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def mean(encoded: object, **_: object) -> torch.Tensor:
    return encoded.latent_dist.mode()


def main() -> None:
    places = np.arange(SIDE * SIDE * 3)
    rgb = (places * 37 + (places // 97) ** 2).astype(np.uint8).reshape(SIDE, SIDE, 3)
    (HERE / "picture").mkdir(exist_ok=True)
    cases = []
    for model, name, kind, steps, guidance, strength in CASES:
        pipeline = PIPELINES[model].from_pretrained(HERE / "stock" / model, provider="CPUExecutionProvider")
        if kind:
            pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
        streams = count(1)
        latents: list[torch.Tensor] = []

        def draw(shape: torch.Size, **_: object) -> torch.Tensor:
            bits = b"".join(normals(SEED, next(streams), shape.numel()))
            return torch.from_numpy(np.frombuffer(bits, ">f4").astype(np.float32)).reshape(shape)

        def keep(_: object, __: int, ___: object, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            latents.append(values["latents"].clone())
            return values

        for module in (pipeline_stable_diffusion_img2img, pipeline_stable_diffusion_xl_img2img):
            module.retrieve_latents = mean
            module.randn_tensor = draw
        for module in (scheduling_euler_ancestral_discrete, scheduling_lcm):
            module.randn_tensor = draw
        add_noise = pipeline.scheduler.add_noise
        pipeline.scheduler.add_noise = lambda *given: latents.append(add_noise(*given)) or latents[-1]
        drawn = pipeline(
            PROMPT,
            image=Image.fromarray(rgb),
            strength=float(strength),
            num_inference_steps=steps,
            guidance_scale=float(guidance),
            callback_on_step_end=keep,
        ).images[0]
        picture = f"picture/{model}-{name}.png"
        drawn.save(HERE / picture)
        asked = {"model": model, "scheduler": name, "steps": steps, "guidance": guidance, "strength": strength}
        cases.append(asked | {"picture": picture, "latents": [floats(values) for values in latents]})
    head = {
        "source": "optimum-onnx's img2img pipelines, the encoder's mean",
        "prompt": PROMPT,
        "seed": SEED,
        "side": SIDE,
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "picture.json").write_text("{\n" + ",\n".join(lines) + f',\n"cases": [\n{rows}\n]\n}}\n')


if __name__ == "__main__":
    main()
