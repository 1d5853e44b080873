//! The Cuckoo network as the chain has it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`chain`] | the connection: RPC failover, chain and Registry checked, the clock |
//! | [`view`] | who is registered with what weight, followed block by block |
//! | [`beacon`] | what draws juries, brought to the chain |
//! | [`disputes`] | disputes followed block by block, their evidence, and the verbs of those who take part |
//! | [`logs`] | blocks and logs, read in ranges that the node allows |
//! | [`sender`] | transactions of one key: simulated, journalled, bumped, reconciled |
//! | [`register`] | an operator's registration with its node's consent |
//! | [`keystore`] | encrypted keys and their passwords |
//! | [`error`] | what contracts revert with, in words |
//! | [`command`] | the commands that both agents share |

pub mod beacon;
pub mod chain;
pub mod command;
pub mod disputes;
pub mod error;
pub mod keystore;
pub mod logs;
pub mod register;
pub mod sender;
mod transport;
pub mod view;

pub use chain::{Chain, ChainError, Timing};
pub use sender::{SendError, Sender};
pub use view::{Operator, Snapshot, View};
