//! An independent model of the contracts, and what compares it with them.
//!
//! The model ([`model`]) is written from `contracts/interfaces`, in exact integers, with data structures of its own. Random operations
//! ([`generate`]) are applied to it and to the deployed bytecode on a real EVM ([`evm`]); whatever both can be asked is compared to the wei
//! ([`compare`]). A difference is cut down to the few operations that show it ([`shrink`]).

pub mod abi;
pub mod compare;
mod encode;
pub mod evm;
pub mod generate;
pub mod math;
pub mod model;
pub mod names;
pub mod network;
pub mod operation;
pub mod receipt;
pub mod replay;
pub mod revert;
pub mod shrink;
pub mod trace;
pub mod world;
