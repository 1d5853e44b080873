//! A request being drawn.

use super::{Diffusion, UNET, guidance::Guidance, picture, text::Conditioning};
use crate::{
    error::InferenceError,
    image::Image,
    network::{Input, Values},
    noise,
    output::Output,
    program::Run,
    scheduler::Scheduler,
    state::State,
};
use cuckoo_protocol::body::ImageBody;
use ort::value::TensorElementType;
use std::borrow::Cow;

/// A request being drawn.
///
/// State k is the latents, and what a step leaves to the next where the scheduler needs that; the noise that goes into it is
/// that of stream k. Of a request with an input picture, state 0 is the picture, and step 0 encodes it.
pub(super) struct Drawing<'a> {
    model: &'a mut Diffusion,
    scheduler: Scheduler,
    guidance: Guidance,
    seed: u64,
    /// Width and height in pixels.
    size: [u32; 2],
    /// Channels, rows and columns of the latents.
    shape: [usize; 3],
    /// Tensors of a state, all of the latents' shape.
    tensors: usize,
    /// Whether there is an input picture.
    picture: bool,
    /// With guidance of two prompts: first what the negative one makes of the latents, then what the prompt does.
    conditioning: Conditioning,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(
        model: &'a mut Diffusion,
        body: &ImageBody,
        scheduler: Scheduler,
        guidance: Guidance,
        conditioning: Conditioning,
    ) -> Self {
        let scale = model.settings.scale;
        let shape = [model.settings.channels, (body.height / scale) as usize, (body.width / scale) as usize];
        Self {
            model,
            scheduler,
            guidance,
            seed: body.seed,
            size: [body.width, body.height],
            shape,
            tensors: Scheduler::tensors(&body.scheduler),
            picture: body.strength.is_some(),
            conditioning,
        }
    }

    fn latents_length(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of the request's picture.
    fn pixels(&self) -> usize {
        self.size.iter().map(|&side| side as usize).product()
    }

    /// State `k` with these latents, before the scheduler's first step: nothing is left to that.
    fn start(&self, latents: Vec<f32>) -> State {
        let mut tensors = vec![vec![0.0; latents.len()]; self.tensors - 1];
        tensors.insert(0, latents);
        State::new(tensors)
    }

    /// The first step of a request with an input picture: encoded, with as much noise as the strength says.
    fn encode(&mut self, state: &State) -> Result<State, InferenceError> {
        let missing = || InferenceError::unfit("cuckoo.json", "its limits allow no input picture");
        let encoder = self.model.vae_encoder.as_mut().ok_or_else(missing)?;
        let planes = picture::planes(state.tensors().first().map(Vec::as_slice).unwrap_or_default());
        let factor = self.model.settings.factor;
        let mean = encoder.mean(planes, self.size, self.shape)?;
        let latents: Vec<f32> = mean.iter().map(|value| factor * value).collect();
        let noise = noise::normals(self.seed, 1, latents.len());
        Ok(self.start(self.scheduler.noised(&latents, &noise)))
    }
}

impl Run for Drawing<'_> {
    fn lengths(&self, k: u32) -> Vec<usize> {
        if self.picture && k == 0 { vec![self.pixels()] } else { vec![self.latents_length(); self.tensors] }
    }

    fn init(&mut self, blob: &[u8]) -> Result<State, InferenceError> {
        let expected = if self.picture { 3 * self.pixels() } else { 0 };
        if blob.len() != expected {
            return Err(InferenceError::Blob { expected, found: blob.len() });
        }
        if self.picture {
            return Ok(State::new(vec![picture::pack(blob)]));
        }
        let scale = self.scheduler.init_scale();
        let normals = noise::normals(self.seed, 0, self.latents_length());
        Ok(self.start(normals.iter().map(|value| value * scale).collect()))
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        state.expect(&self.lengths(k))?;
        let encoded = u32::from(self.picture);
        let Some(drawn) = k.checked_sub(encoded).map(|drawn| drawn as usize) else { return self.encode(state) };
        let timesteps = self.scheduler.timesteps();
        let last = (timesteps.len() as u32 + encoded).saturating_sub(1);
        let &timestep = timesteps.get(drawn).ok_or(InferenceError::Step { step: k, last })?;

        let latents = state.tensors().first().map(Vec::as_slice).unwrap_or_default();
        let [channels, height, width] = self.shape;
        let batch = self.conditioning.batch();
        let shape = [batch, channels, height, width];
        let input = self.scheduler.input(drawn, latents);
        let (time_shape, time) = time(self.model.unet.input("timestep")?, timestep)?;
        let mut feeds = self.conditioning.feeds();
        feeds.extend(self.guidance.feed(batch));
        feeds.push(("sample", shape.to_vec(), Values::F32(Cow::Owned(input.repeat(batch)))));
        feeds.push(("timestep", time_shape, time));
        let mut output = self.model.unet.run(&feeds, &shape)?;
        if batch == 2 {
            let with_prompt = output.split_off(latents.len());
            output = self.guidance.lead(&output, &with_prompt);
        }
        let added = self.scheduler.adds_noise(drawn);
        let noise = if added { noise::normals(self.seed, u64::from(k) + 1, latents.len()) } else { vec![] };
        Ok(State::new(self.scheduler.step(drawn, state.tensors(), &output, &noise)))
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        state.expect(&vec![self.latents_length(); self.tensors])?;
        let factor = self.model.settings.factor;
        let scaled: Vec<f32> = state.tensors().iter().take(1).flatten().map(|value| value / factor).collect();
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
