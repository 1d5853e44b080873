"""Exports small, randomly initialised models of the architectures of Stable Diffusion 1.5, SD-Turbo and SDXL with the
stock exporter (optimum), and records what diffusers' own PyTorch pipelines draw with them: the latents after every step,
and the picture.

    stock.py FOLDER            a folder a model, and golden.json: the fixtures of tests/stock.rs, small in every way
    stock.py --wide FOLDER     the same at the depth of the real models and a larger width, for `make parity`

Everything computes in fp32 on the CPU. The noise is not PyTorch's but what src/noise.rs describes. Nothing is
downloaded. Random weights draw nothing, but every input has to matter as in a trained model: a fixture in which one does
not is refused.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # the exporter otherwise asks a hub about a folder that is right here

import numpy as np
import onnx
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.schedulers import scheduling_euler_ancestral_discrete
from noise import normals
from optimum.exporters.onnx import main_export
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

VOCABULARY = Path(__file__).resolve().parents[3] / "models" / "cuckoo-tiny" / "tokenizer"
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}
SCHEDULERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-ancestral": EulerAncestralDiscreteScheduler,
    "dpmpp-2m": DPMSolverMultistepScheduler,
}
# Least change of the last latents, relative to their norm, that every input must make.
FELT = 1e-3


class Size:
    """How large the models are. Depth is that of the real models if `wide`; width is not."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.width = 32 if wide else 8  # channels of the outermost block; the real models have 320
        self.groups = 8 if wide else 4
        self.text = 64 if wide else 16  # numbers in a token's embedding; the real models have 768 to 1280
        self.sample = 16 if wide else 8  # latents on each side; the real models have 64 to 128

    def unet(self, deep: dict[str, object], shallow: dict[str, object]) -> dict[str, object]:
        common = {"sample_size": self.sample, "norm_num_groups": self.groups, "layers_per_block": 2 if self.wide else 1}
        return common | (deep if self.wide else shallow)


def tokenizer(pad: str) -> CLIPTokenizer:
    """CLIP's tokeniser in every respect but the size of its vocabulary."""
    files = str(VOCABULARY / "vocab.json"), str(VOCABULARY / "merges.txt")
    return CLIPTokenizer(*files, model_max_length=77, pad_token=pad)


def text_encoder(size: Size, kind: type, hidden: int, layers: int, activation: str) -> torch.nn.Module:
    config = CLIPTextConfig(
        vocab_size=1014,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers if size.wide else 2,
        num_attention_heads=hidden // 8,
        max_position_embeddings=77,
        hidden_act=activation,
        projection_dim=hidden,
        # As in the real files, though they are not the vocabulary's: pooling then takes the largest id.
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    model = kind(config).eval()
    with torch.no_grad():
        # Untrained embeddings are so small that the unet would hardly notice which they are.
        model.text_model.embeddings.token_embedding.weight.normal_(std=1.0)
        model.text_model.embeddings.position_embedding.weight.normal_(std=0.5)
    return model


def autoencoder(size: Size, factor: float) -> AutoencoderKL:
    blocks = 4  # so that a latent stands for 8 x 8 pixels, as in all three
    return AutoencoderKL(
        block_out_channels=(32, 64, 64, 64) if size.wide else (size.width,) * blocks,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=2 if size.wide else 1,
        latent_channels=4,
        norm_num_groups=size.groups,
        sample_size=8 * size.sample,
        scaling_factor=factor,
    ).eval()


def unet_1_or_2(size: Size, heads: tuple[int, ...] | int, few_heads: tuple[int, ...] | int) -> dict[str, object]:
    """The denoiser's shape in Stable Diffusion 1 and 2, which differ in their heads."""
    w = size.width
    return size.unet(
        {
            "block_out_channels": (w, 2 * w, 4 * w, 4 * w),
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            "attention_head_dim": heads,
        },
        {
            "block_out_channels": (w, 2 * w),
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "attention_head_dim": few_heads,
        },
    )


def sd15(size: Size) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=autoencoder(size, 0.18215),
        text_encoder=text_encoder(size, CLIPTextModel, size.text, 12, "quick_gelu"),
        tokenizer=tokenizer("<|endoftext|>"),
        unet=UNet2DConditionModel(cross_attention_dim=size.text, **unet_1_or_2(size, 8, 2)).eval(),
        scheduler=DDIMScheduler(**SCHEDULER, clip_sample=False, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sd_turbo(size: Size) -> StableDiffusionPipeline:
    unet = unet_1_or_2(size, (1, 2, 4, 4), (1, 2))
    return StableDiffusionPipeline(
        vae=autoencoder(size, 0.18215),
        text_encoder=text_encoder(size, CLIPTextModel, size.text, 23, "gelu"),
        tokenizer=tokenizer("!"),
        unet=UNet2DConditionModel(cross_attention_dim=size.text, use_linear_projection=True, **unet).eval(),
        scheduler=EulerDiscreteScheduler(**SCHEDULER, timestep_spacing="trailing"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl(size: Size) -> StableDiffusionXLPipeline:
    w, second, time = size.width, size.text + size.text // 2, 64 if size.wide else 8
    unet = size.unet(
        {
            "block_out_channels": (w, 2 * w, 4 * w),
            "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
            "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
            "attention_head_dim": (1, 2, 4),
            "transformer_layers_per_block": (1, 2, 10),
        },
        {
            "block_out_channels": (w, 2 * w),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": (1, 2),
            "transformer_layers_per_block": (1, 2),
        },
    )
    return StableDiffusionXLPipeline(
        vae=autoencoder(size, 0.13025),
        text_encoder=text_encoder(size, CLIPTextModel, size.text, 12, "quick_gelu"),
        text_encoder_2=text_encoder(size, CLIPTextModelWithProjection, second, 32, "gelu"),
        tokenizer=tokenizer("<|endoftext|>"),
        tokenizer_2=tokenizer("!"),
        unet=UNet2DConditionModel(
            cross_attention_dim=size.text + second,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=time,
            projection_class_embeddings_input_dim=6 * time + second,
            **unet,
        ).eval(),
        scheduler=EulerDiscreteScheduler(**SCHEDULER, timestep_spacing="leading"),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


MODELS = {"sd15": sd15, "sd-turbo": sd_turbo, "sdxl": sdxl}
PROMPT = "a red apple beside two green cats, in the style of nobody"
# What differs from the defaults in `main`. "half" asks for a picture twice as wide as it is high.
REQUESTS: dict[str, list[dict[str, object]]] = {
    "sd15": [
        {"scheduler": "ddim", "steps": 5, "guidance": 7.5, "negative_prompt": "blurry, two heads!"},
        {"scheduler": "euler", "steps": 4, "guidance": 7.5, "seed": 2},
        {"scheduler": "ddim", "steps": 3, "guidance": 1, "prompt": ""},
        {"scheduler": "dpmpp-2m", "steps": 4, "guidance": 7.5, "seed": 5},
    ],
    "sd-turbo": [
        {"scheduler": "euler", "steps": 1, "guidance": 0},
        {"scheduler": "euler", "steps": 4, "guidance": 0, "prompt": "wow! a cat!!", "seed": 3},
        {"scheduler": "euler", "steps": 2, "guidance": 2, "negative_prompt": "a dog!"},
        {"scheduler": "euler-ancestral", "steps": 3, "guidance": 0, "seed": 6},
    ],
    "sdxl": [
        {"scheduler": "euler", "steps": 4, "guidance": 5},
        {"scheduler": "euler", "steps": 3, "guidance": 5, "negative_prompt": "blurry!", "half": True},
        {"scheduler": "ddim", "steps": 3, "guidance": 0, "prompt": "wow! a cat!!", "seed": 4},
        {"scheduler": "euler-ancestral", "steps": 3, "guidance": 5, "seed": 7},
    ],
}


def floats(values: torch.Tensor) -> list[float]:
    """fp32 values as numbers that print short and read back exactly."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def draw(
    pipeline: DiffusionPipeline, folder: Path, request: dict[str, object], changes: dict[str, object] | None = None
) -> dict:
    """What the pipeline that went to `folder` draws: the latents before the first step and after each, and the picture."""
    shape = (1, 4, request["height"] // 8, request["width"] // 8)

    def noise_of(state: int) -> torch.Tensor:
        values = normals(request["seed"], state, 4 * shape[2] * shape[3])
        return torch.tensor([struct.unpack(">f", value)[0] for value in values]).reshape(shape)

    noise = noise_of(0)
    # By the file, as anybody who has the folder: a scheduler in memory also knows which settings it was not given.
    pipeline.scheduler = SCHEDULERS[request["scheduler"]].from_pretrained(folder / "scheduler")
    states: list[torch.Tensor] = []

    def keep(_pipeline: object, _step: int, _time: object, values: dict[str, torch.Tensor]) -> dict:
        states.append(values["latents"].clone())
        return {}

    # What a step adds is keyed by the state that it leads to.
    scheduling_euler_ancestral_discrete.randn_tensor = lambda *_, **__: noise_of(len(states) + 1)
    arguments = {
        "prompt": request["prompt"],
        # In a request, no negative prompt is an empty one.
        "negative_prompt": request["negative_prompt"] or None,
        "num_inference_steps": request["steps"],
        "guidance_scale": float(request["guidance"]),
        "height": request["height"],
        "width": request["width"],
        "latents": noise.clone(),
        "callback_on_step_end": keep,
    }
    with torch.no_grad():
        picture = pipeline(**(arguments | (changes or {}))).images[0]
    return {"states": [noise * pipeline.scheduler.init_noise_sigma, *states], "picture": picture}


def refuse_numb(
    pipeline: DiffusionPipeline, folder: Path, request: dict[str, object], states: list[torch.Tensor]
) -> None:
    """Fails unless every input changes what the pipeline draws."""
    name = folder.name
    height, width = request["height"], request["width"]
    changes: list[dict[str, object]] = [{"prompt": "a dog"}]
    if request["guidance"] > 1:
        changes += [{"negative_prompt": "a dark night"}, {"guidance_scale": 1.0}]
    if name == "sdxl":
        changes += [{"original_size": (2 * height, width)}, {"target_size": (height, 2 * width)}]
        if request["guidance"] > 1 and not request["negative_prompt"]:
            changes.append({"negative_prompt": ""})  # not the same as none
    for change in changes:
        found = draw(pipeline, folder, request, change)["states"][-1]
        felt = float((found - states[-1]).norm() / states[-1].norm())
        print(f"  {change} changes the latents by {felt:.2e}")
        if felt < FELT:
            raise ValueError(f"{name} hardly notices {change}: {felt:.1e}")


def halve(pipeline: DiffusionPipeline) -> None:
    """Takes the lower half off every weight, so that the files compress well; they stay fp32."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for weights in part.parameters():
                weights.data = weights.data.bfloat16().float()


def export(pipeline: DiffusionPipeline, folder: Path, work: Path) -> None:
    """The folder that the stock exporter writes for a saved pipeline, less paths of the machine that exports."""
    pipeline.save_pretrained(work)
    options = {"task": "text-to-image", "library_name": "diffusers", "device": "cpu", "do_validation": False}
    main_export(str(work), str(folder), **options)
    for path in [*folder.glob("*/config.json"), folder / "model_index.json"]:
        settings = json.loads(path.read_text())
        settings.pop("_name_or_path", None)
        path.write_text(json.dumps(settings, indent=2) + "\n")


def move_weights_out(network: Path) -> None:
    """Into a file of their own, as the exporter does for those of more than 2 GB."""
    location = network.name + "_data"
    options = {"save_as_external_data": True, "all_tensors_to_one_file": True, "size_threshold": 1024}
    onnx.save_model(onnx.load(network), network, location=location, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", action="store_true", help="at the depth of the real models, and wider")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    size = Size(args.wide)
    golden: list[str] = []
    for name, build in MODELS.items():
        print(f"{name}:")
        torch.manual_seed(sorted(MODELS).index(name))
        folder, work = args.folder / name, args.folder / f"{name}-pipeline"
        for old in (folder, work):
            shutil.rmtree(old, ignore_errors=True)
        pipeline = build(size)
        halve(pipeline)
        pipeline.set_progress_bar_config(disable=True)
        export(pipeline, folder, work)
        shutil.rmtree(work)
        if name == "sdxl":
            move_weights_out(folder / "unet" / "model.onnx")
        cases = []
        for number, differing in enumerate(REQUESTS[name]):
            side = 8 * size.sample
            request = {"prompt": PROMPT, "negative_prompt": "", "seed": 1, "width": side, "height": side} | differing
            if request.pop("half", False):
                request["height"] = side // 2
            drawn = draw(pipeline, folder, request)
            refuse_numb(pipeline, folder, request, drawn["states"])
            picture = f"{name}-{number}.png"
            drawn["picture"].save(args.folder / picture)
            case = request | {"states": [floats(state) for state in drawn["states"]], "picture": picture}
            cases.append(json.dumps(case, separators=(",", ":")))
        golden.append(f"{json.dumps(name)}: [\n" + ",\n".join(cases) + "\n]")
    (args.folder / "golden.json").write_text("{\n" + ",\n".join(golden) + "\n}\n")


if __name__ == "__main__":
    main()
