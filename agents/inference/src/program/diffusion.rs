//! `diffusion/text-to-image`: a diffusers folder in the layout of Stable Diffusion 1.x, exported to ONNX.

use super::{Program, Run};
use crate::{
    error::InferenceError,
    image::Image,
    network::{Input, Network, Values},
    noise,
    output::Output,
    package::Package,
    runtime::{Device, Placement},
    scheduler::{Scheduler, SchedulerConfig},
    state::State,
    tokenizer::Tokenizer,
};
use cuckoo_protocol::{
    body::Body,
    manifest::{Defaults, Limits},
};
use ort::value::TensorElementType;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

const TEXT_ENCODER: &str = "text_encoder";
const UNET: &str = "unet";
const VAE_DECODER: &str = "vae_decoder";

struct Diffusion {
    tokenizer: Tokenizer,
    text_encoder: Network,
    unet: Network,
    vae_decoder: Network,
    scheduler: SchedulerConfig,
    /// Numbers in the embedding of a token.
    hidden: usize,
    /// Channels of the latents.
    channels: usize,
    /// Pixels on each side of what one latent stands for.
    scale: u32,
    /// What latents are divided by before they are decoded.
    factor: f32,
}

#[derive(Deserialize)]
struct TextConfig {
    hidden_size: usize,
}

#[derive(Deserialize)]
struct UnetConfig {
    in_channels: usize,
    out_channels: usize,
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

pub(super) fn load(package: &Package, device: &Device) -> Result<Box<dyn Program>, InferenceError> {
    let manifest = package.manifest();
    let (Defaults::Image(defaults), Limits::Image(limits)) = (&manifest.defaults, &manifest.limits) else {
        return Err(InferenceError::unfit("cuckoo.json", "its defaults and limits are not those of pictures"));
    };
    let text: TextConfig = package.read_json("text_encoder/config.json")?;
    let unet: UnetConfig = package.read_json("unet/config.json")?;
    let vae: VaeConfig = package.read_json("vae_decoder/config.json")?;
    let scheduler: SchedulerConfig = package.read_json("scheduler/scheduler_config.json")?;

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
        return Err(InferenceError::unfit(VAE_DECODER, "it must draw 3 channels from latents that are not shifted"));
    }
    // Each block but the first doubles the size.
    let scale = match vae.block_out_channels.len() {
        blocks @ 1..=8 => 1 << (blocks - 1),
        blocks => return Err(InferenceError::unfit(VAE_DECODER, format!("it has {blocks} blocks, not 1 to 8"))),
    };
    if !vae.scaling_factor.is_normal() {
        return Err(InferenceError::unfit(VAE_DECODER, format!("its scaling_factor is {}", vae.scaling_factor)));
    }
    let [width, height] = [defaults.width, defaults.height].map(|side| side / scale);
    let shapes: Vec<&[u32]> = manifest.state.iter().map(|tensor| tensor.shape.as_slice()).collect();
    if shapes != [[channels as u32, height, width]] {
        let reason = format!("it lists states {shapes:?} where this program has [[{channels}, {height}, {width}]]");
        return Err(InferenceError::unfit("cuckoo.json", reason));
    }
    for name in &limits.schedulers {
        for steps in [limits.min_steps, defaults.steps, limits.max_steps] {
            Scheduler::plan(name, &scheduler, steps)?;
        }
    }

    // The text encoder's pooled output, which nobody reads, holds an operator that has no GPU kernel.
    let text_encoder = Network::load(package, TEXT_ENCODER, device, Placement::Lenient, &["input_ids"])?;
    let unet = ["sample", "timestep", "encoder_hidden_states"];
    Ok(Box::new(Diffusion {
        tokenizer: Tokenizer::load(package)?,
        text_encoder,
        unet: Network::load(package, UNET, device, Placement::Strict, &unet)?,
        vae_decoder: Network::load(package, VAE_DECODER, device, Placement::Strict, &["latent_sample"])?,
        scheduler,
        hidden: text.hidden_size,
        channels,
        scale,
        factor: vae.scaling_factor,
    }))
}

impl Program for Diffusion {
    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        let Body::Image(body) = body else {
            return Err(InferenceError::unfit("diffusion", format!("it does not make {}", body.kind())));
        };
        if !body.width.is_multiple_of(self.scale) || !body.height.is_multiple_of(self.scale) {
            let reason = format!("it cannot draw {}x{}: no multiples of {}", body.width, body.height, self.scale);
            return Err(InferenceError::unfit(VAE_DECODER, reason));
        }
        let scheduler = Scheduler::plan(&body.scheduler, &self.scheduler, body.steps)?;
        let guidance = body.guidance.to_f32();
        // As diffusers does it: without guidance, the negative prompt plays no part.
        let prompts = if guidance > 1.0 { vec![&body.negative_prompt, &body.prompt] } else { vec![&body.prompt] };
        let mut embeddings = Vec::new();
        for prompt in &prompts {
            let ids = whole(self.text_encoder.input("input_ids")?, &self.tokenizer.encode(prompt)?)?;
            let length = self.tokenizer.length();
            let feed = ("input_ids", vec![1, length], ids);
            embeddings.extend(self.text_encoder.run(&[feed], &[1, length, self.hidden])?);
        }
        let (height, width) = ((body.height / self.scale) as usize, (body.width / self.scale) as usize);
        Ok(Box::new(Drawing {
            shape: [self.channels, height, width],
            lengths: [self.channels * height * width],
            batch: prompts.len(),
            embeddings,
            guidance,
            scheduler,
            seed: body.seed,
            size: [body.width, body.height],
            model: self,
        }))
    }
}

/// A request being drawn.
struct Drawing<'a> {
    model: &'a mut Diffusion,
    scheduler: Scheduler,
    guidance: f32,
    seed: u64,
    /// Width and height in pixels.
    size: [u32; 2],
    /// Channels, rows and columns of the latents.
    shape: [usize; 3],
    lengths: [usize; 1],
    /// With guidance 2: what the negative prompt makes of the latents, then what the prompt does.
    batch: usize,
    embeddings: Vec<f32>,
}

impl Drawing<'_> {
    /// The only tensor of a state.
    fn latents<'s>(&self, state: &'s State) -> Result<&'s [f32], InferenceError> {
        state.expect(&self.lengths)?;
        Ok(&state.tensors()[0])
    }
}

impl Run for Drawing<'_> {
    fn lengths(&self, _: u32) -> Vec<usize> {
        self.lengths.to_vec()
    }

    fn init(&mut self, _: &[u8]) -> Result<State, InferenceError> {
        let scale = self.scheduler.init_scale();
        let normals = noise::normals(self.seed, 0, self.lengths[0]);
        Ok(State::new(vec![normals.iter().map(|value| value * scale).collect()]))
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        let latents = self.latents(state)?;
        let timesteps = self.scheduler.timesteps();
        let last = (timesteps.len() as u32).saturating_sub(1);
        let &timestep = timesteps.get(k as usize).ok_or(InferenceError::Step { step: k, last })?;

        let [channels, height, width] = self.shape;
        let shape = [self.batch, channels, height, width];
        let (tokens, hidden) = (self.model.tokenizer.length(), self.model.hidden);
        let input = self.scheduler.input(k as usize, latents);
        let (time_shape, time) = time(self.model.unet.input("timestep")?, timestep)?;
        let feeds = [
            ("sample", shape.to_vec(), Values::F32(Cow::Owned(input.repeat(self.batch)))),
            ("timestep", time_shape, time),
            ("encoder_hidden_states", vec![self.batch, tokens, hidden], Values::F32(Cow::Borrowed(&self.embeddings))),
        ];
        let mut output = self.model.unet.run(&feeds, &shape)?;
        if self.batch == 2 {
            let with_prompt = output.split_off(latents.len());
            let guide = |(without, with): (&f32, f32)| without + self.guidance * (with - without);
            output = output.iter().zip(with_prompt).map(guide).collect();
        }
        Ok(State::new(vec![self.scheduler.step(k as usize, latents, &output)]))
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        let scaled: Vec<f32> = self.latents(state)?.iter().map(|value| value / self.model.factor).collect();
        let [channels, rows, columns] = self.shape;
        let feed = ("latent_sample", vec![1, channels, rows, columns], Values::F32(Cow::Owned(scaled)));
        let [width, height] = self.size;
        let pixels = self.model.vae_decoder.run(&[feed], &[1, 3, height as usize, width as usize])?;
        if !pixels.iter().all(|value| value.is_finite()) {
            return Err(InferenceError::NonFinite { what: "the picture".into() });
        }
        // From three planes of −1 to 1 to bytes side by side.
        let byte = |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
        let plane = pixels.len() / 3;
        let rgb = (0..plane).flat_map(|at| [0, 1, 2].map(|channel| byte(pixels[channel * plane + at]))).collect();
        Ok(Output::Image(Image { width, height, rgb }))
    }
}

/// Whole numbers in the type that the input takes.
fn whole(input: &Input, values: &[u32]) -> Result<Values<'static>, InferenceError> {
    match input.element() {
        TensorElementType::Int32 => Ok(Values::I32(values.iter().map(|&value| value as i32).collect())),
        TensorElementType::Int64 => Ok(Values::I64(values.iter().map(|&value| value.into()).collect())),
        other => Err(InferenceError::unfit(TEXT_ENCODER, format!("its input_ids are {other}, not int32 or int64"))),
    }
}

/// A timestep in the rank and type that the input takes: exports differ in both.
fn time(input: &Input, timestep: f32) -> Result<(Vec<usize>, Values<'static>), InferenceError> {
    let unfit = |reason: String| InferenceError::unfit(UNET, reason);
    let shape = match input.rank() {
        0 => vec![],
        1 => vec![input.size(0).unwrap_or(1)],
        rank => return Err(unfit(format!("its timestep has {rank} dimensions"))),
    };
    let count = shape.iter().product();
    let values = match input.element() {
        TensorElementType::Float32 => Values::F32(vec![timestep; count].into()),
        TensorElementType::Int32 => Values::I32(vec![timestep as i32; count]),
        TensorElementType::Int64 => Values::I64(vec![timestep as i64; count]),
        other => return Err(unfit(format!("its timestep is {other}, not f32, int32 or int64"))),
    };
    Ok((shape, values))
}
