//! The disputes on chain: followed block by block, their evidence, and the verbs of those who take part.
//!
//! | Module | Holds |
//! |---|---|
//! | [`docket`] | what events say of the disputes; pure |
//! | [`follow`] | keeps a docket up to date, from the chain alone |
//! | [`court`] | views and transactions of the contract: challenge, answer, commit, reveal, resolve, claim |
//! | [`finality`] | what a reorganisation cannot take back any more |
//!
//! Nothing is stored: after a restart everything that can still be alive is read again. Events above the final block are never
//! remembered between two looks, so that a reorg needs no undoing.

mod court;
mod docket;
mod finality;
mod follow;

pub use court::{Challenge, Court, EvidenceError, MAX_CHUNKS};
pub use docket::{Accusation, Dispute, Docket, End, Juror, Phase, Revealed};
pub use follow::{Following, follow};
