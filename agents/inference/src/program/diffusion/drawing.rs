//! A request being drawn.

use super::{
    Diffusion, UNET,
    config::Settings,
    guidance::{self, Guidance},
    picture,
    text::Conditioning,
};
use crate::{
    error::InferenceError,
    image::Image,
    network::{Input, Network, Values},
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
pub(super) struct Drawing<'a> {
    model: &'a mut Diffusion,
    plan: Plan,
}

/// What a request's steps need besides the networks.
///
/// State k is the latents, and what a step leaves to the next where the scheduler needs that; the noise that goes into it is
/// that of stream k. Of a request with an input picture, state 0 is the picture, and step 0 encodes it.
pub(super) struct Plan {
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

/// A request's step: the request, the number of the step, the state before it.
pub(super) type Row<'r> = (&'r Plan, u32, &'r State);

impl Plan {
    pub(super) fn new(
        settings: &Settings,
        body: &ImageBody,
        scheduler: Scheduler,
        guidance: Guidance,
        conditioning: Conditioning,
    ) -> Self {
        let scale = settings.scale;
        let shape = [settings.channels, (body.height / scale) as usize, (body.width / scale) as usize];
        Self {
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

    pub(super) fn conditioning(&self) -> &Conditioning {
        &self.conditioning
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

    pub(super) fn lengths(&self, k: u32) -> Vec<usize> {
        if self.picture && k == 0 { vec![self.pixels()] } else { vec![self.latents_length(); self.tensors] }
    }

    /// The first state. `blob` holds the input picture.
    pub(super) fn init(&self, blob: &[u8]) -> Result<State, InferenceError> {
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

    /// The step's number among those that are drawn, None for the one that encodes the input picture, and the timestep that the
    /// denoiser is told.
    fn timestep(&self, k: u32) -> Result<Option<(usize, f32)>, InferenceError> {
        let encoded = u32::from(self.picture);
        let Some(drawn) = k.checked_sub(encoded).map(|drawn| drawn as usize) else { return Ok(None) };
        let timesteps = self.scheduler.timesteps();
        let last = (timesteps.len() as u32 + encoded).saturating_sub(1);
        let &timestep = timesteps.get(drawn).ok_or(InferenceError::Step { step: k, last })?;
        Ok(Some((drawn, timestep)))
    }

    /// The first step of a request with an input picture: encoded, with as much noise as the strength says.
    fn encode(&self, model: &mut Diffusion, state: &State) -> Result<State, InferenceError> {
        let missing = || InferenceError::unfit("cuckoo.json", "its limits allow no input picture");
        let encoder = model.vae_encoder.as_mut().ok_or_else(missing)?;
        let planes = picture::planes(state.tensors().first().map(Vec::as_slice).unwrap_or_default());
        let factor = model.settings.factor;
        let mean = encoder.mean(planes, self.size, self.shape)?;
        let latents: Vec<f32> = mean.iter().map(|value| factor * value).collect();
        let noise = noise::normals(self.seed, 1, latents.len());
        Ok(self.start(self.scheduler.noised(&latents, &noise)))
    }

    /// The picture of the last state.
    pub(super) fn finish(&self, model: &mut Diffusion, state: &State) -> Result<Output, InferenceError> {
        state.expect(&vec![self.latents_length(); self.tensors])?;
        let factor = model.settings.factor;
        let scaled: Vec<f32> = state.tensors().iter().take(1).flatten().map(|value| value / factor).collect();
        let [channels, rows, columns] = self.shape;
        let feed = ("latent_sample", vec![1, channels, rows, columns], Values::F32(Cow::Owned(scaled)));
        let [width, height] = self.size;
        let pixels = model.vae_decoder.run(&[feed], &[1, 3, height as usize, width as usize])?;
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

impl<'a> Drawing<'a> {
    pub(super) fn new(model: &'a mut Diffusion, plan: Plan) -> Self {
        Self { model, plan }
    }
}

impl Run for Drawing<'_> {
    fn lengths(&self, k: u32) -> Vec<usize> {
        self.plan.lengths(k)
    }

    fn init(&mut self, blob: &[u8]) -> Result<State, InferenceError> {
        self.plan.init(blob)
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        state.expect(&self.plan.lengths(k))?;
        if self.plan.timestep(k)?.is_none() {
            return self.plan.encode(self.model, state);
        }
        let mut states = denoise(&mut self.model.unet, &self.plan.conditioning, &[(&self.plan, k, state)])?;
        states.pop().ok_or_else(|| InferenceError::unfit(UNET, "it gave no output"))
    }

    fn steps(&mut self, steps: &[(u32, &State)]) -> Result<Vec<State>, InferenceError> {
        let drawn = steps.iter().all(|(k, _)| matches!(self.plan.timestep(*k), Ok(Some(_))));
        if steps.len() > 1 && drawn && is_timed_by_row(&self.model.unet)? {
            let conditioning = Conditioning::together(&vec![&self.plan.conditioning; steps.len()]);
            let rows: Vec<Row<'_>> = steps.iter().map(|&(k, state)| (&self.plan, k, state)).collect();
            match denoise(&mut self.model.unet, &conditioning, &rows) {
                // One at a time they may have room.
                Err(InferenceError::Memory { .. }) => {}
                outcome => return outcome,
            }
        }
        steps.iter().map(|&(k, state)| self.step(k, state)).collect()
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        self.plan.finish(self.model, state)
    }
}

/// Runs a step of each of the rows as one batch. The rows are alike in size and number of prompts, in timestep too unless the denoiser
/// takes one for each, and `conditioning` is that of all of them.
pub(super) fn denoise(
    unet: &mut Network,
    conditioning: &Conditioning,
    rows: &[Row<'_>],
) -> Result<Vec<State>, InferenceError> {
    let unlike = || InferenceError::unfit(UNET, "these steps are none of one batch");
    let &(first, k, _) = rows.first().ok_or_else(unlike)?;
    let (_, timestep) = first.timestep(k)?.ok_or_else(unlike)?;
    let [channels, height, width] = first.shape;
    let (length, prompts) = (first.latents_length(), first.conditioning.batch());
    let batch = conditioning.batch();
    let mut sample = Vec::with_capacity(batch * length);
    let mut told = Vec::new();
    let mut times = Vec::with_capacity(batch);
    let by_row = is_timed_by_row(unet)?;
    let mut drawn = Vec::with_capacity(rows.len());
    for &(plan, k, state) in rows {
        state.expect(&plan.lengths(k))?;
        let (step, time) = plan.timestep(k)?.ok_or_else(unlike)?;
        if plan.shape != first.shape || plan.conditioning.batch() != prompts || !(by_row || time == timestep) {
            return Err(unlike());
        }
        let latents = state.tensors().first().map(Vec::as_slice).unwrap_or_default();
        let input = plan.scheduler.input(step, latents);
        for _ in 0..prompts {
            sample.extend_from_slice(&input);
            told.extend_from_slice(plan.guidance.told());
            times.push(time);
        }
        drawn.push(step);
    }
    let shape = [batch, channels, height, width];
    let (time_shape, time) = if by_row { (vec![batch], times) } else { one(unet.input("timestep")?, timestep)? };
    let time = typed(unet.input("timestep")?, time)?;
    let mut feeds = conditioning.feeds();
    if !told.is_empty() {
        feeds.push((guidance::INPUT, vec![batch, told.len() / batch], Values::F32(Cow::Owned(told))));
    }
    feeds.push(("sample", shape.to_vec(), Values::F32(Cow::Owned(sample))));
    feeds.push(("timestep", time_shape, time));
    let output = unet.run(&feeds, &shape)?;
    let outputs = output.chunks_exact(prompts * length);
    let after = |((&(plan, k, state), &step), output): ((&Row<'_>, &usize), &[f32])| {
        let (without, with) = output.split_at(output.len() - length);
        let led = if without.is_empty() { with.to_vec() } else { plan.guidance.lead(without, with) };
        let noise =
            if plan.scheduler.adds_noise(step) { noise::normals(plan.seed, u64::from(k) + 1, length) } else { vec![] };
        State::new(plan.scheduler.step(step, state.tensors(), &led, &noise))
    };
    Ok(rows.iter().zip(&drawn).zip(outputs).map(after).collect())
}

/// Whether the denoiser takes a timestep for each row.
pub(super) fn is_timed_by_row(unet: &Network) -> Result<bool, InferenceError> {
    Ok(unet.input("timestep")?.has_rows_of(unet.input("sample")?))
}

/// A timestep for all rows, in the rank that the input takes: exports differ in it.
fn one(input: &Input, timestep: f32) -> Result<(Vec<usize>, Vec<f32>), InferenceError> {
    let shape = match input.rank() {
        0 => vec![],
        1 => vec![input.size(0).unwrap_or(1)],
        rank => return Err(InferenceError::unfit(UNET, format!("its timestep has {rank} dimensions"))),
    };
    let count = shape.iter().product();
    Ok((shape, vec![timestep; count]))
}

/// Timesteps in the type that the input takes: exports differ in that too.
fn typed(input: &Input, times: Vec<f32>) -> Result<Values<'static>, InferenceError> {
    match input.element() {
        TensorElementType::Float32 => Ok(Values::F32(times.into())),
        TensorElementType::Int32 => Ok(Values::I32(times.into_iter().map(|time| time as i32).collect())),
        TensorElementType::Int64 => Ok(Values::I64(times.into_iter().map(|time| time as i64).collect())),
        other => Err(InferenceError::unfit(UNET, format!("its timestep is {other}, not f32, int32 or int64"))),
    }
}
