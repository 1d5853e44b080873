//! Time that waits for those who are at work: many agents share one machine here, which would make each miss deadlines that it would meet
//! on a machine of its own.

use alloy::primitives::{Address, B256};
use cuckoo_chain::disputes::{Dispute, Docket, Following, Phase};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Seconds before a deadline at which time stands still.
const MARGIN: u64 = 4;
/// For which it does at most: whoever is not done then never will be.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is being done, and until when it must be (chain seconds), by result or dispute. Clones share it.
#[derive(Clone, Default)]
pub struct Work(Arc<Mutex<HashMap<B256, u64>>>);

impl Work {
    /// Something has to be done about a result or a dispute.
    pub fn begin(&self, about: B256, deadline: u64) {
        self.table().insert(about, deadline);
    }

    /// It is done, or came to nothing.
    pub fn end(&self, about: B256) {
        self.table().remove(&about);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<B256, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, now: u64) -> bool {
        self.table().values().any(|deadline| near(now, *deadline))
    }
}

/// Who votes in each round of each dispute.
#[derive(Clone, Debug, Default)]
pub struct Turnout {
    /// Jurors that commit.
    pub commit: usize,
    /// Those of them that never open what they committed to.
    pub mute: Vec<Address>,
}

/// Says when time has to wait: for what is in `work`, and for the jurors of each dispute.
pub fn waits(work: Work, following: Following, turnout: Turnout) -> impl Fn(u64) -> bool + Send + 'static {
    let since = Mutex::new(None::<Instant>);
    move |now| {
        let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
        let docket = following.docket();
        // What is not seen yet may be due.
        let behind = docket.timestamp < now;
        let due = behind || work.is_due(now) || docket.open().any(|dispute| is_due(&docket, dispute, now, &turnout));
        if due && since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return true;
        }
        *since = None;
        false
    }
}

fn is_due(docket: &Docket, dispute: &Dispute, now: u64, turnout: &Turnout) -> bool {
    let votes = || dispute.jurors.iter().filter(|juror| juror.round == dispute.round);
    match dispute.phase {
        Phase::Seed { deadline, .. } => near(now, deadline),
        Phase::Jury { commit_until, .. } if now < commit_until => {
            near(now, commit_until) && votes().count() < turnout.commit
        }
        Phase::Jury { reveal_until, .. } => {
            let mut awaited = votes().filter(|juror| !turnout.mute.contains(&juror.operator));
            near(now, reveal_until) && awaited.any(|juror| juror.revealed.is_none()) && docket.timestamp < reveal_until
        }
        _ => false,
    }
}

fn near(now: u64, deadline: u64) -> bool {
    (now..now + MARGIN).contains(&deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_its_deadline_is_due_until_it_is_done() {
        let (work, dispute) = (Work::default(), B256::ZERO);
        work.begin(dispute, 100);
        assert_eq!([0, 96, 97, 100, 101].map(|now| work.is_due(now)), [false, false, true, true, false]);
        work.end(dispute);
        assert!(!work.is_due(100));
    }
}
