//! The file that remembers the one transaction in flight, so that a crash neither forgets it nor sends it twice, and those before it, which
//! a reorganisation may drop from the chain and from every node's memory while it waits for them.

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
/// Those that are written down with the one in flight: some have more than 64 KiB, and the disk has to take them all each time.
const WRITTEN: usize = 8;

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
    label: String,
    /// As they are broadcast (EIP-2718), oldest first.
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
    /// The last attempts that were mined, by nonce, as they were broadcast.
    mined: BTreeMap<u64, Vec<u8>>,
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
                let (in_flight, mined) = parse(&text, sender, chain_id).map_err(foreign)?;
                (Some(in_flight), mined)
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

    /// What was mined last, by nonce, as it was broadcast.
    pub(super) fn mined(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.mined
    }

    /// Takes note of what was mined; the next that is stored has it beside it on the disk.
    pub(super) fn remember(&mut self, nonce: u64, attempt: Vec<u8>) {
        self.mined.insert(nonce, attempt);
        while self.mined.len() > REMEMBERED {
            self.mined.pop_first();
        }
    }

    /// Stores what is about to be broadcast: it must be on the disk before anybody sees it.
    pub(super) async fn store(&mut self, in_flight: InFlight) -> Result<(), SendError> {
        let attempts = in_flight.replaced.iter().chain([&in_flight.newest]);
        let transactions = attempts.map(|attempt| attempt.encoded_2718().into()).collect();
        let mined = self.mined.values().rev().take(WRITTEN).map(|attempt| attempt.clone().into()).collect();
        let record = Record { label: in_flight.label.clone(), transactions, mined };
        let text = serde_json::to_vec_pretty(&record).map_err(|e| self.failed(e.into()))?;
        self.on_disk(move |path| write(path, &text)).await?;
        self.in_flight = Some(in_flight);
        Ok(())
    }

    /// Forgets what has been mined.
    pub(super) async fn clear(&mut self) -> Result<(), SendError> {
        self.on_disk(remove).await?;
        self.in_flight = None;
        Ok(())
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

fn parse(text: &[u8], sender: Address, chain_id: u64) -> Result<(InFlight, BTreeMap<u64, Vec<u8>>), String> {
    let record: Record = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let mut replaced: Vec<Signed<TxEip1559>> = Vec::new();
    for raw in &record.transactions {
        let attempt = decode(raw, sender, chain_id)?;
        if replaced.first().is_some_and(|first| first.tx().nonce != attempt.tx().nonce) {
            return Err("its transactions are of several nonces".into());
        }
        replaced.push(attempt);
    }
    let newest = replaced.pop().ok_or("it holds no transaction")?;
    let mut mined = BTreeMap::new();
    for raw in &record.mined {
        mined.insert(decode(raw, sender, chain_id)?.tx().nonce, raw.to_vec());
    }
    Ok((InFlight { label: record.label, newest, replaced }, mined))
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

fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    sync_directory(path)
}

/// Makes a rename or removal outlast a power failure.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
