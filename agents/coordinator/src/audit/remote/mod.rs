//! Audits by other operators' miners, for a coordinator that has no model: a checker gets the request and the states and says what each of
//! them leads to; what is compared, and judged, is done here. See docs/architecture.md.
//!
//! | Module | Holds |
//! |---|---|
//! | [`board`] | which miner has which check in hand |
//! | [`subject`] | what is checked, and the comparison |
//! | [`known`] | checks whose answer is known beforehand |
//! | [`ask`] | having a miner check, and paying it |

mod ask;
mod board;
mod known;
mod subject;

pub use board::{Board, Reply};

use super::{AuditRecord, AuditState, TICK, fail, pass, refuse_late_when_due};
use crate::{coordinator::Coordinator, store::CheckerRecord};
use alloy::primitives::Address;
use anyhow::Result;
use ask::{Answer, ask, settle_check};
use known::{Known, Stock};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use subject::Subject;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What is known of checkers and their checks.
pub struct Checks {
    /// Checks in hand.
    pub board: Board,
    stock: Stock,
    records: Mutex<HashMap<Address, CheckerRecord>>,
}

impl Checks {
    /// With what the store knows of checkers.
    pub fn new(records: Vec<CheckerRecord>) -> Self {
        let records = records.into_iter().map(|record| (record.miner, record)).collect();
        Self { board: Board::default(), stock: Stock::default(), records: Mutex::new(records) }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<Address, CheckerRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a check of this miner's was wrong: it is asked for no more.
    pub fn is_distrusted(&self, miner: Address) -> bool {
        self.records().get(&miner).is_some_and(|record| record.wrong)
    }

    /// Checks with a known answer that this miner made right.
    fn proven(&self, miner: Address) -> u64 {
        self.records().get(&miner).map_or(0, |record| record.proven)
    }
}

/// What checkers found.
enum Verdict {
    Right,
    False(super::Finding),
    /// Nobody can be accused, nor vouched for.
    Open(&'static str),
}

/// Has what is audited checked by miners until `shutdown`, several traces at once. What is not done by then is begun anew after the
/// next start.
pub async fn run(coordinator: Arc<Coordinator>, shutdown: CancellationToken) {
    let started = Instant::now();
    let (mut working, mut tasks) = (HashSet::new(), JoinSet::new());
    loop {
        let round = async {
            refuse_late_when_due(&coordinator, started).await?;
            anyhow::Ok(coordinator.store.audits(AuditState::Opened).await?)
        };
        match round.await {
            Ok(opened) => {
                for audit in opened {
                    if working.insert(audit.lease.clone()) {
                        let coordinator = coordinator.clone();
                        tasks.spawn(async move {
                            let outcome = settle(&coordinator, &audit).await;
                            (audit.lease, outcome)
                        });
                    }
                }
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "audits stumbled, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = coordinator.opened.notified() => {}
            Some(done) = tasks.join_next() => match done {
                Ok((lease, outcome)) => {
                    working.remove(&lease);
                    if let Err(error) = outcome {
                        tracing::error!(lease, error = format!("{error:#}"), "an audit stumbled, trying again");
                    }
                }
                // Which one is not known: it is taken up again with the next start.
                Err(error) => tracing::error!(%error, "an audit ended early"),
            },
            () = shutdown.cancelled() => return,
        }
    }
}

async fn settle(coordinator: &Coordinator, audit: &AuditRecord) -> Result<()> {
    let begun = Instant::now();
    let verdict = match Subject::load(coordinator, audit).await {
        Ok(subject) => judge(coordinator, &subject).await?,
        Err(error) => {
            tracing::error!(lease = audit.lease, error = format!("{error:#}"), "a result cannot be checked");
            Verdict::Open("it cannot be read")
        }
    };
    metrics::histogram!("cuckoo_audit_seconds").record(begun.elapsed().as_secs_f64());
    match verdict {
        Verdict::Right => pass(coordinator, audit, AuditState::Passed).await,
        Verdict::False(finding) => fail(coordinator, audit, AuditState::Missed, finding).await,
        Verdict::Open(why) => {
            tracing::warn!(lease = audit.lease, why, "a result could not be checked: it is paid");
            pass(coordinator, audit, AuditState::Waived).await
        }
    }
}

/// One checker acquits; two of different operators convict; of two that disagree a third decides which.
async fn judge(coordinator: &Coordinator, subject: &Arc<Subject>) -> Result<Verdict> {
    let mut seen = vec![subject.miner];
    let Some(first) = ask(coordinator, subject, &seen).await? else {
        return Ok(Verdict::Open("no other operator's miner checked it in time"));
    };
    seen.push(first.miner);
    if first.finding.is_none() {
        settle_check(coordinator, &first.paper(false)).await?;
        coordinator.checks.stock.add(Known::of_right(subject.clone(), seen));
        return Ok(Verdict::Right);
    }
    let Some(second) = ask(coordinator, subject, &seen).await? else {
        settle_check(coordinator, &first.paper(false)).await?;
        return Ok(Verdict::Open("nobody could confirm that it is false"));
    };
    seen.push(second.miner);
    if let Some(finding) = second.finding.clone() {
        for answer in [&first, &second] {
            settle_check(coordinator, &answer.paper(false)).await?;
        }
        coordinator.checks.stock.add(Known::of_false(subject.clone(), &finding, second.led, seen));
        return Ok(Verdict::False(finding));
    }
    tracing::warn!(first = %first.miner, second = %second.miner, "two checkers disagree: a third decides");
    let Some(third) = ask(coordinator, subject, &seen).await? else {
        for answer in [&first, &second] {
            settle_check(coordinator, &answer.paper(false)).await?;
        }
        return Ok(Verdict::Open("two checkers disagree, and there is no third"));
    };
    let first_is_wrong = third.finding.is_none();
    let settled: [(&Answer, bool); 3] = [(&first, first_is_wrong), (&second, !first_is_wrong), (&third, false)];
    for (answer, wrong) in settled {
        settle_check(coordinator, &answer.paper(wrong)).await?;
    }
    Ok(third.finding.map_or(Verdict::Right, Verdict::False))
}

#[cfg(test)]
mod tests;
