//! What the manifest of a stock diffusers folder says, by its settings.

use super::{config::Settings, picture::Encoder};
use crate::{
    draft::Draft,
    error::InferenceError,
    package::Package,
    runtime::Device,
    scheduler::{NAMES, Scheduler},
};
use cuckoo_protocol::{
    body::{Decimal, DecimalError},
    manifest::{ImageDefaults, ImageLimits, MAX_INPUT_PIXELS, TensorEntry},
};
use serde::Deserialize;
use serde_json::Value;

const INDEX: &str = "model_index.json";

/// Pipelines that this program computes, as diffusers and optimum call them.
const PIPELINES: [&str; 4] = [
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "ORTStableDiffusionPipeline",
    "ORTStableDiffusionXLPipeline",
];

/// diffusers' schedulers and their names in requests.
const CLASSES: [(&str, &str); 5] = [
    ("DDIMScheduler", "ddim"),
    ("EulerDiscreteScheduler", "euler"),
    ("EulerAncestralDiscreteScheduler", "euler-ancestral"),
    ("DPMSolverMultistepScheduler", "dpmpp-2m"),
    (LATENT_CONSISTENCY, "lcm"),
];

/// The scheduler of models that follow no other, and that no other model follows.
const LATENT_CONSISTENCY: &str = "LCMScheduler";

/// The part of a manifest that this program can tell.
pub(crate) struct Stock {
    pub(crate) defaults: ImageDefaults,
    pub(crate) limits: ImageLimits,
    pub(crate) state: Vec<TensorEntry>,
    /// What the package's owner should know, a sentence each.
    pub(crate) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(rename = "_class_name")]
    class: String,
    /// Library and class.
    scheduler: (String, String),
}

#[derive(Deserialize)]
struct Unet {
    /// Latents on each side, or on both sides.
    sample_size: Value,
}

/// What kind of training a model had, which its settings tell only in part.
enum Kind {
    /// The usual one.
    Plain,
    /// For few steps without guidance, as SD-Turbo.
    Distilled,
    /// For few steps of the scheduler of its own.
    Consistent,
}

/// Reads the settings of a stock folder, which `package` lists.
pub(crate) fn stock(package: &Package, draft: &Draft) -> Result<Stock, InferenceError> {
    let index: Index = package.read_json(INDEX)?;
    if !PIPELINES.contains(&index.class.as_str()) {
        let reason = format!("it is a {}; this version runs {}", short(&index.class), PIPELINES.join(", "));
        return Err(InferenceError::unfit(INDEX, reason));
    }
    let settings = Settings::read(package)?;
    let class = index.scheduler.1.as_str();
    let mut notes = Vec::new();
    let kind = kind(class, &settings);
    let (steps, guidance) = match kind {
        Kind::Consistent => (4, "1"),
        Kind::Distilled => (1, "0"),
        // diffusers' own defaults.
        Kind::Plain if settings.added.is_some() => (50, "5"),
        Kind::Plain => (50, "7.5"),
    };
    if !matches!(kind, Kind::Plain) && (draft.steps.is_none() || draft.guidance.is_none()) {
        notes.push(format!(
            "its scheduler's settings are those of models distilled to few steps, so the defaults are {steps} steps and guidance \
             {guidance}: say --steps and --guidance if it is none"
        ));
    }
    let steps = draft.steps.unwrap_or(steps);
    let max_steps = steps.max(if matches!(kind, Kind::Plain) { 100 } else { 10 });
    let planned =
        |name: &str| [1, steps, max_steps].iter().all(|&n| Scheduler::plan(name, &settings.scheduler, n).is_ok());
    let schedulers: Vec<String> = NAMES
        .iter()
        .filter(|name| (**name == "lcm") == matches!(kind, Kind::Consistent) && planned(name))
        .map(ToString::to_string)
        .collect();
    let own = CLASSES.iter().find(|(known, _)| *known == class).map(|(_, name)| *name);
    let scheduler = match (&draft.scheduler, own) {
        (Some(wanted), _) => wanted.clone(),
        (None, Some(own)) if schedulers.iter().any(|name| name == own) => own.to_owned(),
        (None, _) => {
            let Some(first) = schedulers.first() else {
                // Of the reasons that keep it from each, the first is as good as any.
                Scheduler::plan(own.unwrap_or("ddim"), &settings.scheduler, steps)?;
                return Err(InferenceError::unfit("scheduler", format!("no scheduler follows {}", short(class))));
            };
            notes.push(format!("{} is not followed with these settings, so the default is {first}", short(class)));
            first.clone()
        }
    };
    if !schedulers.contains(&scheduler) {
        Scheduler::plan(&scheduler, &settings.scheduler, steps)?;
        let reason = format!("it cannot be sampled with {scheduler}, only with {}", schedulers.join(", "));
        return Err(InferenceError::unfit("scheduler", reason));
    }

    let decimal =
        |text: &str| text.parse::<Decimal>().map_err(|e: DecimalError| InferenceError::unfit(INDEX, e.to_string()));
    let sizes = if draft.sizes.is_empty() { vec![trained(package, &settings)?] } else { draft.sizes.clone() };
    let &[width, height] = sizes.first().unwrap_or(&[0, 0]);
    let shape = vec![settings.channels as u32, height / settings.scale, width / settings.scale];
    let tensors = schedulers.iter().map(|name| Scheduler::tensors(name)).max().unwrap_or(1);
    let names = ["latents", "history"].into_iter().take(tensors);
    let state = names.map(|name| TensorEntry { name: name.into(), shape: shape.clone() }).collect();
    let input_picture = takes_pictures(package, &sizes, &mut notes)?;
    Ok(Stock {
        defaults: ImageDefaults {
            width,
            height,
            steps,
            guidance: draft.guidance.clone().map_or_else(|| decimal(guidance), Ok)?,
            scheduler,
        },
        limits: ImageLimits {
            min_steps: 1,
            max_steps,
            sizes,
            schedulers,
            max_prompt_bytes: 2000,
            max_guidance: decimal("20")?,
            input_picture,
        },
        state,
        notes,
    })
}

/// Whether requests may have an input picture.
fn takes_pictures(package: &Package, sizes: &[[u32; 2]], notes: &mut Vec<String>) -> Result<bool, InferenceError> {
    let why_not = if !package.lists("vae_encoder/model.onnx") {
        "there is no vae_encoder"
    } else if !Encoder::load(package, &Device::Cpu { threads: 1 })?.is_checkable() {
        "its vae_encoder draws its own noise, which nobody can check (a newer optimum exports one that does not)"
    } else if sizes.iter().any(|[width, height]| u64::from(*width) * u64::from(*height) > u64::from(MAX_INPUT_PIXELS)) {
        "its pictures have more pixels than an input picture may have"
    } else {
        return Ok(true);
    };
    notes.push(format!("requests may have no input picture: {why_not}"));
    Ok(false)
}

fn kind(class: &str, settings: &Settings) -> Kind {
    // Where the only step is at the last timestep of the training, that step is meant to do all.
    let at_the_end = |name| match Scheduler::plan(name, &settings.scheduler, 1) {
        Ok(plan) => plan.timesteps().first().is_some_and(|&t| t as usize + 1 >= settings.scheduler.trained()),
        Err(_) => false,
    };
    match class {
        LATENT_CONSISTENCY => Kind::Consistent,
        "EulerDiscreteScheduler" | "EulerAncestralDiscreteScheduler" if at_the_end("euler") => Kind::Distilled,
        _ => Kind::Plain,
    }
}

/// Width and height in pixels that the model was trained at.
fn trained(package: &Package, settings: &Settings) -> Result<[u32; 2], InferenceError> {
    let unet: Unet = package.read_json("unet/config.json")?;
    let side = |value: &Value| u32::try_from(value.as_u64()?).ok()?.checked_mul(settings.scale);
    let size = match &unet.sample_size {
        Value::Array(sides) => match sides.as_slice() {
            // As diffusers has it, height first.
            [height, width] => side(width).zip(side(height)),
            _ => None,
        },
        one => side(one).zip(side(one)),
    };
    let (width, height) = size.ok_or_else(|| {
        InferenceError::unfit("unet", "its sample_size is no size: say which sizes it draws (--size)")
    })?;
    Ok([width, height])
}

/// Text from a file, short enough for a message.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
