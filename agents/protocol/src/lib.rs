//! What the parts of the Cuckoo network agree on: EIP-712 messages and contract bindings generated from the Solidity
//! interfaces, the canonical encodings of requests, traces and outputs, and the wire types of the link and the app API.
//!
//! Nothing here does I/O.

pub mod amount;
pub mod body;
pub mod contracts;
pub mod deployment;
pub mod dispute;
pub mod draw;
pub mod link;
pub mod manifest;
pub mod merkle;
pub mod message;
pub mod path;
pub mod receipt;
pub mod request;
pub mod trace;
