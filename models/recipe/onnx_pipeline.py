"""Runs an exported package with ONNX Runtime and the diffusers scheduler: the reference that other clients must match.

Every number here is fp32, guidance included, in the order a Stable Diffusion pipeline computes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from diffusers import DDIMScheduler
from transformers import CLIPTokenizer

INT_TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}


@dataclass
class Drawing:
    """One drawn batch: the latents after each step, and the pictures as bytes [batch, height, width, 3]."""

    pixels: np.ndarray
    latents: list[np.ndarray] = field(default_factory=list)


class OnnxPipeline:
    """A text-to-image package, loaded on `threads` CPU threads."""

    def __init__(self, package: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.text, self.unet, self.vae = (
            onnxruntime.InferenceSession(package / part / "model.onnx", options, providers=["CPUExecutionProvider"])
            for part in ("text_encoder", "unet", "vae_decoder")
        )
        self.tokenizer = CLIPTokenizer.from_pretrained(package / "tokenizer")
        self.scheduler = DDIMScheduler.from_pretrained(package / "scheduler")
        self.scaling = np.float32(json.loads((package / "vae_decoder" / "config.json").read_text())["scaling_factor"])
        size = json.loads((package / "unet" / "config.json").read_text())
        self.latent_shape = (size["in_channels"], size["sample_size"], size["sample_size"])

    def encode(self, prompts: list[str]) -> np.ndarray:
        """Prompts to text states [batch, tokens, width]."""
        ids = self.tokenizer(prompts, padding="max_length", truncation=True)["input_ids"]
        kind = INT_TYPES[self.text.get_inputs()[0].type]
        return self.text.run(["last_hidden_state"], {"input_ids": np.array(ids, kind)})[0]

    def noise(self, batch: int, seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        return generator.standard_normal((batch, *self.latent_shape), dtype=np.float32)

    def draw(self, prompts: list[str], latents: np.ndarray, steps: int, guidance: float) -> Drawing:
        """DDIM (eta 0) with classifier-free guidance against the empty prompt."""
        states = self.encode([""] * len(prompts) + prompts)
        self.scheduler.set_timesteps(steps)
        time = self.unet.get_inputs()[1]
        drawing = Drawing(np.empty(0))
        for step in self.scheduler.timesteps:
            timestep = np.array(step.item(), INT_TYPES.get(time.type, np.float32)).reshape((1,) * len(time.shape))
            inputs = {
                "sample": np.concatenate([latents, latents]),
                "timestep": np.broadcast_to(timestep, [2 * len(prompts)]) if len(time.shape) else timestep,
                "encoder_hidden_states": states,
            }
            free, guided = np.split(self.unet.run(None, inputs)[0], 2)
            predicted = free + np.float32(guidance) * (guided - free)
            stepped = self.scheduler.step(torch.from_numpy(predicted), step, torch.from_numpy(latents))
            latents = stepped.prev_sample.numpy()
            drawing.latents.append(latents)
        image = self.vae.run(None, {"latent_sample": latents / self.scaling})[0]
        unit = np.clip(image / np.float32(2) + np.float32(0.5), 0, 1)
        drawing.pixels = np.round(unit * np.float32(255)).astype(np.uint8).transpose(0, 2, 3, 1)
        return drawing
