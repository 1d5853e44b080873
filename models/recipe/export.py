"""Exports the trained networks as a stock diffusers ONNX folder with fp16 weights, writes cuckoo.json, and checks both.

The graph computes in fp32: each large fp32 initialiser is stored as fp16 followed by a Cast to float, which ONNX
Runtime folds when it loads the model. So the files are half as large and every client runs the same fp32 numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

os.environ["HF_HUB_OFFLINE"] = "1"  # the exporter otherwise asks a hub about a folder that is right here

from diffusers import StableDiffusionPipeline
from optimum.exporters.onnx import main_export
from transformers import CLIPTokenizer

from config import MODELS, ModelConfig, base_parser
from networks import build_scheduler, build_vae, load_denoiser

PARTS = ("text_encoder", "unet", "vae_decoder")
SMALLEST_HALVED = 64  # elements; below this a Cast node costs more than it saves
MAX_STEPS = 50


def load_pipeline(config: ModelConfig, work: Path) -> StableDiffusionPipeline:
    """The trained networks from the checkpoints under `work`, averaged weights where there are any."""
    tokenizer, text, unet = load_denoiser(config, work)
    vae = build_vae(config)
    sharp = work / "vae-sharp.pt"  # what sharpen.py makes of vae.pt
    vae.load_state_dict(torch.load(sharp if sharp.exists() else work / "vae.pt", weights_only=True))
    return StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def shrink(model: onnx.ModelProto) -> None:
    """Stores large fp32 initialisers as fp16, each with a Cast back to float; drops node names."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALLEST_HALVED:
            continue
        half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"{tensor.name} does not fit in fp16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + "_fp16"))
        casts.append(helper.make_node("Cast", [name + "_fp16"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    for node in nodes:
        node.name = ""  # only profilers read them, and they are a good part of a small graph
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def write_package(exported: Path, package: Path) -> None:
    """Copies the parts of a text-to-image package out of the exporter's folder, with halved weights."""
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    index = json.loads((exported / "model_index.json").read_text())
    index = {key: value for key, value in index.items() if key not in ("vae_encoder", "_name_or_path")}
    (package / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for part in PARTS:
        model = onnx.load(exported / part / "model.onnx")
        shrink(model)
        onnx.checker.check_model(model)
        (package / part).mkdir()
        onnx.save(model, package / part / "model.onnx")
        settings = json.loads((exported / part / "config.json").read_text())
        settings.pop("_name_or_path", None)  # a path on the machine that exported
        (package / part / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    shutil.copytree(exported / "tokenizer", package / "tokenizer")
    shutil.copytree(exported / "scheduler", package / "scheduler")


def manifest(config: ModelConfig, package: Path) -> dict[str, object]:
    """The protocol's description of a package. Its hash is the modelId, so: no floats, every file named."""
    files = {}
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.name != "cuckoo.json":
            data = path.read_bytes()
            key = path.relative_to(package).as_posix()
            files[key] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    size, latent = config.image_size, config.latent_size
    return {
        "format": 1,
        "name": config.name,
        "description": config.description,
        "licence": "MIT",
        "program": "diffusion/text-to-image",
        "precision": "fp32-strict",
        "files": files,
        "defaults": {
            "width": size,
            "height": size,
            "steps": config.steps,
            "guidance": config.guidance,
            "scheduler": "ddim",
        },
        "limits": {
            "min_steps": 1,
            "max_steps": MAX_STEPS,
            "sizes": [[size, size]],
            "schedulers": ["ddim"],
            "max_prompt_bytes": 2000,
            "max_guidance": "20",
        },
        "state": [{"name": "latents", "shape": [config.latent_channels, latent, latent]}],
        # A guess until `miner-agent model calibrate --write` has measured these weights (docs/calibration.md).
        "tolerance": {"step": "0.0002", "floor": "0.02", "pixel": 2},
        "pricing": "megapixel-steps",
    }


def validate(config: ModelConfig, package: Path) -> None:
    """Fails unless the manifest is plain ASCII without floats and the graphs have the stock inputs and outputs."""
    text = (package / "cuckoo.json").read_text()
    if not text.isascii():
        raise ValueError("cuckoo.json is not ASCII")

    def refuse(number: str) -> None:
        raise ValueError(f"cuckoo.json holds the float {number}")

    json.loads(text, parse_float=refuse)
    stock = {
        "text_encoder": (["input_ids"], ["last_hidden_state", "pooler_output"]),
        "unet": (["sample", "timestep", "encoder_hidden_states"], ["out_sample"]),
        "vae_decoder": (["latent_sample"], ["sample"]),
    }
    for part, (inputs, outputs) in stock.items():
        session = onnxruntime.InferenceSession(package / part / "model.onnx", providers=["CPUExecutionProvider"])
        found = [i.name for i in session.get_inputs()], [o.name for o in session.get_outputs()]
        if found != (inputs, outputs):
            raise ValueError(f"{part} has inputs and outputs {found}")
        for value in session.get_inputs():
            if value.name != "timestep" and not isinstance(value.shape[0], str):
                raise ValueError(f"{part}: {value.name} has a fixed batch")
    tokenizer = CLIPTokenizer.from_pretrained(package / "tokenizer")
    if tokenizer.model_max_length != config.max_tokens or tokenizer.pad_token_id != tokenizer.eos_token_id:
        raise ValueError("the tokenizer lost its settings")


def main() -> None:
    args = base_parser(__doc__).parse_args()
    config = MODELS[args.model]
    work = args.work / config.name
    saved, exported, package = work / "pipeline", work / "onnx", work / "package"
    for folder in (saved, exported):
        shutil.rmtree(folder, ignore_errors=True)
    load_pipeline(config, work).save_pretrained(saved)
    main_export(str(saved), str(exported), task="text-to-image", library_name="diffusers", device="cpu")
    write_package(exported, package)
    (package / "cuckoo.json").write_text(json.dumps(manifest(config, package), indent=1) + "\n")
    validate(config, package)
    shutil.rmtree(config.package_dir, ignore_errors=True)  # only now: a failed export leaves the last good package
    shutil.copytree(package, config.package_dir)
    total = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    print(f"{config.name}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
