//! Checks that miners have in hand: given to one miner for a time, fetched with the next question of its agent.

use alloy::primitives::Address;
use axum::body::Bytes;
use cuckoo_protocol::link::Check;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Miners that want checks ask every few seconds; one that has not for so long is left out.
const LIVE: Duration = Duration::from_secs(8);

/// What became of a check.
#[derive(Debug)]
pub enum Reply {
    /// The packed answer.
    Answer(Bytes),
    /// The miner cannot or will not do it.
    Declined,
}

struct Given {
    miner: Address,
    check: Check,
    states: Bytes,
    reply: oneshot::Sender<Reply>,
}

#[derive(Default)]
struct Inner {
    seen: HashMap<Address, Instant>,
    given: HashMap<String, Given>,
    paid: HashSet<Address>,
}

/// See the module. Forgotten with the process: what was asked is asked again.
#[derive(Default)]
pub struct Board(Mutex<Inner>);

impl Board {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A miner asks: the check that it was given, if it was; the same again until it has answered.
    pub fn ask(&self, miner: Address) -> Option<Check> {
        let mut inner = self.inner();
        inner.seen.insert(miner, Instant::now());
        inner.given.values().find(|given| given.miner == miner).map(|given| given.check.clone())
    }

    /// Miners that have asked just now and have no check in hand.
    pub fn free(&self) -> Vec<Address> {
        let mut inner = self.inner();
        inner.seen.retain(|_, seen| seen.elapsed() < LIVE);
        let busy: HashSet<Address> = inner.given.values().map(|given| given.miner).collect();
        inner.seen.keys().copied().filter(|miner| !busy.contains(miner)).collect()
    }

    /// Gives a check to a miner. None if it has got another meanwhile.
    pub fn give(&self, miner: Address, check: Check, states: Bytes) -> Option<oneshot::Receiver<Reply>> {
        let mut inner = self.inner();
        if inner.given.values().any(|given| given.miner == miner) {
            return None;
        }
        let (reply, outcome) = oneshot::channel();
        inner.given.insert(check.id.clone(), Given { miner, check, states, reply });
        Some(outcome)
    }

    /// Takes a check back.
    pub fn take_back(&self, id: &str) {
        self.inner().given.remove(id);
    }

    /// The packed states of a check, for the miner that has it.
    pub fn states(&self, id: &str, miner: Address) -> Option<Bytes> {
        self.inner().given.get(id).filter(|given| given.miner == miner).map(|given| given.states.clone())
    }

    /// Ends a check by its miner's word. False if the miner does not have it (any more).
    pub fn reply(&self, id: &str, miner: Address, reply: Reply) -> bool {
        let mut inner = self.inner();
        if inner.given.get(id).is_none_or(|given| given.miner != miner) {
            return false;
        }
        let given = inner.given.remove(id);
        given.is_some_and(|given| given.reply.send(reply).is_ok())
    }

    /// A miner's pay has grown.
    pub fn note_paid(&self, miner: Address) {
        self.inner().paid.insert(miner);
    }

    /// Whether a miner's pay has grown since this was asked.
    pub fn take_paid(&self, miner: Address) -> bool {
        self.inner().paid.remove(&miner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;

    const ONE: Address = Address::repeat_byte(1);
    const TWO: Address = Address::repeat_byte(2);

    fn check(id: &str) -> Check {
        Check { id: id.to_owned(), request: vec![].into(), price: U256::from(1), deadline: 0 }
    }

    #[tokio::test]
    async fn a_check_is_one_miners_until_it_answers_or_is_taken_back() {
        let board = Board::default();
        assert!(board.ask(ONE).is_none() && board.ask(TWO).is_none());
        assert_eq!(board.free().len(), 2);
        let reply = board.give(ONE, check("a"), Bytes::from_static(b"states")).unwrap();
        assert!(board.give(ONE, check("b"), Bytes::new()).is_none(), "one at a time");
        assert_eq!(board.free(), [TWO]);
        assert_eq!((board.ask(ONE).unwrap().id, board.ask(ONE).unwrap().id), ("a".to_owned(), "a".to_owned()));
        assert!(board.ask(TWO).is_none() && board.states("a", TWO).is_none());
        assert_eq!(board.states("a", ONE).unwrap(), "states");
        assert!(!board.reply("a", TWO, Reply::Declined), "another's");
        assert!(board.reply("a", ONE, Reply::Answer(Bytes::from_static(b"answer"))));
        assert!(matches!(reply.await, Ok(Reply::Answer(answer)) if answer == "answer"));
        assert!(!board.reply("a", ONE, Reply::Declined), "once");

        board.give(ONE, check("c"), Bytes::new()).unwrap();
        board.take_back("c");
        assert!(board.ask(ONE).is_none() && !board.reply("c", ONE, Reply::Declined), "late");
        board.note_paid(ONE);
        assert_eq!((board.take_paid(ONE), board.take_paid(ONE), board.take_paid(TWO)), (true, false, false));
    }
}
