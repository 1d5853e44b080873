"""Tests that a committed package's networks come back as they are; they need PyTorch and ONNX Runtime, but no icons."""

from __future__ import annotations

import contextlib
import io
import unittest

import numpy as np

from config import MODELS, TINY, ModelConfig

try:
    import onnxruntime
    import torch
    from transformers import CLIPTokenizer

    from networks import build_text_encoder, build_unet, build_vae
    from recover import read
except ImportError as missing:
    raise unittest.SkipTest(f"without {missing.name}") from missing


class Read(unittest.TestCase):
    def setUp(self) -> None:
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        torch.manual_seed(1)

    def compare(self, config: ModelConfig, part: str, network: torch.nn.Module, inputs: list[torch.Tensor]) -> None:
        """What a package's part computes, and what PyTorch does with the weights that were read from it."""
        file = config.package_dir / part / "model.onnx"
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        wanted = session.run(None, {n: value.numpy() for n, value in zip(names, inputs, strict=True)})[0]
        read(network, file)
        function = network.eval().decode if part == "vae_decoder" else network.eval()
        with torch.no_grad():
            found = function(*inputs)[0].numpy()
        self.assertGreater(np.abs(wanted).mean(), 0.01)
        self.assertLess(np.abs(found - wanted).max(), 1e-4, f"{config.name} {part}")

    def test_every_network_computes_what_its_package_does(self) -> None:
        for config in MODELS.values():
            tokenizer = CLIPTokenizer.from_pretrained(config.package_dir / "tokenizer")
            latents = torch.randn(2, config.latent_channels, config.latent_size, config.latent_size)
            ids = torch.randint(len(tokenizer), (2, config.max_tokens))
            states = torch.randn(2, config.max_tokens, config.text_width)
            self.compare(config, "text_encoder", build_text_encoder(config, tokenizer), [ids])
            self.compare(config, "unet", build_unet(config), [latents, torch.tensor(501.0), states])
            self.compare(config, "vae_decoder", build_vae(config), [latents])

    def test_a_network_of_another_shape_is_refused(self) -> None:
        with self.assertRaises(RuntimeError):
            read(build_vae(TINY, 5), TINY.package_dir / "vae_decoder" / "model.onnx")


if __name__ == "__main__":
    unittest.main()
