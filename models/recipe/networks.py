"""Builds the untrained networks and the scheduler from a ModelConfig, with stock transformers and diffusers classes.

Stock classes and stock export mean that the Rust agents read these packages through the same code as a full Stable
Diffusion 1.x export.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from config import SCALING_FACTOR, ModelConfig


def build_text_encoder(config: ModelConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A small CLIP text transformer. The end-of-text id is given, or pooling would look for CLIP's own id 49407."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=config.text_width * 4,
            projection_dim=config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_heads,
            max_position_embeddings=config.max_tokens,
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",
        )
    )


def build_vae(config: ModelConfig, latent_channels: int | None = None) -> AutoencoderKL:
    """An autoencoder without attention, so that it can be trained on crops and used on whole pictures.

    It has the package's latent channels, if no other number is given.
    """
    levels = len(config.vae_channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.vae_channels,
        layers_per_block=1,
        latent_channels=latent_channels or config.latent_channels,
        norm_num_groups=8,
        sample_size=config.image_size,
        scaling_factor=SCALING_FACTOR,
        mid_block_add_attention=False,
    )


def build_unet(config: ModelConfig) -> UNet2DConditionModel:
    """The denoiser; the up path mirrors the down path.

    Where the config says so, the caption as a whole is added to the embedding of the time, which every layer sees; the
    words alone reach only those that attend to them. It adds nothing at first, so that a network which was trained
    without it goes on from where it is.
    """
    up = tuple(name.replace("Down", "Up") for name in reversed(config.unet_down))
    unet = UNet2DConditionModel(
        sample_size=config.latent_size,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        down_block_types=config.unet_down,
        up_block_types=up,
        block_out_channels=config.unet_channels,
        layers_per_block=config.unet_layers,
        attention_head_dim=tuple(width // config.unet_head_dim for width in config.unet_channels),
        cross_attention_dim=config.text_width,
        norm_num_groups=16,
        addition_embed_type="text" if config.unet_pools_text else None,
        addition_embed_type_num_heads=config.text_heads,
    )
    if config.unet_pools_text:
        torch.nn.init.zeros_(unet.add_embedding.norm2.weight)
    return unet


def load_denoiser(config: ModelConfig, folder: Path) -> tuple[CLIPTokenizer, CLIPTextModel, UNet2DConditionModel]:
    """The tokenizer, and the text encoder and denoiser with the averaged weights of a training's checkpoint."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    text, unet = build_text_encoder(config, tokenizer), build_unet(config)
    ema = torch.load(folder / "diffusion.pt", map_location="cpu", weights_only=True)["ema"]
    text.load_state_dict(ema["text"])
    unet.load_state_dict(ema["unet"])
    return tokenizer, text.eval(), unet.eval()


def build_scheduler() -> DDIMScheduler:
    """Velocity prediction on a schedule that ends in almost pure noise.

    Stable Diffusion's own beta_end of 0.012 leaves a trace of a plain background in the last step's noise; a model
    comes to lean on it, and draws grey backgrounds when it starts from real noise. 0.02 leaves too little to lean on.
    Trailing spacing starts at that last step, which matters with few steps.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.02,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
