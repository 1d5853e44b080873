//! A whole Cuckoo network on one machine: a development chain, the contracts, staked and registered operators, and the
//! agents' own binaries as child processes. `make demo`, `make devnet` and the end-to-end tests run it.
//!
//! Nothing here is a stand-in: contracts are deployed by the deployment script, operators register with the agents'
//! `register` command, and every transaction is signed by the account that owns it.

pub mod account;
pub mod adversary;
pub mod agent;
pub mod anvil;
pub mod app;
pub mod attacks;
pub mod deploy;
pub mod keystore;
pub mod lazy;
pub mod ledger;
pub mod network;
pub mod operator;
pub mod payment;
pub mod plan;
pub mod process;
pub mod receipt;
pub mod refusal;
pub mod rogue;
pub mod site;
pub mod stock;
pub mod tally;
pub mod toolchain;
mod until;
pub mod verdict;
pub mod wallet;
pub mod zoo;

pub use until::until;
