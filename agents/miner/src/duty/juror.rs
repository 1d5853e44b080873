//! Drawn for a jury: the transition is run again from what is on chain, and the verdict committed to and opened in time.

use super::{BenchError, Duty, DutyError, Outcome};
use crate::{metrics, store::StoredBallot};
use alloy::primitives::{Address, B256, U256};
use cuckoo_chain::{
    SendError,
    beacon::Beacon,
    disputes::{Dispute, Docket},
};
use cuckoo_inference::{Evidence, Finding, InferenceError};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::IDisputes::Verdict,
    dispute::{Ballot, Part},
    request::Request,
};
use tracing::{error, info, warn};

/// Seconds that are over before any chain has forgotten a block's hash.
const SHORT_WINDOW: u32 = 60;

impl Duty {
    /// Sees to it that the beacon comes, and calls the jury then, if this miner sits on it or waits for its verdict. Who sits only the
    /// beacon tells, so all that may bring it.
    pub(super) async fn call_jury(
        &self,
        docket: &Docket,
        dispute: &Dispute,
        me: Address,
        beacon: u64,
    ) -> Result<Outcome, DutyError> {
        let id = dispute.id();
        let patience = super::patience(docket, dispute, me);
        // Half as long as for the call, which has to come in the same window.
        let brought = self.court.bring_beacon(beacon, patience / 2).await;
        metrics::beacon(&brought);
        if brought? == Beacon::Awaited || self.court.seed(id).await?.is_none() {
            return Ok(Outcome::Wait);
        }
        if dispute.accusation.accused != me && self.court.votes(id, me).await? == 0 {
            // Not for good: a reorganisation may give the same beacon another value, and this miner votes.
            return Ok(Outcome::Later);
        }
        tokio::time::sleep(patience).await;
        match self.court.resolve(id).await {
            // Somebody was faster.
            Err(SendError::Refused(_)) => Ok(Outcome::Wait),
            outcome => outcome.map(|()| Outcome::Done).map_err(DutyError::from),
        }
    }

    /// Computes a ballot, unless there is one for this seed already, and commits to it.
    pub(super) async fn judge(
        &self,
        docket: &Docket,
        dispute: &Dispute,
        me: Address,
        (round, seed, reveal_until): (u64, B256, u64),
    ) -> Result<Outcome, DutyError> {
        let (id, store) = (dispute.id(), &self.workshop.store);
        let votes = self.court.votes(id, me).await?;
        if votes == 0 {
            return Ok(Outcome::Aside);
        }
        // A development chain forgets a block's hash after some minutes.
        if docket.parameters(dispute).is_some_and(|parameters| parameters.commitWindow > SHORT_WINDOW) {
            self.court.keep_beacon(id).await?;
        }
        let ballot = match store.ballot_for(id, round, seed).await? {
            Some(ballot) => ballot,
            None => {
                info!(dispute = %id, round, votes, transition = dispute.accusation.transition, "drawn for the jury");
                let Some(finding) = self.examine(docket, dispute, seed).await? else {
                    metrics::dispute("unable");
                    return Ok(Outcome::Aside);
                };
                let verdict = if finding.guilty { Verdict::Guilty } else { Verdict::Innocent };
                let ballot = Ballot { verdict, probe: wad(finding.probe), salt: rand::random::<[u8; 32]>().into() };
                let commitment = ballot.commitment(id, round, me);
                store.keep_ballot(&StoredBallot { dispute: id, round, seed, reveal_until, commitment, ballot }).await?;
                info!(dispute = %id, round, ?verdict, deviation = ?finding.deviation, probe = finding.probe, "judged");
                ballot
            }
        };
        self.court.commit(id, ballot.commitment(id, round, me)).await?;
        metrics::dispute(if ballot.verdict == Verdict::Guilty { "guilty" } else { "innocent" });
        info!(dispute = %id, round, votes, "committed");
        Ok(Outcome::Done)
    }

    /// What this miner finds of a disputed transition, whose round has this seed; `None`, said aloud, if it cannot tell now.
    pub async fn finding(&self, docket: &Docket, dispute: &Dispute, seed: B256) -> Option<Finding> {
        self.examine(docket, dispute, seed).await.unwrap_or_else(|e| {
            warn!(dispute = %dispute.id(), "not judged: {e}");
            None
        })
    }

    /// What this miner finds; `None`, said aloud, if it never can tell.
    async fn examine(&self, docket: &Docket, dispute: &Dispute, seed: B256) -> Result<Option<Finding>, DutyError> {
        let accusation = dispute.accusation.clone();
        let (id, model) = (accusation.id, accusation.offer.modelId);
        if !self.workshop.models.contains_key(&model) {
            warn!(dispute = %id, "staying away from the jury: {}", BenchError::Unknown(model));
            return Ok(None);
        }
        let body = match Request::decode(&accusation.request).and_then(|request| request.body()) {
            Ok(body) => body,
            Err(e) => {
                warn!(dispute = %id, "staying away from the jury: {e}");
                return Ok(None);
            }
        };
        let mut parts = Vec::new();
        for part in dispute.parts() {
            parts.push((part, self.court.evidence(docket, dispute, part).await?));
        }
        let work = move |model: &mut cuckoo_inference::Model| {
            let bytes = |wanted| parts.iter().find(|(part, _)| *part == wanted).map_or(&[][..], |(_, bytes)| bytes);
            let state = |k| bytes(Part::State(k));
            let evidence = match accusation.transition {
                0 => Evidence::Init { blob: bytes(Part::Blob), after: state(0) },
                last if last == accusation.states => Evidence::Finish {
                    before: state(last.saturating_sub(1)),
                    // No output has a tile of such a number.
                    index: usize::try_from(accusation.tile_index).unwrap_or(usize::MAX),
                    tile: &accusation.tile,
                },
                k => Evidence::Step { k: k.saturating_sub(1), before: state(k.saturating_sub(1)), after: state(k) },
            };
            model.judge(&body, &evidence, seed)
        };
        match self.bench.run(model, work).await {
            Ok(finding) => Ok(Some(finding)),
            Err(BenchError::Failed(e @ (InferenceError::Body(_) | InferenceError::Blob { .. }))) => {
                warn!(dispute = %id, "staying away from the jury: {e}");
                Ok(None)
            }
            // What is missing may come back: memory that paid work has now, a disk. Tried again as long as votes can be committed.
            Err(e) => Err(e.into()),
        }
    }

    /// Opens what was committed to.
    pub(super) async fn reveal(&self, dispute: &Dispute, commitment: B256) -> Result<Outcome, DutyError> {
        let Some(ballot) = self.workshop.store.ballot(commitment).await? else {
            error!(dispute = %dispute.id(), "the ballot committed to is not in --data-dir: the vote is lost, and unpaid");
            return Ok(Outcome::Aside);
        };
        self.court.reveal(dispute.id(), &ballot).await?;
        metrics::dispute("revealed");
        info!(dispute = %dispute.id(), verdict = ?ballot.verdict, "revealed");
        Ok(Outcome::Done)
    }

    /// Collects a vote's pay.
    pub(super) async fn claim(&self, dispute: &Dispute, round: u64, index: u64) -> Result<Outcome, DutyError> {
        match self.court.claim(dispute.id(), round, index).await {
            Ok(paid) => {
                metrics::jury_pay(paid);
                info!(dispute = %dispute.id(), round, amount = format_cai(paid), "paid for a verdict");
                Ok(Outcome::Done)
            }
            // Every other refusal passes: a node that lags behind, or a reorganisation, does not know the end yet.
            Err(SendError::Refused(why)) if why.starts_with("NothingToClaim") => {
                warn!(dispute = %dispute.id(), round, "the verdict is not paid: {why}");
                Ok(Outcome::Aside)
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// In WAD; what is out of range is cut by the contract alike.
pub fn wad(probe: f64) -> U256 {
    U256::from((probe * 1e18) as u128)
}
