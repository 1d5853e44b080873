//! What is asked while tolerances are calibrated: the corners of what the manifest allows.

use crate::noise;
use cuckoo_protocol::{
    body::{Body, Decimal},
    manifest::{BodyError, Limits, Manifest},
};

/// A request with its input pictures.
pub(super) struct Ask {
    pub(super) body: Body,
    pub(super) blob: Vec<u8>,
}

/// Short and long, none, with signs and in scripts that a vocabulary may lack.
const PROMPTS: [&str; 8] = [
    "a red apple",
    "a blue house on a yellow background",
    "two green cats",
    "",
    "a photograph of an astronaut riding a horse on the moon, dramatic light, highly detailed, 35 mm, f/1.8",
    "three orange stars & a purple moon!",
    "北京的一座桥 🌉",
    "café, señor; naïve — 100%",
];

/// More steps than this show nothing that fewer do not.
const MOST_STEPS: u32 = 50;

/// `count` requests that the manifest allows: of four, one with its defaults, one with a negative prompt, one with many steps, one
/// with the strongest guidance; samplers and sizes take turns. Where requests may come with a picture, every second one does.
///
/// # Errors
/// [`BodyError`] if the manifest's own limits contradict each other.
pub(super) fn asks(manifest: &Manifest, count: usize) -> Result<Vec<Ask>, BodyError> {
    (0..count).map(|index| ask(manifest, index)).collect()
}

fn ask(manifest: &Manifest, index: usize) -> Result<Ask, BodyError> {
    let prompt = PROMPTS[index % PROMPTS.len()];
    let mut body = manifest.default_body(prompt.to_owned());
    match (&mut body, &manifest.limits) {
        (Body::Image(image), Limits::Image(limits)) => {
            image.seed = index as u64;
            if let Some(scheduler) = turn(&limits.schedulers, index) {
                image.scheduler.clone_from(scheduler);
            }
            if let Some(&[width, height]) = turn(&limits.sizes, index) {
                (image.width, image.height) = (width, height);
            }
            match index % 4 {
                1 => image.negative_prompt = "blurry, a yellow dog".to_owned(),
                2 => image.steps = limits.max_steps.min(MOST_STEPS).max(image.steps),
                3 => image.guidance = stronger(&image.guidance, &limits.max_guidance),
                _ => {}
            }
            if limits.input_picture && index % 2 == 1 {
                image.strength = if image.steps > 1 { "0.5".parse().ok() } else { Some(Decimal::one()) };
            }
        }
        (Body::Embedding(texts), Limits::Embedding(limits)) => {
            let fit = |text: &&str| !text.is_empty() && text.len() <= limits.max_text_bytes as usize;
            let most = (limits.max_texts as usize).min(1 + index % PROMPTS.len());
            let several: Vec<String> = PROMPTS.iter().copied().filter(fit).take(most).map(str::to_owned).collect();
            if !several.is_empty() {
                texts.input = several;
            }
            if let Some(&dimensions) = turn(&limits.dimensions, index) {
                texts.dimensions = dimensions;
            }
        }
        _ => {}
    }
    manifest.check(&body)?;
    // Noise, as bytes around the middle.
    let pixels = noise::normals(index as u64, 1, body.blob_bytes());
    let blob = pixels.iter().map(|normal| (normal * 64.0 + 128.0) as u8).collect();
    Ok(Ask { body, blob })
}

/// The entry whose turn it is.
fn turn<T>(entries: &[T], index: usize) -> Option<&T> {
    entries.get(index % entries.len().max(1))
}

fn stronger(a: &Decimal, b: &Decimal) -> Decimal {
    if a.to_f64() > b.to_f64() { a.clone() } else { b.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuckoo_protocol::manifest::Defaults;
    use std::collections::BTreeSet;

    fn manifest() -> Manifest {
        let tiny = include_bytes!("../../../../models/cuckoo-tiny/cuckoo.json");
        Manifest::parse(tiny).unwrap()
    }

    #[test]
    fn where_requests_may_come_with_a_picture_every_second_one_does() {
        let mut manifest = manifest();
        assert!(asks(&manifest, 8).unwrap().iter().all(|ask| ask.body.blob_bytes() == 0 && ask.blob.is_empty()));
        for steps in [1, 10] {
            let (Limits::Image(limits), Defaults::Image(defaults)) = (&mut manifest.limits, &mut manifest.defaults)
            else {
                panic!("it draws")
            };
            (limits.input_picture, defaults.steps) = (true, steps);
            let asks = asks(&manifest, 8).unwrap();
            for (index, Ask { body, blob }) in asks.iter().enumerate() {
                let Body::Image(image) = body else { panic!("it draws") };
                assert_eq!(image.strength.is_some(), index % 2 == 1, "{index}");
                assert_eq!(blob.len(), if index % 2 == 1 { 32 * 32 * 3 } else { 0 });
                // An encoded picture of which nothing is drawn would be no request.
                assert!(image.strength.is_none() || image.drawn_steps() > 0, "{image:?}");
            }
            let pictures: BTreeSet<&Vec<u8>> =
                asks.iter().map(|ask| &ask.blob).filter(|blob| !blob.is_empty()).collect();
            assert_eq!(pictures.len(), 4, "each its own");
        }
    }
}
