"""The two packages this recipe makes, as plain data.

Everything that differs between `cuckoo-icons` and `cuckoo-tiny` is here, so that the other files have no special cases.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

MODELS_DIR = Path(__file__).resolve().parent.parent
GOLDEN_DIR = MODELS_DIR / "golden"

# Stable Diffusion 1.x's factor. The VAE's own scale is folded into its 1x1 convolutions to match it (see train_vae.py),
# so that a client which forgot to read the factor from the config would draw nonsense here as it would there.
SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class ModelConfig:
    """Sizes, training lengths and defaults of one package."""

    name: str
    description: str
    image_size: int
    seed: int
    # tokenizer
    merges: int
    max_tokens: int
    # text encoder
    text_width: int
    text_layers: int
    text_heads: int
    # autoencoder: each level but the first halves the picture. It trains with more latent channels than it keeps: the
    # principal ones, since several of those that are trained come out alike
    trained_channels: int
    latent_channels: int
    vae_channels: tuple[int, ...]
    vae_steps: int
    vae_batch: int
    vae_lr: float
    # denoiser
    unet_channels: tuple[int, ...]
    unet_down: tuple[str, ...]
    unet_layers: int
    unet_head_dim: int
    unet_pools_text: bool
    unet_steps: int
    unet_batch: int
    unet_lr: float
    ema_decay: float
    # data
    pictures: int
    # serving
    steps: int
    guidance: str

    @property
    def scale(self) -> int:
        """Pixels on each side of what one latent stands for."""
        return 1 << (len(self.vae_channels) - 1)

    @property
    def latent_size(self) -> int:
        return self.image_size // self.scale

    @property
    def package_dir(self) -> Path:
        return MODELS_DIR / self.name


ICONS = ModelConfig(
    name="cuckoo-icons",
    description="Draws 128x128 icons from short English prompts: a noun, a colour, a background, a count.",
    image_size=128,
    seed=1,
    merges=2400,
    max_tokens=20,
    text_width=160,
    text_layers=2,
    text_heads=4,
    trained_channels=8,
    latent_channels=5,
    vae_channels=(16, 32, 64, 96),
    vae_steps=5000,
    vae_batch=16,
    vae_lr=1.5e-3,
    unet_channels=(48, 96, 160),
    unet_down=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    unet_layers=1,
    unet_head_dim=32,
    unet_pools_text=True,
    unet_steps=12000,
    unet_batch=64,
    unet_lr=8e-4,
    ema_decay=0.999,
    pictures=40000,
    steps=20,
    guidance="3",
)

TINY = ModelConfig(
    name="cuckoo-tiny",
    description="Draws 32x32 icons in a few milliseconds. For tests: it is small first and good second.",
    image_size=32,
    seed=2,
    merges=500,
    max_tokens=24,
    text_width=64,
    text_layers=2,
    text_heads=2,
    trained_channels=4,
    latent_channels=4,
    vae_channels=(16, 24, 32),
    vae_steps=5000,
    vae_batch=24,
    vae_lr=2e-3,
    unet_channels=(32, 64),
    unet_down=("DownBlock2D", "CrossAttnDownBlock2D"),
    unet_layers=1,
    unet_head_dim=16,
    unet_pools_text=False,
    unet_steps=8000,
    unet_batch=48,
    unet_lr=1e-3,
    ema_decay=0.998,
    pictures=30000,
    steps=10,
    guidance="5",
)

MODELS = {config.name: config for config in (ICONS, TINY)}


def base_parser(doc: str | None, model: bool = True) -> argparse.ArgumentParser:
    """The arguments that every step of the recipe shares; `model` for those that work on one package."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if model:
        parser.add_argument("--model", choices=sorted(MODELS), required=True, help="which package to work on")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path.home() / ".cache" / "cuckoo-models",
        help="folder for icons, caches and checkpoints, outside the repository (default: %(default)s)",
    )
    return parser


def training_parser(doc: str | None) -> argparse.ArgumentParser:
    """The arguments of the steps that train."""
    parser = base_parser(doc)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after this time, the learning rate ending low")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    return parser
