//! Checks whose answer is known beforehand, mixed among the others, so that a checker that does not compute is found.
//!
//! Whoever hands back what it was given passes every honest trace. So known work always shows a state to which the one before does *not*
//! lead: one of a trace that was found right is disturbed, or a trace was found false. An answer that agrees with what was shown there
//! was not computed.

use super::subject::Subject;
use crate::audit::Finding;
use alloy::primitives::Address;
use cuckoo_inference::{Deviation, Output, Successors, compare};
use rand::{RngExt, seq::IndexedRandom};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of traces that are kept for this.
const MOST_BYTES: usize = 64 << 20;
/// A disturbance is so many times what an honest machine may be off.
const DISTURBANCE: f64 = 20.0;

/// A check whose answer is known.
#[derive(Debug)]
pub struct Known {
    /// Where it comes from.
    pub subject: Arc<Subject>,
    /// What is shown: canonical bytes of s₀…s_N.
    pub shown: Vec<Vec<u8>>,
    expected: Vec<Vec<u8>>,
    output: Output,
    /// Where what is shown is false.
    at: usize,
    /// Where the answer is not known.
    open: Option<usize>,
    /// Whoever has seen the trace already.
    seen: Mutex<HashSet<Address>>,
}

/// What an answer to known work shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It was computed.
    Right,
    /// What was shown came back: it was not.
    Echo,
    /// Neither: wrong, unless what was believed to be known is.
    Other,
}

impl Known {
    /// From a trace that was found right: one of its states is disturbed. None of a trace without steps.
    pub fn of_right(subject: Arc<Subject>, seen: Vec<Address>) -> Option<Self> {
        let at = rand::rng().random_range(1..subject.states.len().max(2));
        let mut shown = subject.states.clone();
        let before = numbers(shown.get(at - 1)?);
        let state = shown.get_mut(at)?;
        let after = numbers(state);
        let tolerance = &subject.manifest.tolerance;
        let moved = match before.len() == after.len() {
            true => mean_square(after.iter().zip(&before).map(|(after, before)| after - before)),
            false => mean_square(after.iter().copied()),
        };
        let size = DISTURBANCE * tolerance.step.to_f64() * f64::from(moved).max(tolerance.floor.to_f64());
        let signs = [-1.0, 1.0];
        *state = after
            .iter()
            .map(|value| value + size as f32 * signs.choose(&mut rand::rng()).copied().unwrap_or(1.0))
            .flat_map(f32::to_le_bytes)
            .collect();
        let (expected, output) = (subject.states.clone(), subject.output.clone());
        Some(Self {
            subject,
            shown,
            expected,
            output,
            at,
            open: Some(at + 1),
            seen: Mutex::new(seen.into_iter().collect()),
        })
    }

    /// From a trace that two checkers found false, and what one of them says its states lead to. None if it is not a state that is false.
    pub fn of_false(subject: Arc<Subject>, finding: &Finding, led: Successors, seen: Vec<Address>) -> Option<Self> {
        let at = finding.transition as usize;
        let (shown, expected) = (subject.states.clone(), led.states);
        if at >= shown.len() || expected.len() != shown.len() {
            return None;
        }
        let seen = Mutex::new(seen.into_iter().collect());
        Some(Self { output: led.output?, subject, shown, expected, at, open: None, seen })
    }

    /// What an answer shows. None if it is no answer about this.
    pub fn prove(&self, led: &Successors) -> Option<Proof> {
        let Subject { manifest, body, .. } = &*self.subject;
        let (mut expected, mut output) = (self.expected.clone(), &self.output);
        match self.open {
            Some(open) if open < expected.len() => expected[open].clone_from(led.states.get(open)?),
            Some(_) => output = led.output.as_ref()?,
            None => {}
        }
        let within = |deviation: &Deviation| deviation.within(&manifest.tolerance);
        let as_expected = compare(manifest, body, &self.shown, &expected, output, led)?;
        if as_expected.iter().all(within) {
            return Some(Proof::Right);
        }
        let as_shown = compare(manifest, body, &self.shown, &self.shown, output, led)?;
        Some(if as_shown.get(self.at).is_some_and(within) { Proof::Echo } else { Proof::Other })
    }

    fn bytes(&self) -> usize {
        self.shown.iter().chain(&self.expected).map(Vec::len).sum()
    }
}

/// Known work at hand, the newest first. In memory: after a restart it comes together anew.
#[derive(Default)]
pub struct Stock(Mutex<VecDeque<Arc<Known>>>);

impl Stock {
    fn items(&self) -> MutexGuard<'_, VecDeque<Arc<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds known work, in place of the oldest where there is too much.
    pub fn add(&self, known: Option<Known>) {
        let Some(known) = known.filter(|known| known.bytes() <= MOST_BYTES) else { return };
        let mut items = self.items();
        items.push_front(Arc::new(known));
        while items.iter().map(|known| known.bytes()).sum::<usize>() > MOST_BYTES {
            items.pop_back();
        }
    }

    /// Known work that a miner can do and has not seen; it will have then.
    pub fn take(&self, miner: Address, able: impl Fn(&Subject) -> bool) -> Option<Arc<Known>> {
        let unseen = |known: &&Arc<Known>| {
            able(&known.subject) && known.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(miner)
        };
        self.items().iter().find(unseen).cloned()
    }

    /// Drops known work that is not what it was believed to be.
    pub fn remove(&self, known: &Arc<Known>) {
        self.items().retain(|other| !Arc::ptr_eq(other, known));
    }
}

fn numbers(state: &[u8]) -> Vec<f32> {
    state.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

fn mean_square(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len().max(1) as f32;
    (values.map(|value| value * value).sum::<f32>() / count).sqrt()
}
