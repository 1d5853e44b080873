//! `diffusion/text-to-image`: a diffusers folder in the layout of Stable Diffusion 1, 2 or XL, exported to ONNX.

mod config;
mod text;

use super::{Program, Run};
use crate::{
    error::InferenceError,
    image::Image,
    network::{Input, Network, Values},
    noise,
    output::Output,
    package::Package,
    runtime::{Device, Placement},
    scheduler::Scheduler,
    state::State,
};
use config::Settings;
use cuckoo_protocol::{
    body::Body,
    manifest::{Defaults, Limits},
};
use ort::value::TensorElementType;
use std::borrow::Cow;
use text::{Conditioning, Text};

const UNET: &str = "unet";
const VAE_DECODER: &str = "vae_decoder";

struct Diffusion {
    settings: Settings,
    text: Text,
    unet: Network,
    vae_decoder: Network,
}

pub(super) fn load(package: &Package, device: &Device) -> Result<Box<dyn Program>, InferenceError> {
    let manifest = package.manifest();
    let (Defaults::Image(defaults), Limits::Image(limits)) = (&manifest.defaults, &manifest.limits) else {
        return Err(InferenceError::unfit("cuckoo.json", "its defaults and limits are not those of pictures"));
    };
    let settings = Settings::read(package)?;
    let [width, height] = [defaults.width, defaults.height].map(|side| side / settings.scale);
    let channels = settings.channels as u32;
    let shapes: Vec<&[u32]> = manifest.state.iter().map(|tensor| tensor.shape.as_slice()).collect();
    // The latents, then what a step leaves to the next where one of the schedulers needs that.
    let tensors = limits.schedulers.iter().map(|name| Scheduler::tensors(name)).max().unwrap_or(1);
    let expected = vec![[channels, height, width]; tensors];
    if shapes != expected {
        let reason = format!("it lists states {shapes:?} where this program, with its schedulers, has {expected:?}");
        return Err(InferenceError::unfit("cuckoo.json", reason));
    }
    for name in &limits.schedulers {
        for steps in [limits.min_steps, defaults.steps, limits.max_steps] {
            Scheduler::plan(name, &settings.scheduler, steps)?;
        }
    }
    let text = Text::load(package, device, &settings)?;
    let inputs = [&["sample", "timestep"][..], text.inputs()].concat();
    Ok(Box::new(Diffusion {
        settings,
        text,
        unet: Network::load(package, UNET, device, Placement::Strict, &inputs)?,
        vae_decoder: Network::load(package, VAE_DECODER, device, Placement::Strict, &["latent_sample"])?,
    }))
}

impl Program for Diffusion {
    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        let Body::Image(body) = body else {
            return Err(InferenceError::unfit("diffusion", format!("it does not make {}", body.kind())));
        };
        let Settings { scale, channels, .. } = self.settings;
        if !body.width.is_multiple_of(scale) || !body.height.is_multiple_of(scale) {
            let reason = format!("it cannot draw {}x{}: no multiples of {scale}", body.width, body.height);
            return Err(InferenceError::unfit(VAE_DECODER, reason));
        }
        let scheduler = Scheduler::plan(&body.scheduler, &self.settings.scheduler, body.steps)?;
        let guidance = body.guidance.to_f32();
        // As diffusers does it: without guidance, the negative prompt plays no part.
        let negative = (guidance > 1.0).then_some(body.negative_prompt.as_str());
        let conditioning = self.text.encode(&body.prompt, negative, [body.width, body.height])?;
        let (height, width) = ((body.height / scale) as usize, (body.width / scale) as usize);
        Ok(Box::new(Drawing {
            shape: [channels, height, width],
            lengths: vec![channels * height * width; Scheduler::tensors(&body.scheduler)],
            conditioning,
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
    /// Values in the latents, and in what a step leaves to the next if the scheduler needs that.
    lengths: Vec<usize>,
    /// With guidance of two prompts: first what the negative one makes of the latents, then what the prompt does.
    conditioning: Conditioning,
}

impl Drawing<'_> {
    /// The first tensor of a state.
    fn latents<'s>(&self, state: &'s State) -> Result<&'s [f32], InferenceError> {
        state.expect(&self.lengths)?;
        Ok(&state.tensors()[0])
    }
}

impl Run for Drawing<'_> {
    fn lengths(&self, _: u32) -> Vec<usize> {
        self.lengths.clone()
    }

    fn init(&mut self, _: &[u8]) -> Result<State, InferenceError> {
        let scale = self.scheduler.init_scale();
        let normals = noise::normals(self.seed, 0, self.lengths[0]);
        // Nothing is left to the first step.
        let mut tensors: Vec<Vec<f32>> = self.lengths.iter().map(|&length| vec![0.0; length]).collect();
        tensors[0] = normals.iter().map(|value| value * scale).collect();
        Ok(State::new(tensors))
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        let latents = self.latents(state)?;
        let timesteps = self.scheduler.timesteps();
        let last = (timesteps.len() as u32).saturating_sub(1);
        let &timestep = timesteps.get(k as usize).ok_or(InferenceError::Step { step: k, last })?;

        let [channels, height, width] = self.shape;
        let batch = self.conditioning.batch();
        let shape = [batch, channels, height, width];
        let input = self.scheduler.input(k as usize, latents);
        let (time_shape, time) = time(self.model.unet.input("timestep")?, timestep)?;
        let mut feeds = self.conditioning.feeds();
        feeds.push(("sample", shape.to_vec(), Values::F32(Cow::Owned(input.repeat(batch)))));
        feeds.push(("timestep", time_shape, time));
        let mut output = self.model.unet.run(&feeds, &shape)?;
        if batch == 2 {
            let with_prompt = output.split_off(latents.len());
            let guide = |(without, with): (&f32, f32)| without + self.guidance * (with - without);
            output = output.iter().zip(with_prompt).map(guide).collect();
        }
        // The noise in state k + 1 is that of stream k + 1.
        let added = self.scheduler.adds_noise(k as usize);
        let noise = if added { noise::normals(self.seed, u64::from(k) + 1, latents.len()) } else { vec![] };
        Ok(State::new(self.scheduler.step(k as usize, state.tensors(), &output, &noise)))
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        let factor = self.model.settings.factor;
        let scaled: Vec<f32> = self.latents(state)?.iter().map(|value| value / factor).collect();
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
