//! Jurors that do not judge. They have stake, a node and a miner's agent of their own, follow the disputes as it does, and vote in time; only
//! what they say is not what they find.

use alloy::{
    consensus::Transaction,
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::Filter,
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result};
use cuckoo_chain::disputes::{Dispute, Docket};
use cuckoo_miner::duty::{Duty, Step, next, wad};
use cuckoo_protocol::{
    contracts::IDisputes::{self, Verdict},
    dispute::Ballot,
};
use rand::{RngExt, seq::IteratorRandom};
use std::collections::HashMap;

/// For which a refused step is tried again.
const TRIES: u32 = 3;

/// What a juror does instead of judging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostility {
    /// Says either by a coin, without running the model.
    AtRandom,
    /// Says guilty of everybody, without running the model.
    AlwaysGuilty,
    /// Commits to what another juror has committed to, and opens it with that one's vote, probe and salt.
    Copies,
    /// Does nothing.
    StaysAway,
    /// Runs the model, so that its probe is right, and says the opposite of what it finds: all who do so vote alike.
    Colludes,
}

impl Hostility {
    /// Whether it commits at all.
    pub fn commits(self) -> bool {
        self != Self::StaysAway
    }

    /// Whether what it commits to can be opened.
    pub fn opens(self) -> bool {
        !matches!(self, Self::StaysAway | Self::Copies)
    }
}

/// A juror that does not judge.
pub struct Hostile {
    kind: Hostility,
    duty: Duty,
    me: Address,
    /// By what was committed to.
    ballots: HashMap<B256, Ballot>,
    tries: HashMap<(B256, Step), u32>,
}

impl Hostile {
    /// Instead of `duty`, which is not run.
    pub fn new(kind: Hostility, duty: Duty, me: Address) -> Self {
        Self { kind, duty, me, ballots: HashMap::new(), tries: HashMap::new() }
    }

    /// Votes until the disputes are followed no more.
    pub async fn run(mut self) {
        if self.kind == Hostility::StaysAway {
            return;
        }
        let mut dockets = self.duty.following.subscribe();
        loop {
            let docket = dockets.borrow_and_update().clone();
            for dispute in docket.iter() {
                self.act(&docket, dispute).await;
            }
            if dockets.changed().await.is_err() {
                return;
            }
        }
    }

    async fn act(&mut self, docket: &Docket, dispute: &Dispute) {
        let Some(step) = next(docket, dispute, self.me, true, |_| false) else { return };
        let key = (dispute.id(), step);
        let tries = self.tries.get(&key).copied().unwrap_or_default();
        if tries >= TRIES {
            return;
        }
        let after = match self.take(docket, dispute, step).await {
            Ok(Some(())) => TRIES,
            Ok(None) => tries,
            // The contract's refusal of a copy or a claim is what it is tried for; anything else may pass.
            Err(_) => tries + 1,
        };
        self.tries.insert(key, after);
    }

    /// Does a step; none if it cannot be done yet. Beacons are left to others, and so is whatever anybody may do.
    async fn take(&mut self, docket: &Docket, dispute: &Dispute, step: Step) -> Result<Option<()>> {
        let id = dispute.id();
        match step {
            Step::Judge { round, seed, .. } => {
                let Some(commitment) = self.commitment(docket, dispute, round, seed).await else { return Ok(None) };
                self.duty.court.commit(id, commitment).await?;
            }
            Step::Reveal { commitment } => {
                let ballot = match self.ballots.get(&commitment) {
                    Some(ballot) => *ballot,
                    None => match self.copied(dispute, commitment).await? {
                        Some(ballot) => ballot,
                        None => return Ok(None),
                    },
                };
                self.duty.court.reveal(id, &ballot).await?;
            }
            Step::Claim { round, index } => drop(self.duty.court.claim(id, round, index).await?),
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// What to commit to; none if that cannot be told yet.
    async fn commitment(&mut self, docket: &Docket, dispute: &Dispute, round: u64, seed: B256) -> Option<B256> {
        let (verdict, probe) = match self.kind {
            Hostility::StaysAway => return None,
            // The first one: it cannot be a copy itself.
            Hostility::Copies => return dispute.jurors.iter().find(|juror| juror.round == round).map(|j| j.commitment),
            Hostility::AlwaysGuilty => (Verdict::Guilty, self.guess(docket)),
            Hostility::AtRandom => {
                let verdict = if rand::random() { Verdict::Guilty } else { Verdict::Innocent };
                (verdict, self.guess(docket))
            }
            Hostility::Colludes => {
                let finding = self.duty.finding(docket, dispute, seed).await?;
                let verdict = if finding.guilty { Verdict::Innocent } else { Verdict::Guilty };
                (verdict, wad(finding.probe))
            }
        };
        let ballot = Ballot { verdict, probe, salt: rand::random::<[u8; 32]>().into() };
        let commitment = ballot.commitment(dispute.id(), round, self.me);
        self.ballots.insert(commitment, ballot);
        Some(commitment)
    }

    /// The ballot of another juror behind the same commitment, salt and all, from its transaction; none before it is opened.
    async fn copied(&self, dispute: &Dispute, commitment: B256) -> Result<Option<Ballot>> {
        let opened =
            |juror: &&cuckoo_chain::disputes::Juror| juror.commitment == commitment && juror.revealed.is_some();
        let Some(author) = dispute.jurors.iter().find(opened) else { return Ok(None) };
        let (provider, contracts) = (self.duty.chain.provider(), self.duty.chain.deployment().contracts);
        let filter = Filter::new().address(contracts.disputes).event_signature(IDisputes::Revealed::SIGNATURE_HASH);
        let filter = filter.topic1(dispute.id()).topic2(U256::from(author.round)).topic3(author.operator);
        let logs = provider.get_logs(&filter.from_block(dispute.accusation.block)).await?;
        let hash = logs.first().and_then(|log| log.transaction_hash).context("an opened vote without a transaction")?;
        let sent = provider.get_transaction_by_hash(hash).await?.context("the transaction of a vote is not there")?;
        let call = IDisputes::revealCall::abi_decode(sent.input())?;
        Ok(Some(Ballot { verdict: call.verdict, probe: call.probe, salt: call.salt }))
    }

    /// The best guess of a probe without running the model: what somebody else has opened in another dispute.
    fn guess(&self, docket: &Docket) -> U256 {
        let others = docket.iter().flat_map(|dispute| &dispute.jurors).filter(|juror| juror.operator != self.me);
        let probes = others.filter_map(|juror| juror.revealed).map(|revealed| revealed.probe);
        let mut rng = rand::rng();
        probes.choose(&mut rng).unwrap_or_else(|| wad(rng.random()))
    }
}
