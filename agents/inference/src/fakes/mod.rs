//! Cheaper or other work that passes itself off as a model's: what tolerances are calibrated against.

mod package;
mod rewrite;
mod trick;

pub use crate::onnx::Malformed;
pub use package::rewrite;
pub use rewrite::Rewrite;
pub use trick::Trick;

use crate::{error::InferenceError, package::PackageError};
use std::io;

/// Why a fake could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FakeError {
    /// A network that cannot be altered.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// This fake cannot be made of this model.
    #[error("not for this model: {0}")]
    Inapplicable(String),
    /// The model's package cannot be read, or the altered one is refused.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The model could not run.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The altered package cannot be written.
    #[error("{path} cannot be written: {source}. Is the disk full? TMPDIR names another place for it")]
    Write {
        /// On this machine.
        path: String,
        /// Why.
        source: io::Error,
    },
}
