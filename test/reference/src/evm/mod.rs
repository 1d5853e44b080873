//! The contracts themselves: their deployed bytecode on an EVM in this process.

mod artefacts;
mod chain;

pub use self::{artefacts::Artefacts, chain::Chain};
