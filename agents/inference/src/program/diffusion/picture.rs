//! The input picture of a request: as a state, and encoded.

use crate::{
    error::InferenceError,
    network::{Network, Values},
    package::Package,
    runtime::{Device, Placement},
};
use std::borrow::Cow;

const VAE_ENCODER: &str = "vae_encoder";

/// Of the exporter: means, then logarithms of variances, one channel of each for each of the latents. Older exports give a
/// sample that the network itself draws, and nobody can check that.
const OUTPUT: &str = "latent_parameters";

/// What a picture's code is divided by to be a value of a state. A power of two, so the value is exact; and below 1, like the
/// latents that a step makes of it.
const RANGE: f32 = 16_777_216.0;

/// Encodes pictures.
pub(super) struct Encoder {
    network: Network,
}

impl Encoder {
    pub(super) fn load(package: &Package, device: &Device) -> Result<Self, InferenceError> {
        let network = Network::load(package, VAE_ENCODER, device, Placement::Strict, &["sample"])?;
        Ok(Self { network })
    }

    /// Whether it gives the latents' distribution, which is the same on every run, and draws no sample of it.
    pub(super) fn is_checkable(&self) -> bool {
        self.network.has_output(OUTPUT)
    }

    /// Gives back its memory.
    pub(super) fn close(&mut self) {
        self.network.close();
    }

    /// The mean of what latents of `shape` (channels, rows, columns) could stand for the picture of `size` (width, height).
    /// `planes` are its colours.
    pub(super) fn mean(
        &mut self,
        planes: Vec<f32>,
        [width, height]: [u32; 2],
        [channels, rows, columns]: [usize; 3],
    ) -> Result<Vec<f32>, InferenceError> {
        let feed = ("sample", vec![1, 3, height as usize, width as usize], Values::F32(Cow::Owned(planes)));
        let mut outputs = self.network.run_for(&[feed], &[(OUTPUT, &[1, 2 * channels, rows, columns])])?;
        let mut mean = outputs.pop().unwrap_or_default();
        mean.truncate(channels * rows * columns);
        Ok(mean)
    }
}

/// A picture as a state has it: a value a pixel, (65536 R + 256 G + B) / 2²⁴. Three values a pixel would exceed what a
/// state may have at 1024x1024.
pub(super) fn pack(rgb: &[u8]) -> Vec<f32> {
    let code = |[r, g, b]: &[u8; 3]| u32::from_be_bytes([0, *r, *g, *b]) as f32 / RANGE;
    rgb.as_chunks().0.iter().map(code).collect()
}

/// The picture of a state as the encoder is shown it: planes of −1 to 1. What is no packed picture makes some other.
pub(super) fn planes(packed: &[f32]) -> Vec<f32> {
    let colour = |shift: u32| {
        let value = move |value: &f32| (((value * RANGE) as u32) >> shift & 0xff) as f32;
        packed.iter().map(move |packed| 2.0 * (value(packed) / 255.0) - 1.0)
    };
    [16, 8, 0].into_iter().flat_map(colour).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_survives_packing() {
        let corners = [0, 1, 127, 128, 254, 255];
        let rgb: Vec<u8> =
            corners.iter().flat_map(|&r| corners.map(|g| corners.map(|b| [r, g, b]))).flatten().flatten().collect();
        let packed = pack(&rgb);
        assert!(packed.iter().all(|value| (0.0..1.0).contains(value)));
        let planes = planes(&packed);
        let pixels = rgb.len() / 3;
        for (at, byte) in rgb.iter().enumerate() {
            let expected = 2.0 * (f32::from(*byte) / 255.0) - 1.0;
            assert_eq!(planes[at % 3 * pixels + at / 3].to_bits(), expected.to_bits());
        }
        assert_eq!(pack(&[255, 128, 1])[0].to_bits(), (16_744_449.0_f32 / 16_777_216.0).to_bits());
    }

    #[test]
    fn no_value_is_too_strange_to_look_at() {
        let planes = planes(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e30, 0.5]);
        assert_eq!(planes.len(), 18);
        assert!(planes.iter().all(|value| (-1.0..=1.0).contains(value)));
    }
}
