//! What a miner owes the network besides its work: it answers when it is accused, and serves as a juror when it is drawn. No human
//! step, and nothing that a restart forgets: what is to be done follows from the chain, and ballots are stored before they are
//! committed to.

mod bench;
mod defence;
mod juror;
mod plan;

pub use bench::{Bench, BenchError};
pub use juror::wad;
pub use plan::{Step, next, patience};

use crate::{backoff::Backoff, metrics, store::StoreError, workshop::Workshop};
use alloy::primitives::{Address, B256};
use cuckoo_chain::{
    Chain, SendError, View,
    beacon::BeaconError,
    disputes::{Court, Dispute, Docket, EvidenceError, Following, Phase},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// Between looks at what waits for its time while no block comes.
const TICK: Duration = Duration::from_millis(500);

/// A miner's duties.
#[derive(Clone)]
pub struct Duty {
    /// Traces, ballots and models.
    pub workshop: Arc<Workshop>,
    /// To read what a slash would cost.
    pub chain: Chain,
    /// Speaks with the node's key.
    pub court: Court,
    /// Computes.
    pub bench: Arc<Bench>,
    /// Says which operator the node signs for.
    pub view: View,
    /// The disputes.
    pub following: Following,
    /// Whether it serves on juries.
    pub sits: bool,
}

/// Why a step was not done; it is tried again.
#[derive(Debug, thiserror::Error)]
enum DutyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the chain cannot be read: {0}")]
    Read(#[from] alloy::contract::Error),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(
        "CANNOT ANSWER: {}. Unless the transition is open in time, this miner is slashed: {at_stake}. If the result was made with \
         another --data-dir, --device or --model, start the agent again with that; a trace that is put back is found within half a minute",
        want.why
    )]
    Defenceless { want: defence::Want, at_stake: String },
}

/// What became of a step.
enum Outcome {
    /// Done: the chain will say so.
    Done,
    /// Not yet: look again with the next block.
    Wait,
    /// It cannot be done now, and has said so; what is missing may come back, so it is tried again after a pause.
    Later,
    /// Nothing to do, or nothing that can be done.
    Aside,
}

/// Steps at work, tried before, and given up.
#[derive(Default)]
struct Memory {
    busy: HashSet<B256>,
    failed: HashMap<(B256, Step), (Backoff, Instant)>,
    aside: HashSet<(B256, Step)>,
    first_due: HashMap<(B256, Step), Instant>,
    /// Disputes for which computing the request again did not give the trace.
    computed: HashSet<B256>,
}

impl Duty {
    /// Does what is due until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut dockets = self.following.subscribe();
        let (mut memory, mut tasks) = (Memory::default(), JoinSet::new());
        loop {
            let docket = dockets.borrow_and_update().clone();
            if let Some(me) = self.view.snapshot().by_node(self.court.address()).map(|operator| operator.operator) {
                self.start_due(&docket, me, &mut memory, &mut tasks);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = dockets.changed() => if changed.is_err() { break },
                Some(done) = tasks.join_next() => self.conclude(done, &mut memory),
                () = sleep(TICK) => {}
            }
        }
        // Transactions on their way are in the journal; all else is begun anew.
        tasks.shutdown().await;
        self.remind();
    }

    fn start_due(
        &self,
        docket: &Arc<Docket>,
        me: Address,
        memory: &mut Memory,
        tasks: &mut JoinSet<(B256, Step, Result<Outcome, DutyError>)>,
    ) {
        for dispute in docket.iter() {
            let id = dispute.id();
            let aside = |step: &Step| memory.aside.contains(&(id, *step));
            let Some(step) = next(docket, dispute, me, self.sits, aside) else { continue };
            let key = (id, step);
            if memory.busy.contains(&id) || memory.aside.contains(&key) {
                continue;
            }
            if memory.failed.get(&key).is_some_and(|(_, until)| Instant::now() < *until) {
                continue;
            }
            if matches!(step, Step::Resolve { .. }) {
                let first_due = memory.first_due.entry(key).or_insert_with(Instant::now);
                if first_due.elapsed() < patience(docket, dispute, me) {
                    continue;
                }
            }
            memory.busy.insert(id);
            let (duty, docket, dispute) = (self.clone(), docket.clone(), dispute.clone());
            let recompute = !memory.computed.contains(&id);
            tasks.spawn(async move {
                let outcome = duty.take(&docket, &dispute, me, (step, recompute)).await;
                (id, step, outcome)
            });
        }
        memory.forget(docket);
    }

    async fn take(
        &self,
        docket: &Docket,
        dispute: &Dispute,
        me: Address,
        (step, recompute): (Step, bool),
    ) -> Result<Outcome, DutyError> {
        match step {
            Step::Answer => self.answer(dispute, me, recompute).await,
            Step::CallJury { beacon, .. } => self.call_jury(docket, dispute, me, beacon).await,
            Step::Judge { round, seed, reveal_until } => {
                self.judge(docket, dispute, me, (round, seed, reveal_until)).await
            }
            Step::Reveal { commitment } => self.reveal(dispute, commitment).await,
            Step::Claim { round, index } => self.claim(dispute, round, index).await,
            Step::Resolve { .. } => self.resolve(dispute).await,
        }
    }

    async fn resolve(&self, dispute: &Dispute) -> Result<Outcome, DutyError> {
        self.court.resolve(dispute.id()).await?;
        info!(dispute = %dispute.id(), "resolved as far as time allows");
        Ok(Outcome::Done)
    }

    fn conclude(
        &self,
        done: Result<(B256, Step, Result<Outcome, DutyError>), tokio::task::JoinError>,
        memory: &mut Memory,
    ) {
        let (id, step, outcome) = match done {
            Ok(done) => done,
            Err(e) => {
                error!("a duty ended early: {e}");
                // Which one is not known: all are looked at again.
                return memory.busy.clear();
            }
        };
        memory.busy.remove(&id);
        match outcome {
            // The docket shows it a block later; until then it would be tried again in vain.
            Ok(Outcome::Done | Outcome::Later) => drop(memory.pause(id, step)),
            Ok(Outcome::Wait) => {}
            Ok(Outcome::Aside) => drop(memory.aside.insert((id, step))),
            // Somebody else was first, most likely; the next docket tells.
            Err(DutyError::Send(SendError::Refused(why))) if matches!(step, Step::Resolve { .. }) => {
                debug!(dispute = %id, "not resolved: {why}");
                memory.pause(id, step);
            }
            // What is missing may come back: a disk that is mounted again, a trace from a backup.
            Err(DutyError::Defenceless { want, at_stake }) => {
                if want.computed {
                    memory.computed.insert(id);
                }
                if memory.pause(id, step) {
                    metrics::dispute("defenceless");
                    error!(dispute = %id, "{}", DutyError::Defenceless { want, at_stake });
                }
            }
            Err(e) => {
                if memory.pause(id, step) {
                    warn!(dispute = %id, ?step, "trying again: {e}");
                }
            }
        }
    }

    /// Says what a stopped agent leaves undone, and until when it can be done.
    fn remind(&self) {
        let docket = self.following.docket();
        let Some(me) = self.view.snapshot().by_node(self.court.address()).map(|operator| operator.operator) else {
            return;
        };
        for dispute in docket.open() {
            let until = match dispute.phase {
                Phase::Answer { deadline } if dispute.accusation.accused == me => deadline,
                Phase::Jury { reveal_until, .. }
                    if dispute.juror(dispute.round, me).is_some_and(|juror| juror.revealed.is_none()) =>
                {
                    reveal_until
                }
                _ => continue,
            };
            let left = until.saturating_sub(docket.timestamp);
            warn!(dispute = %dispute.id(), "stopped with a duty left: start the agent again within {left} s");
        }
    }
}

impl Memory {
    /// Counts a try; whether it is worth a line in the log.
    fn pause(&mut self, id: B256, step: Step) -> bool {
        let (backoff, until) = self.failed.entry((id, step)).or_insert_with(|| (Backoff::default(), Instant::now()));
        *until = Instant::now() + backoff.next();
        backoff.is_news()
    }

    /// Drops what is about disputes that are not on the docket any more.
    fn forget(&mut self, docket: &Docket) {
        self.failed.retain(|(id, _), _| docket.get(*id).is_some());
        self.aside.retain(|(id, _)| docket.get(*id).is_some());
        self.computed.retain(|id| docket.get(*id).is_some());
        self.first_due.retain(|(id, _), _| docket.get(*id).is_some());
    }
}
