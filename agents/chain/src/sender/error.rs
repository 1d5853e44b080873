//! What can go wrong with a transaction.

use alloy::{
    primitives::{Address, TxHash},
    signers::Error as SignerError,
    transports::TransportError,
};
use std::path::PathBuf;

/// Why a transaction did not happen, or was not seen to.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The contract would revert: nothing was sent and no gas was spent.
    #[error("{0}")]
    Refused(String),
    /// The node does not take it, for want of gas money or the like; nothing was sent.
    #[error("the node does not take the transaction of {sender}: {reason}")]
    Rejected {
        /// Needs native coin for gas.
        sender: Address,
        /// In the node's words.
        reason: String,
    },
    /// It was mined and reverted: the state changed between simulation and block.
    #[error("transaction {hash} failed: {reason}")]
    Reverted {
        /// Of the transaction.
        hash: TxHash,
        /// In words.
        reason: String,
    },
    /// Another transaction has taken its nonce.
    #[error("something else sent transaction {nonce} of {sender}: nothing but this agent may use its key")]
    Superseded {
        /// The key's account.
        sender: Address,
        /// The nonce.
        nonce: u64,
    },
    /// The chain has not seen the account's former transactions.
    #[error(
        "the chain knows {known} transactions of {sender}, but number {nonce} is in flight: if it was started afresh, delete {journal}"
    )]
    Gap {
        /// The key's account.
        sender: Address,
        /// Of the account, by the chain.
        known: u64,
        /// In flight.
        nonce: u64,
        /// The file to delete.
        journal: PathBuf,
    },
    /// The journal cannot be read or written. Without it nothing is sent.
    #[error("the transaction journal {path}: {source}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The journal is not this key's on this chain.
    #[error(
        "the transaction journal {path} cannot be used ({detail}): give each key and chain a data directory of its own"
    )]
    ForeignJournal {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Two processes with one key would take each other's nonces.
    #[error("the transaction journal {0} is in use: is the agent running already?")]
    InUse(PathBuf),
    /// The key does not sign.
    #[error("the key does not sign: {0}")]
    Sign(#[from] SignerError),
    /// The chain could not be asked; nothing was sent.
    #[error("the chain does not answer: {0}")]
    Rpc(#[from] TransportError),
    /// Shut down while waiting; what is in flight is finished at the next start.
    #[error("shut down before the transaction was mined")]
    Shutdown,
}
