//! Why a model could not be loaded, or a request not be run.

use crate::{package::PackageError, scheduler::SchedulerError};
use cuckoo_protocol::manifest::BodyError;

/// Why a model could not be loaded, or a request not be run.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The request asks for what the manifest does not allow.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The package's files are not what its manifest says.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package's scheduler settings cannot be followed.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// [`crate::runtime::init`] was not called.
    #[error("ONNX Runtime is not loaded: call runtime::init first")]
    NotInitialised,
    /// ONNX Runtime refused the device.
    #[error(
        "{device} cannot be used: {reason}. A CUDA device needs NVIDIA's driver, and the GPU build of ONNX Runtime with CUDA and \
         cuDNN, which `make setup-cuda` fetches, or ORT_DYLIB_PATH names; there is no silent fallback to the CPU"
    )]
    Device {
        /// Such as `CUDA device 0`.
        device: String,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// ONNX Runtime could not open a network.
    #[error("{part}/model.onnx cannot be opened: {reason}")]
    Open {
        /// Folder of the package.
        part: String,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// A part of the package is not what this program runs.
    #[error("{part} does not fit the program: {reason}")]
    Unfit {
        /// Folder of the package.
        part: String,
        /// What differs.
        reason: String,
    },
    /// A network failed while it ran.
    #[error("{part} failed: {reason}")]
    Run {
        /// Folder of the package.
        part: String,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// The device, or the machine, has too little memory for a network.
    #[error("the memory of {device} does not hold {part}: {reason}")]
    Memory {
        /// Folder of the package.
        part: String,
        /// Such as `CUDA device 0`.
        device: String,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// A request is too large for the memory there is. The model goes on working, and a request of the size that fits will do.
    #[error(
        "{size} does not fit into the memory of {device}: {}. {reason}",
        fits.as_ref().map_or("no smaller size that the model allows does either".to_owned(), |fits| format!("{fits} would"))
    )]
    TooLarge {
        /// Width x height, or what else was asked for.
        size: String,
        /// Such as `CUDA device 0`.
        device: String,
        /// The largest size of the manifest's that does fit.
        fits: Option<String>,
        /// Which network asked for how much.
        reason: String,
    },
    /// A state has another size than the request's states have.
    #[error("a state of this request has {expected} bytes, this one {found}")]
    State {
        /// Bytes.
        expected: usize,
        /// Bytes.
        found: usize,
    },
    /// A picture has not as many bytes as its size takes.
    #[error("a picture of {expected} was expected, not {found}")]
    Image {
        /// Width x height.
        expected: String,
        /// Bytes.
        found: String,
    },
    /// An output is of another kind or size than the request's.
    #[error("{expected} was expected, not {found}")]
    Output {
        /// By the request.
        expected: String,
        /// As claimed.
        found: String,
    },
    /// An output of nothing.
    #[error("the output is empty")]
    Empty,
    /// The input pictures have another size than the request's.
    #[error("the request comes with {expected} bytes of input pictures, not {found}")]
    Blob {
        /// Bytes.
        expected: usize,
        /// Bytes.
        found: usize,
    },
    /// There is no such step.
    #[error("the request has steps 0 to {last}, not {step}")]
    Step {
        /// What was asked for.
        step: u32,
        /// N − 1.
        last: u32,
    },
    /// A result that nobody could check: no miner may sign it.
    #[error("{what} is not finite: the model cannot run this request on this device, refuse it")]
    NonFinite {
        /// Which state, or the output.
        what: String,
    },
    /// The caller stopped the request.
    #[error("the request was cancelled after {done} of {steps} steps")]
    Cancelled {
        /// Steps done.
        done: u32,
        /// Steps asked for.
        steps: u32,
    },
    /// A picture could not be written as PNG.
    #[error("the picture cannot be encoded: {0}")]
    Png(#[from] image::ImageError),
}

impl InferenceError {
    /// An [`InferenceError::Unfit`].
    pub(crate) fn unfit(part: &str, reason: impl Into<String>) -> Self {
        Self::Unfit { part: part.to_owned(), reason: reason.into() }
    }
}
