//! `style-transfer`: draws one picture in the manner of another (Ghiasi et al., 2017), with two networks.
//!
//! s₀ holds the content and the style as numbers from 0 to 1. The first step looks at the style: s₁ holds the content, and a
//! vector for the style. The second draws: s₂ holds the picture before it is rounded to bytes, which `finish` does. So each
//! network is checked on the very input that the other left: small differences in the vector move the picture a lot.

use super::{Program, Run};
use crate::{
    error::InferenceError,
    image::Image,
    network::{Network, Values},
    output::Output,
    package::Package,
    runtime::{Device, Placement},
    state::State,
};
use cuckoo_protocol::{
    body::{Body, StyleBody},
    manifest::Limits,
};
use std::borrow::Cow;

/// Folder of the network that makes a vector of a style.
const PREDICTOR: &str = "style_predictor";

/// Folder of the network that draws.
const TRANSFORMER: &str = "style_transformer";

/// Inputs, as the exports of Magenta's networks name them.
const STYLE: &str = "style_image";
const CONTENT: &str = "content_image";
const VECTOR: &str = "mobilenet_conv/Conv/BiasAdd";

struct Style {
    predictor: Network,
    transformer: Network,
    /// Numbers in a style's vector.
    vector: usize,
}

pub(super) fn load(package: &Package, device: &Device) -> Result<Box<dyn Program>, InferenceError> {
    let manifest = package.manifest();
    let Limits::Style(limits) = &manifest.limits else {
        return Err(InferenceError::unfit("cuckoo.json", "its limits are not those of restyled pictures"));
    };
    let predictor = Network::load(package, PREDICTOR, device, Placement::Strict, &[STYLE])?;
    let transformer = Network::load(package, TRANSFORMER, device, Placement::Strict, &[CONTENT, VECTOR])?;
    let vector = transformer.input(VECTOR)?.size(3).filter(|size| (1..=4096).contains(size));
    let vector = vector.ok_or_else(|| InferenceError::unfit(TRANSFORMER, "its style vector has no fixed length"))?;
    let takes = |network: &Network, name: &str, sizes: &[[u32; 2]]| {
        let input = network.input(name)?;
        let fits = |axis, size: u32| input.size(axis).is_none_or(|fixed| fixed == size as usize);
        let all = sizes.iter().all(|&[width, height]| fits(1, height) && fits(2, width));
        let reason = || format!("{name} does not take all of {sizes:?}, which the manifest allows");
        if all { Ok(()) } else { Err(InferenceError::unfit("cuckoo.json", reason())) }
    };
    takes(&predictor, STYLE, &limits.style_sizes)?;
    takes(&transformer, CONTENT, &limits.sizes)?;
    let [width, height] = manifest.style_body().map(|body| [body.width, body.height])?;
    let shapes: Vec<&[u32]> = manifest.state.iter().map(|tensor| tensor.shape.as_slice()).collect();
    if shapes != [[height, width, 3]] {
        let reason = format!("it lists states {shapes:?} where this program has [[{height}, {width}, 3]]");
        return Err(InferenceError::unfit("cuckoo.json", reason));
    }
    Ok(Box::new(Style { predictor, transformer, vector }))
}

impl Program for Style {
    fn close(&mut self) {
        self.predictor.close();
        self.transformer.close();
    }

    fn open<'a>(&'a mut self, body: &Body) -> Result<Box<dyn Run + 'a>, InferenceError> {
        match body {
            Body::Style(body) => Ok(Box::new(Restyling { model: self, body: body.clone() })),
            other => Err(InferenceError::unfit("style-transfer", format!("it does not make {}", other.kind()))),
        }
    }
}

/// A request being worked on.
struct Restyling<'a> {
    model: &'a mut Style,
    body: StyleBody,
}

impl Restyling<'_> {
    /// Rows, columns and channels of the content.
    fn content(&self) -> [usize; 4] {
        [1, self.body.height as usize, self.body.width as usize, 3]
    }

    /// Rows, columns and channels of the style.
    fn style(&self) -> [usize; 4] {
        [1, self.body.style_height as usize, self.body.style_width as usize, 3]
    }
}

impl Run for Restyling<'_> {
    fn lengths(&self, k: u32) -> Vec<usize> {
        let [content, style] = [self.content(), self.style()].map(|shape| shape.iter().product());
        match k {
            0 => vec![content, style],
            1 => vec![content, self.model.vector],
            _ => vec![content],
        }
    }

    fn init(&mut self, blob: &[u8]) -> Result<State, InferenceError> {
        let lengths = self.lengths(0);
        let expected = lengths.iter().sum();
        if blob.len() != expected {
            return Err(InferenceError::Blob { expected, found: blob.len() });
        }
        let (content, style) = blob.split_at(lengths[0]);
        let numbers = |bytes: &[u8]| bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Ok(State::new(vec![numbers(content), numbers(style)]))
    }

    fn step(&mut self, k: u32, state: &State) -> Result<State, InferenceError> {
        if k > 1 {
            return Err(InferenceError::Step { step: k, last: 1 });
        }
        state.expect(&self.lengths(k))?;
        let (content, second) = (&state.tensors()[0], &state.tensors()[1]);
        let vector = vec![1, 1, 1, self.model.vector];
        if k == 0 {
            let feed = (STYLE, self.style().to_vec(), Values::F32(Cow::Borrowed(second.as_slice())));
            let found = self.model.predictor.run(&[feed], &vector)?;
            return Ok(State::new(vec![content.clone(), found]));
        }
        let shape = self.content();
        let feeds = [
            (CONTENT, shape.to_vec(), Values::F32(Cow::Borrowed(content.as_slice()))),
            (VECTOR, vector, Values::F32(Cow::Borrowed(second.as_slice()))),
        ];
        Ok(State::new(vec![self.model.transformer.run(&feeds, &shape)?]))
    }

    fn finish(&mut self, state: &State) -> Result<Output, InferenceError> {
        state.expect(&self.lengths(2))?;
        if !state.is_finite() {
            return Err(InferenceError::NonFinite { what: "the picture".into() });
        }
        let byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let rgb = state.tensors().iter().flatten().map(byte).collect();
        Ok(Output::Image(Image { width: self.body.width, height: self.body.height, rgb }))
    }
}
