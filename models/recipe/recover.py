"""Makes a committed package trainable again: its networks as checkpoints, and an encoder that fits its decoder.

A package holds everything but the autoencoder's encoder, which drawing from a prompt does without. It is trained here,
against the decoder as it is, so that its latents are those that the denoiser knows. `train_diffusion.py --start` goes
on from there: a training can be continued by anyone who has the repository, for as long as it pays.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Container
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTokenizer

import data
from checkpoint import chosen_device, save
from config import MODELS, ModelConfig, training_parser
from networks import build_text_encoder, build_unet, build_vae
from train_vae import CROP, Plan, crops, error, fit, pass_means_on

STEPS = 3000
# A package does not tell how many batches its denoiser has seen: for each round that it has had more than any draws, so
# that none is drawn twice with the same noise.
ROUND_STEPS = 1_000_000
HALVED = "_fp16"  # export.py's mark of what it stored as halves
# What an unnamed tensor may be called in the module whose node reads it.
KINDS = {"Mul": ("weight",), "Add": ("bias", "positional_embedding"), "MatMul": ("weight",)}


def tensors(graph: onnx.GraphProto, names: Container[str]) -> dict[str, np.ndarray]:
    """A graph's weights under the names that a network has for them; ValueError for one that it has not.

    The exporter keeps most names. Products' weights, which it turns, and norms' it numbers; the node that reads one
    says whose it is in the name of its output: `/a.0/b/MatMul_output_0` is of the module `a.0.b`.
    """
    readers = {name: node for node in graph.node for name in node.input}
    found = {}
    for tensor in graph.initializer:
        name, value = tensor.name.removesuffix(HALVED), numpy_helper.to_array(tensor).astype(np.float32)
        if name.startswith("onnx::"):
            node = readers[name]
            *modules, _ = node.output[0].strip("/").split("/")
            value = value.T if node.op_type == "MatMul" else value
            candidates = [".".join([*modules, kind]) for kind in KINDS[node.op_type]]
            name = next((candidate for candidate in candidates if candidate in names), candidates[0])
        if name not in names:
            raise ValueError(f"the network has no {name}")
        found[name] = value
    return found


def read(network: nn.Module, file: Path) -> None:
    """Fills a network from a package's graph; what the package is older than stays as it was built."""
    state = network.state_dict()
    found = tensors(onnx.load(file).graph, state)
    known = {name: torch.from_numpy(value.copy()).reshape(state[name].shape) for name, value in found.items()}
    missing, _ = network.load_state_dict(known, strict=False)
    parts = sorted({name.split(".")[0] for name in missing})
    print(f"{file}: {len(known)} tensors" + (f", none of {', '.join(parts)}" if parts else ""), file=sys.stderr)


def networks(config: ModelConfig, package: Path, folder: Path, rounds: int) -> None:
    """Writes the package's tokenizer, text encoder and denoiser to the work folder, to start a round after `rounds`."""
    shutil.copytree(package / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    unet, text = build_unet(config), build_text_encoder(config, CLIPTokenizer.from_pretrained(folder / "tokenizer"))
    read(unet, package / "unet" / "model.onnx")
    read(text, package / "text_encoder" / "model.onnx")
    ema = {"unet": unet.state_dict(), "text": text.state_dict()}
    save(folder / "first.pt", {"ema": ema, "drawn": 0, "step": rounds * ROUND_STEPS})


def encoder(config: ModelConfig, package: Path, work: Path, minutes: float, device: str) -> None:
    """Trains an encoder for the package's decoder, which stays as it is."""
    folder, (pictures, _) = work / config.name, data.load(config, work)
    torch.manual_seed(config.seed)
    vae = build_vae(config)
    read(vae, package / "vae_decoder" / "model.onnx")
    vae = vae.to(device, memory_format=torch.channels_last)
    pass_means_on(vae)  # as train_vae.py leaves it
    vae.requires_grad_(False)
    vae.encoder.requires_grad_(True)

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((config.seed, 3, step))
        wanted = crops(pictures, config.vae_batch, CROP * config.scale, rng).to(device)
        return F.l1_loss(vae.decode(vae.encode(wanted).latent_dist.mean).sample, wanted)

    plan = Plan("encoder", folder / "recover-training.pt", STEPS, config.vae_lr, minutes)
    fit(vae, list(vae.encoder.parameters()), loss_at, plan)
    vae.cpu().eval()
    print(f"error a pixel: {error(vae, pictures):.4f}", file=sys.stderr)
    save(folder / "vae.pt", vae.state_dict())


def main() -> None:
    parser = training_parser(__doc__)
    parser.add_argument("--package", type=Path, help="the package's folder (default: the committed one)")
    parser.add_argument(
        "--rounds", type=int, required=True, help="that the package has had; the committed cuckoo-icons: 3"
    )
    args: argparse.Namespace = parser.parse_args()
    config = MODELS[args.model]
    package = args.package or config.package_dir
    if (args.work / config.name / "vae.pt").exists():
        raise SystemExit(
            f"{args.work / config.name} holds another training, whose latents do not fit the encoder that comes now: "
            "move its .pt files, latents.npy and redrawn.npy away, or name another folder with --work"
        )
    data.load(config, args.work)
    networks(config, package, args.work / config.name, args.rounds)
    encoder(config, package, args.work, args.minutes, chosen_device(args.device))


if __name__ == "__main__":
    main()
