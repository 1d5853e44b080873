//! Transactions of one key: simulated, journalled, broadcast, bumped when stuck, and reconciled after a restart.
//!
//! One transaction is in flight at a time, and nothing else may use the key, so its nonce has one meaning: whatever was
//! broadcast with it, at most one is mined. The signed transaction is on the disk before it is broadcast; after a crash it is
//! looked for by its hash and broadcast again, never signed anew with another nonce.

mod error;
mod fees;
mod journal;

use crate::{Chain, error::explain};
use alloy::{
    consensus::TxEip1559,
    eips::{BlockId, Encodable2718},
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxKind},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    transports::TransportError,
};
pub use error::SendError;
use journal::{InFlight, Journal, Mined};
use std::{cmp::Ordering, ops::Range, path::PathBuf, sync::Arc, time::Instant};
use tokio::{sync::Mutex, time::sleep};
use tracing::{debug, info, warn};

/// Looks at the chain after which a nonce that others used is believed: nodes behind one URL may be a block apart.
const LOOKS: u32 = 3;

/// How many times as long as for any other transaction is waited for one that has been mined before, until its absence is an error.
const RESTORING: u32 = 4;

/// Sends the transactions of one key, one after the other. Clones share the key.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    chain: Chain,
    signer: PrivateKeySigner,
    state: Mutex<State>,
}

struct State {
    journal: Journal,
    /// One after the last nonce that was seen mined: a node that lags behind may say less.
    least_nonce: u64,
}

impl Sender {
    /// Opens the journal and finishes, in the background, what a former process left in flight. Warns of an account without native
    /// coin, which would be noticed only when a window for a transaction runs out.
    ///
    /// # Errors
    /// [`SendError`] if the journal is of another key or chain, malformed, or in use by another process.
    pub async fn open(chain: &Chain, signer: PrivateKeySigner, journal: PathBuf) -> Result<Self, SendError> {
        let journal = Journal::open(journal, signer.address(), chain.deployment().chain_id)?;
        let left = journal.in_flight().is_some();
        let state = Mutex::new(State { journal, least_nonce: 0 });
        let sender = Self(Arc::new(Inner { chain: chain.clone(), signer, state }));
        let inner = sender.0.clone();
        tokio::spawn(async move {
            if left {
                if let Err(e) = inner.finish_former(&mut *inner.state.lock().await).await {
                    warn!("a former transaction is still in flight: {e}");
                }
            } else if inner.is_unfunded().await {
                warn!(account = %inner.signer.address(), "no native coin: send it some, or it can make no transaction");
            }
        });
        Ok(sender)
    }

    /// The account that sends and pays the gas.
    pub fn address(&self) -> Address {
        self.0.signer.address()
    }

    /// Sends a transaction and waits until it is mined, however long that takes; those before it come first. `label` names it
    /// in logs. If the returned future is dropped, the transaction may happen all the same.
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::Gap`], [`SendError::Shutdown`] and [`SendError::Journal`] it may still happen, else it has
    /// not and will not.
    pub async fn send(&self, to: Address, calldata: Bytes, label: &str) -> Result<TransactionReceipt, SendError> {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        inner.finish_former(&mut state).await?;
        let transaction = inner.prepare(state.least_nonce, to, calldata).await?;
        let in_flight = InFlight::new(label, transaction, &inner.signer)?;
        state.journal.store(in_flight.clone()).await?;
        inner.finish(&mut state, in_flight, true).await
    }
}

/// What the chain says about a transaction in flight.
enum Fate {
    /// Not mined yet.
    Waiting,
    Mined(Box<TransactionReceipt>),
    /// Its nonce is spent, but not by any attempt that is known here.
    Superseded,
    /// Transactions before it are missing.
    Gap {
        known: u64,
    },
}

impl Inner {
    async fn is_unfunded(&self) -> bool {
        let balance = self.chain.provider().get_balance(self.signer.address()).await;
        balance.is_ok_and(|balance| balance.is_zero())
    }

    /// Sees to it that nothing is in flight.
    async fn finish_former(&self, state: &mut State) -> Result<(), SendError> {
        let Some(former) = state.journal.in_flight().cloned() else { return Ok(()) };
        info!(label = former.label, nonce = former.nonce(), "finishing a former transaction");
        match self.finish(state, former, false).await {
            // Over and done with, if not well: no reason not to go on.
            Err(e @ (SendError::Reverted { .. } | SendError::Superseded { .. })) => {
                warn!("a former transaction: {e}");
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// Simulates a call and makes a transaction of it.
    async fn prepare(&self, least_nonce: u64, to: Address, input: Bytes) -> Result<TxEip1559, SendError> {
        let (provider, sender) = (self.chain.provider(), self.signer.address());
        let call = self.request(TxKind::Call(to), input.clone());
        let gas = provider.estimate_gas(call).await.map_err(|e| match (revert_data(&e), e.as_error_resp()) {
            (Some(data), _) => SendError::Refused(explain(&data)),
            (None, Some(refusal)) => SendError::Rejected { sender, reason: refusal.message.to_string() },
            (None, None) => e.into(),
        })?;
        let fees = provider.estimate_eip1559_fees().await?;
        let nonce = provider.get_transaction_count(sender).pending().await?.max(least_nonce);
        Ok(TxEip1559 {
            chain_id: self.chain.deployment().chain_id,
            nonce,
            // A fifth more: the state may change before it is mined.
            gas_limit: gas.saturating_add(gas / 5),
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: TxKind::Call(to),
            input,
            ..Default::default()
        })
    }

    /// Broadcasts what is in the journal, again and again, until it is mined. Only a `fresh` one, which no node has seen yet, may
    /// be turned away.
    async fn finish(
        &self,
        state: &mut State,
        mut in_flight: InFlight,
        mut fresh: bool,
    ) -> Result<TransactionReceipt, SendError> {
        let (timing, sender, nonce) = (self.chain.timing(), self.signer.address(), in_flight.nonce());
        let mut gap = None::<(u64, Instant)>;
        let (mut delivered, mut superseded, mut waiting) = (None::<Instant>, 0, false);
        loop {
            if waiting && delivered.is_some_and(|at| at.elapsed() >= timing.bump_after) {
                match self.raise(&mut state.journal, &in_flight).await {
                    Ok(raised) => in_flight = raised,
                    Err(e) => {
                        warn!(label = in_flight.label, nonce, "cannot raise the fees of a stuck transaction: {e}")
                    }
                }
                delivered = None;
            }
            if delivered.is_none() {
                match self.broadcast(&in_flight).await {
                    Ok(()) => delivered = Some(Instant::now()),
                    Err(SendError::Rejected { sender, reason }) if fresh => {
                        state.journal.clear().await?;
                        return Err(SendError::Rejected { sender, reason });
                    }
                    Err(e @ SendError::Rejected { .. }) => {
                        // Perhaps because it, or a former attempt, is mined; if not, it is tried again when it counts as stuck.
                        warn!(label = in_flight.label, nonce, "{e}");
                        delivered = Some(Instant::now());
                    }
                    Err(e) => debug!(nonce, "cannot broadcast, trying again: {e}"),
                }
                fresh = false;
            }
            let fate = self.fate(&in_flight).await;
            waiting = matches!(fate, Ok(Fate::Waiting));
            match fate {
                Ok(Fate::Waiting) => superseded = 0,
                Ok(Fate::Mined(receipt)) => {
                    state.least_nonce = nonce + 1;
                    if let Some(attempt) = in_flight.attempt(receipt.transaction_hash) {
                        state.journal.remember(nonce, attempt.encoded_2718());
                    }
                    if let Err(e) = state.journal.clear().await {
                        warn!("{e}: the transaction is mined all the same");
                    }
                    let (hash, block) = (receipt.transaction_hash, receipt.block_number);
                    info!(label = in_flight.label, nonce, %hash, block, gas = receipt.gas_used, "transaction mined");
                    return self.judge(&in_flight, *receipt).await;
                }
                Ok(Fate::Superseded) if superseded + 1 < LOOKS => superseded += 1,
                Ok(Fate::Superseded) => {
                    state.journal.clear().await?;
                    return Err(SendError::Superseded { sender, nonce });
                }
                Ok(Fate::Gap { known }) => {
                    let mined = state.journal.mined();
                    // What a reorganisation took back is known here, and only has to be mined again.
                    let patience = timing.bump_after * if mined.contains_key(&known) { RESTORING } else { 1 };
                    let since =
                        gap.filter(|(before, _)| *before == known).map_or_else(Instant::now, |(_, since)| since);
                    if since.elapsed() >= patience {
                        let journal = state.journal.path().to_owned();
                        return Err(SendError::Gap { sender, known, nonce, journal });
                    }
                    gap = Some((known, since));
                    self.restore(mined, known..nonce).await;
                }
                Err(e) => debug!(nonce, "cannot look for a transaction: {e}"),
            }
            tokio::select! {
                () = sleep(timing.poll) => {}
                () = self.chain.shutdown().cancelled() => return Err(SendError::Shutdown),
            }
        }
    }

    /// Broadcasts again what was mined once and is missing now.
    async fn restore(&self, mined: &Mined, missing: Range<u64>) {
        for (nonce, attempt) in mined.range(missing) {
            match self.chain.provider().send_raw_transaction(attempt).await {
                Ok(_) => warn!(nonce, "the chain has dropped a transaction that was mined: sent it again"),
                Err(e) => debug!(nonce, "a dropped transaction is not taken again: {e}"),
            }
        }
    }

    /// Hands the newest attempt to the node.
    async fn broadcast(&self, in_flight: &InFlight) -> Result<(), SendError> {
        let (provider, hash) = (self.chain.provider(), *in_flight.newest.hash());
        match provider.send_raw_transaction(&in_flight.newest.encoded_2718()).await {
            Ok(_) => {
                info!(label = in_flight.label, nonce = in_flight.nonce(), %hash, "transaction sent");
                Ok(())
            }
            // A node that has it already says so by an error, each in its own words.
            Err(e) => match e.as_error_resp() {
                Some(_) if provider.get_transaction_by_hash(hash).await?.is_some() => Ok(()),
                Some(refusal) => {
                    Err(SendError::Rejected { sender: self.signer.address(), reason: refusal.message.to_string() })
                }
                None => Err(e.into()),
            },
        }
    }

    /// Journals the next attempt, with higher fees, unless they are high enough.
    async fn raise(&self, journal: &mut Journal, in_flight: &InFlight) -> Result<InFlight, SendError> {
        let now = self.chain.provider().estimate_eip1559_fees().await?;
        let before = in_flight.newest.tx();
        let Some(fees) = fees::raised(before, &now) else { return Ok(in_flight.clone()) };
        warn!(
            label = in_flight.label,
            nonce = before.nonce,
            from = before.max_fee_per_gas,
            to = fees.max_fee_per_gas,
            "transaction is stuck, raising its fees (wei a gas)"
        );
        let transaction = TxEip1559 {
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            ..before.clone()
        };
        let raised = in_flight.replaced_by(transaction, &self.signer)?;
        journal.store(raised.clone()).await?;
        Ok(raised)
    }

    async fn fate(&self, in_flight: &InFlight) -> Result<Fate, TransportError> {
        let (provider, nonce) = (self.chain.provider(), in_flight.nonce());
        let known = provider.get_transaction_count(self.signer.address()).await?;
        match known.cmp(&nonce) {
            Ordering::Equal => return Ok(Fate::Waiting),
            Ordering::Less => return Ok(Fate::Gap { known }),
            Ordering::Greater => {}
        }
        for hash in in_flight.hashes() {
            if let Some(receipt) = provider.get_transaction_receipt(hash).await? {
                return Ok(Fate::Mined(Box::new(receipt)));
            }
        }
        Ok(Fate::Superseded)
    }

    /// Tells success from failure, and asks the contract why.
    async fn judge(&self, in_flight: &InFlight, receipt: TransactionReceipt) -> Result<TransactionReceipt, SendError> {
        if receipt.status() {
            return Ok(receipt);
        }
        let (hash, transaction) = (receipt.transaction_hash, in_flight.newest.tx());
        if receipt.gas_used >= transaction.gas_limit {
            return Err(SendError::Reverted { hash, reason: "it ran out of gas".into() });
        }
        let call = self.request(transaction.to, transaction.input.clone());
        let at = receipt.block_number.map_or_else(BlockId::latest, BlockId::number);
        let reason = match self.chain.provider().call(call).block(at).await {
            Ok(_) => "the state changed between simulation and block; it may be tried again".into(),
            Err(e) => revert_data(&e).map_or_else(|| e.to_string(), |data| explain(&data)),
        };
        Err(SendError::Reverted { hash, reason })
    }

    fn request(&self, to: TxKind, input: Bytes) -> TransactionRequest {
        TransactionRequest::default().with_from(self.signer.address()).with_kind(to).with_input(input)
    }
}

fn revert_data(e: &TransportError) -> Option<Bytes> {
    e.as_error_resp()?.as_revert_data()
}
