//! The settings in a diffusers folder, and what of them this program can follow.

use crate::{
    error::InferenceError,
    package::{Package, PackageError},
    scheduler::SchedulerConfig,
};
use serde::Deserialize;
use serde_json::Value;

const UNET: &str = "unet";
const VAE_DECODER: &str = "vae_decoder";

/// What the drawing needs to know of a package.
pub(super) struct Settings {
    pub(super) scheduler: SchedulerConfig,
    /// Channels of the latents.
    pub(super) channels: usize,
    /// Pixels on each side of what one latent stands for.
    pub(super) scale: u32,
    /// What latents are divided by before they are decoded.
    pub(super) factor: f32,
    /// What SDXL's denoiser takes besides; None for Stable Diffusion 1 and 2.
    pub(super) added: Option<Added>,
    /// Numbers that the denoiser is told the guidance with; None if it is not told.
    pub(super) guidance_embedding: Option<usize>,
}

/// What SDXL's denoiser takes besides the embeddings of tokens: the pooled prompt, and the picture's size.
#[derive(Clone)]
pub(super) struct Added {
    /// Numbers in the pooled prompt.
    pub(super) pooled: usize,
    /// Whether no negative prompt is shown as zeros rather than as the empty prompt.
    pub(super) zeros_for_no_prompt: bool,
}

#[derive(Deserialize)]
struct UnetConfig {
    in_channels: usize,
    out_channels: usize,
    time_cond_proj_dim: Option<usize>,
    addition_embed_type: Option<String>,
    addition_time_embed_dim: Option<usize>,
    projection_class_embeddings_input_dim: Option<usize>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default = "stable_diffusion_xl_zeros")]
    force_zeros_for_empty_prompt: bool,
}

/// What diffusers takes when model_index.json does not say.
fn stable_diffusion_xl_zeros() -> bool {
    true
}

#[derive(Deserialize)]
struct VaeConfig {
    latent_channels: usize,
    out_channels: usize,
    block_out_channels: Vec<usize>,
    #[serde(default = "stable_diffusion_factor")]
    scaling_factor: f32,
    #[serde(default)]
    shift_factor: Value,
    #[serde(default)]
    latents_mean: Value,
}

/// What diffusers takes when vae_decoder/config.json does not say.
fn stable_diffusion_factor() -> f32 {
    0.18215
}

impl Settings {
    /// Reads the settings of a package and checks that they fit each other.
    pub(super) fn read(package: &Package) -> Result<Self, InferenceError> {
        let unet: UnetConfig = package.read_json("unet/config.json")?;
        let vae: VaeConfig = package.read_json("vae_decoder/config.json")?;
        let path = "scheduler/scheduler_config.json";
        let malformed = |e: serde_json::Error| PackageError::Malformed { path: path.into(), reason: e.to_string() };
        let scheduler = SchedulerConfig::parse(&package.read(path)?).map_err(malformed)?;

        let channels = vae.latent_channels;
        // Stable Diffusion has 4, its successors 16; a file that says millions would only exhaust the memory.
        if !(1..=64).contains(&channels) {
            return Err(InferenceError::unfit(VAE_DECODER, format!("it has {channels} latent channels, not 1 to 64")));
        }
        if [unet.in_channels, unet.out_channels] != [channels; 2] {
            let reason = format!("it maps {} to {} channels, not {channels}", unet.in_channels, unet.out_channels);
            return Err(InferenceError::unfit(UNET, reason));
        }
        if vae.out_channels != 3 || !vae.shift_factor.is_null() || !vae.latents_mean.is_null() {
            let reason = "it must draw 3 channels from latents that are not shifted";
            return Err(InferenceError::unfit(VAE_DECODER, reason));
        }
        // Each block but the first doubles the size.
        let scale = match vae.block_out_channels.len() {
            blocks @ 1..=8 => 1 << (blocks - 1),
            blocks => return Err(InferenceError::unfit(VAE_DECODER, format!("it has {blocks} blocks, not 1 to 8"))),
        };
        if !vae.scaling_factor.is_normal() {
            return Err(InferenceError::unfit(VAE_DECODER, format!("its scaling_factor is {}", vae.scaling_factor)));
        }
        // As many frequencies as that, two at least; more than a million would only exhaust the memory.
        if let Some(size) = unet.time_cond_proj_dim
            && !(4..=1 << 20).contains(&size)
        {
            return Err(InferenceError::unfit(UNET, format!("its time_cond_proj_dim is {size}, not 4 to 1048576")));
        }
        let added = Added::read(package, &unet)?;
        Ok(Self {
            scheduler,
            channels,
            scale,
            factor: vae.scaling_factor,
            added,
            guidance_embedding: unet.time_cond_proj_dim,
        })
    }
}

impl Added {
    fn read(package: &Package, unet: &UnetConfig) -> Result<Option<Self>, InferenceError> {
        match unet.addition_embed_type.as_deref() {
            // With "text" the network pools the prompt's states itself: it is given nothing more.
            None | Some("text") => return Ok(None),
            Some("text_time") => {}
            Some(other) => {
                let reason = format!(
                    "its addition_embed_type is {other:?}; this program follows null, \"text\" and \"text_time\""
                );
                return Err(InferenceError::unfit(UNET, reason));
            }
        }
        // Each of the six numbers of the size is embedded. SDXL's refiner takes five, an aesthetic score among them.
        let sizes = unet.addition_time_embed_dim.and_then(|size| size.checked_mul(6));
        let pooled = match (unet.projection_class_embeddings_input_dim, sizes) {
            (Some(all), Some(sizes)) => all.checked_sub(sizes),
            _ => None,
        };
        let pooled = pooled.filter(|pooled| *pooled > 0).ok_or_else(|| {
            InferenceError::unfit(UNET, "its added embeddings are not a pooled prompt and six numbers of the size")
        })?;
        let index: Index = package.read_json("model_index.json")?;
        Ok(Some(Self { pooled, zeros_for_no_prompt: index.force_zeros_for_empty_prompt }))
    }
}
