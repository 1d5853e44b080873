//! Bindings of the contracts and their EIP-712 structs, generated from `contracts/interfaces`.

#![allow(missing_docs, clippy::too_many_arguments)]

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
