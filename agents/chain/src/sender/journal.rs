//! The file that remembers the one transaction in flight, so that a crash neither forgets it nor sends it twice, and the last before it, which
//! a reorganisation may drop from the chain and from every node's memory while the next waits for them.

use super::SendError;
use alloy::{
    consensus::{SignableTransaction, Signed, TxEip1559, TxEnvelope},
    eips::{Decodable2718, Encodable2718},
    network::TxSignerSync,
    primitives::{Address, Bytes, TxHash},
    signers::local::PrivateKeySigner,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Mined transactions that are kept while the agent runs.
const REMEMBERED: usize = 64;
/// Those that are written down: some have more than 64 KiB, and the disk has to take them all each time.
const WRITTEN: usize = 8;

/// What was mined, by nonce, as it was broadcast.
pub(super) type Mined = BTreeMap<u64, Vec<u8>>;

/// A transaction with those that it replaces, all of one nonce: any of them may be mined.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    /// What it is for, for people.
    pub(super) label: String,
    /// The attempt with the highest fees.
    pub(super) newest: Signed<TxEip1559>,
    /// Former attempts, oldest first.
    replaced: Vec<Signed<TxEip1559>>,
}

impl InFlight {
    /// Signs the first attempt.
    pub(super) fn new(label: &str, transaction: TxEip1559, signer: &PrivateKeySigner) -> Result<Self, SendError> {
        Ok(Self { label: label.to_owned(), newest: sign(transaction, signer)?, replaced: Vec::new() })
    }

    /// Signs another attempt.
    pub(super) fn replaced_by(&self, transaction: TxEip1559, signer: &PrivateKeySigner) -> Result<Self, SendError> {
        let mut replaced = self.replaced.clone();
        replaced.push(self.newest.clone());
        Ok(Self { label: self.label.clone(), newest: sign(transaction, signer)?, replaced })
    }

    /// Of all attempts.
    pub(super) fn nonce(&self) -> u64 {
        self.newest.tx().nonce
    }

    /// The attempt with a hash.
    pub(super) fn attempt(&self, hash: TxHash) -> Option<&Signed<TxEip1559>> {
        std::iter::once(&self.newest).chain(&self.replaced).find(|attempt| *attempt.hash() == hash)
    }

    /// Of all attempts, newest first.
    pub(super) fn hashes(&self) -> impl Iterator<Item = TxHash> {
        std::iter::once(&self.newest).chain(self.replaced.iter().rev()).map(|attempt| *attempt.hash())
    }
}

fn sign(mut transaction: TxEip1559, signer: &PrivateKeySigner) -> Result<Signed<TxEip1559>, SendError> {
    let signature = signer.sign_transaction_sync(&mut transaction)?;
    Ok(transaction.into_signed(signature))
}

/// How the file looks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Of the one in flight; none if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Its attempts as they are broadcast (EIP-2718), oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transactions: Vec<Bytes>,
    /// Mined before it, as they were broadcast.
    #[serde(default)]
    mined: Vec<Bytes>,
}

/// The journal of one key. Its lock keeps a second process away from the key.
pub(super) struct Journal {
    path: PathBuf,
    _lock: File,
    in_flight: Option<InFlight>,
    mined: Mined,
}

impl Journal {
    /// Opens the journal, or begins one.
    ///
    /// # Errors
    /// [`SendError`] if it is of another key or chain, malformed, or in use.
    pub(super) fn open(path: PathBuf, sender: Address, chain_id: u64) -> Result<Self, SendError> {
        let failed = |source| SendError::Journal { path: path.clone(), source };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let lock = path.with_extension("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock).map_err(failed)?;
        lock.try_lock().map_err(|_| SendError::InUse(path.clone()))?;
        let (in_flight, mined) = match std::fs::read(&path) {
            Ok(text) => {
                let foreign = |detail| SendError::ForeignJournal { path: path.clone(), detail };
                parse(&text, sender, chain_id).map_err(foreign)?
            }
            Err(e) if e.kind() == ErrorKind::NotFound => (None, BTreeMap::new()),
            Err(e) => return Err(failed(e)),
        };
        Ok(Self { path, _lock: lock, in_flight, mined })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in flight.
    pub(super) fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// What was mined last.
    pub(super) fn mined(&self) -> &Mined {
        &self.mined
    }

    /// Takes note of what was mined; the next write has it.
    pub(super) fn remember(&mut self, nonce: u64, attempt: Vec<u8>) {
        // Those after it, if any, are of a history that is no more.
        self.mined.split_off(&nonce);
        self.mined.insert(nonce, attempt);
        while self.mined.len() > REMEMBERED {
            self.mined.pop_first();
        }
    }

    /// Stores what is about to be broadcast: it must be on the disk before anybody sees it.
    pub(super) async fn store(&mut self, in_flight: InFlight) -> Result<(), SendError> {
        let attempts = in_flight.replaced.iter().chain([&in_flight.newest]);
        let transactions = attempts.map(|attempt| attempt.encoded_2718().into()).collect();
        self.write(Some(in_flight.label.clone()), transactions).await?;
        self.in_flight = Some(in_flight);
        Ok(())
    }

    /// Nothing is in flight any more. What was mined last stays.
    pub(super) async fn clear(&mut self) -> Result<(), SendError> {
        self.write(None, Vec::new()).await?;
        self.in_flight = None;
        Ok(())
    }

    async fn write(&self, label: Option<String>, transactions: Vec<Bytes>) -> Result<(), SendError> {
        let mined = self.mined.values().rev().take(WRITTEN).map(|attempt| attempt.clone().into()).collect();
        let record = Record { label, transactions, mined };
        let text = serde_json::to_vec_pretty(&record).map_err(|e| self.failed(e.into()))?;
        self.on_disk(move |path| write(path, &text)).await
    }

    /// Syncing takes a disk milliseconds, in which others shall run.
    async fn on_disk<F>(&self, work: F) -> Result<(), SendError>
    where
        F: FnOnce(&Path) -> io::Result<()> + Send + 'static,
    {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.map_err(io::Error::other).flatten().map_err(|e| self.failed(e))
    }

    fn failed(&self, source: io::Error) -> SendError {
        SendError::Journal { path: self.path.clone(), source }
    }
}

fn parse(text: &[u8], sender: Address, chain_id: u64) -> Result<(Option<InFlight>, Mined), String> {
    let record: Record = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let mut replaced: Vec<Signed<TxEip1559>> = Vec::new();
    for raw in &record.transactions {
        let attempt = decode(raw, sender, chain_id)?;
        if replaced.first().is_some_and(|first| first.tx().nonce != attempt.tx().nonce) {
            return Err("its transactions are of several nonces".into());
        }
        replaced.push(attempt);
    }
    let in_flight = match (record.label, replaced.pop()) {
        (Some(label), Some(newest)) => Some(InFlight { label, newest, replaced }),
        (None, None) => None,
        (Some(_), None) => return Err("it holds a label and no transaction".into()),
        (None, Some(_)) => return Err("it holds a transaction and no label".into()),
    };
    let mut mined = BTreeMap::new();
    for raw in &record.mined {
        mined.insert(decode(raw, sender, chain_id)?.tx().nonce, raw.to_vec());
    }
    Ok((in_flight, mined))
}

fn decode(raw: &[u8], sender: Address, chain_id: u64) -> Result<Signed<TxEip1559>, String> {
    let Ok(TxEnvelope::Eip1559(attempt)) = TxEnvelope::decode_2718_exact(raw) else {
        return Err("it holds something else than EIP-1559 transactions".into());
    };
    let signer =
        attempt.signature().recover_address_from_prehash(&attempt.signature_hash()).map_err(|e| e.to_string())?;
    if signer != sender {
        return Err(format!("it is of the key {signer}, not of {sender}"));
    }
    if attempt.tx().chain_id != chain_id {
        return Err(format!("it is of chain {}, not of {chain_id}", attempt.tx().chain_id));
    }
    Ok(attempt)
}

/// Replaces the file in one step: after a crash it is the old one or the new one, whole.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_directory(path)
}

/// Makes a rename outlast a power failure.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
