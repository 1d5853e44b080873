//! How strongly the prompt guides the drawing.

/// The denoiser's input for guidance that was distilled into it.
pub(super) const INPUT: &str = "timestep_cond";

/// A request's guidance.
pub(super) enum Guidance {
    /// The denoiser is run for two prompts, if the scale is above 1, and led from one to the other.
    Scale(f32),
    /// The denoiser is told (latent consistency models).
    Embedding(Vec<f32>),
}

impl Guidance {
    /// Of this scale; `embedding` are the numbers that the denoiser is told it with, if it is told.
    pub(super) fn new(scale: f32, embedding: Option<usize>) -> Self {
        embedding.map_or(Self::Scale(scale), |size| Self::Embedding(embed(scale, size)))
    }

    /// Whether the drawing is led away from a negative prompt.
    pub(super) fn leads_away(&self) -> bool {
        matches!(self, Self::Scale(scale) if *scale > 1.0)
    }

    /// The numbers that the denoiser is told it with; empty if it is not.
    pub(super) fn told(&self) -> &[f32] {
        match self {
            Self::Scale(_) => &[],
            Self::Embedding(embedding) => embedding,
        }
    }

    /// From what is made of the latents without the prompt, past what is made with it.
    pub(super) fn lead(&self, without: &[f32], with: &[f32]) -> Vec<f32> {
        let Self::Scale(scale) = self else { return with.to_vec() };
        without.iter().zip(with).map(|(without, with)| without + scale * (with - without)).collect()
    }
}

/// Sines and cosines of the scale less 1 at `size` / 2 frequencies, as diffusers' `get_guidance_scale_embedding` has them.
/// Functions are rounded once from 64 bits: alike on every machine.
fn embed(scale: f32, size: usize) -> Vec<f32> {
    let half = size / 2;
    let scale = (scale - 1.0) * 1000.0;
    let decay = libm::log(10_000.0) as f32 / (half - 1) as f32;
    let angles: Vec<f32> = (0..half).map(|i| libm::exp(f64::from(i as f32 * -decay)) as f32 * scale).collect();
    let sines = angles.iter().map(|&angle| libm::sin(f64::from(angle)) as f32);
    let cosines = angles.iter().map(|&angle| libm::cos(f64::from(angle)) as f32);
    // An odd one out is zero.
    sines.chain(cosines).chain([0.0]).take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedding_is_diffusers() {
        // LatentConsistencyModelPipeline.get_guidance_scale_embedding(torch.tensor([7.5 - 1]), size)
        for (scale, size, expected) in [
            (
                7.5_f32,
                8,
                vec![-0.04478474, 0.110189155, 0.99112326, 0.60518634, -0.9989967, 0.9939106, 0.13294603, 0.79608387],
            ),
            (1.0_f32, 4, vec![0.0, 0.0, 1.0, 1.0]),
            (9.25_f32, 7, vec![0.17675807, 0.73018384, 0.73454773, 0.98425436, 0.6832507, 0.67855704, 0.0]),
        ] {
            let found = embed(scale, size);
            assert_eq!(found.len(), size);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
            }
        }
    }
}
