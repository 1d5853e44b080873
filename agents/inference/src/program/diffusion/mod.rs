//! `diffusion/text-to-image`: a diffusers folder in the layout of Stable Diffusion 1, 2 or XL, exported to ONNX.
//!
//! Where the manifest allows it, a request may come with an input picture that is drawn anew in part: the same networks draw
//! it, so it is no program of its own.

mod batch;
mod config;
mod drawing;
mod guidance;
mod picture;
mod stock;
mod text;

pub(crate) use stock::stock;

use super::{Batch, Program, Run};
use crate::{
    error::InferenceError,
    network::Network,
    package::Package,
    runtime::{Device, Placement},
    scheduler::Scheduler,
};
use batch::Together;
use config::Settings;
use cuckoo_protocol::{
    body::Body,
    manifest::{Defaults, Limits},
};
use drawing::{Drawing, Plan};
use guidance::Guidance;
use picture::Encoder;
use text::Text;

const UNET: &str = "unet";
const VAE_DECODER: &str = "vae_decoder";

struct Diffusion {
    settings: Settings,
    text: Text,
    unet: Network,
    vae_decoder: Network,
    /// For input pictures; None if requests may not have one.
    vae_encoder: Option<Encoder>,
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
    let condition = settings.guidance_embedding.map(|_| guidance::INPUT);
    let inputs = [&["sample", "timestep"][..], text.inputs(), condition.as_slice()].concat();
    let vae_encoder = if limits.input_picture { Some(Encoder::load(package, device)?) } else { None };
    Ok(Box::new(Diffusion {
        settings,
        text,
        unet: Network::load(package, UNET, device, Placement::Strict, &inputs)?.timed_by_row()?,
        vae_decoder: Network::load(package, VAE_DECODER, device, Placement::Strict, &["latent_sample"])?,
        vae_encoder,
    }))
}

impl Program for Diffusion {
    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        let plan = self.plan(body)?;
        Ok(Box::new(Drawing::new(self, plan)))
    }

    fn open_batch<'a>(&'a mut self, bodies: &[Body]) -> Result<Option<Box<dyn Batch + 'a>>, InferenceError> {
        let plans = bodies.iter().map(|body| self.plan(body)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Box::new(Together::new(self, plans))))
    }

    fn close(&mut self) {
        self.text.close();
        self.unet.close();
        self.vae_decoder.close();
        if let Some(encoder) = &mut self.vae_encoder {
            encoder.close();
        }
    }
}

impl Diffusion {
    fn plan(&mut self, body: &Body) -> Result<Plan, InferenceError> {
        let Body::Image(body) = body else {
            return Err(InferenceError::unfit("diffusion", format!("it does not make {}", body.kind())));
        };
        let scale = self.settings.scale;
        if !body.width.is_multiple_of(scale) || !body.height.is_multiple_of(scale) {
            let reason = format!("it cannot draw {}x{}: no multiples of {scale}", body.width, body.height);
            return Err(InferenceError::unfit(VAE_DECODER, reason));
        }
        if body.strength.is_some() && self.vae_encoder.is_none() {
            return Err(InferenceError::unfit("cuckoo.json", "its limits allow no input picture"));
        }
        let scheduler = Scheduler::plan(&body.scheduler, &self.settings.scheduler, body.steps)?;
        let scheduler = scheduler.skip(body.steps - body.drawn_steps());
        let guidance = Guidance::new(body.guidance.to_f32(), self.settings.guidance_embedding);
        // As diffusers does it: without guidance, the negative prompt plays no part.
        let negative = guidance.leads_away().then_some(body.negative_prompt.as_str());
        let conditioning = self.text.encode(&body.prompt, negative, [body.width, body.height])?;
        Ok(Plan::new(&self.settings, body, scheduler, guidance, conditioning))
    }
}
