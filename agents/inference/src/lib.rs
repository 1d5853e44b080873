//! Runs the network's models with ONNX Runtime and leaves a trace that others can check step by step.
//!
//! [`Package::open`] checks a model's files, [`Model::load`] puts them on a [`Device`], [`Model::generate`] runs a request and
//! keeps every state, [`Model::check`] runs transitions of somebody else's trace again,
//! [`Model::judge`] does what a juror does. [`Model::successors`] and [`compare`] are a check by somebody else's machine.

mod audit;
mod batch;
pub mod calibration;
mod crew;
mod draft;
mod error;
mod external;
pub mod fakes;
mod image;
mod jury;
mod model;
mod network;
pub mod noise;
mod onnx;
mod output;
mod package;
mod program;
pub mod runtime;
pub mod scheduler;
mod session;
mod state;
mod successors;
mod tokenizer;
mod verdict;

pub use crate::image::Image;
pub use audit::{Deviation, Transition};
pub use batch::alike;
pub use draft::{Draft, Drafted};
pub use error::InferenceError;
pub use jury::{Evidence, Finding};
pub use model::{Generation, Model};
pub use output::{Output, Vectors};
pub use package::{MANIFEST, Package, PackageError};
pub use program::Run;
pub use runtime::{Device, Optimisation};
pub use state::State;
pub use successors::{Successors, compare};
pub use tokenizer::Tokenizer;
pub use verdict::{SEAM, judge};
