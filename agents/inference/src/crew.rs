//! Copies of a program, one a processor thread, that run transitions side by side.
//!
//! The transitions of a trace depend on nothing but the state that each begins with, so threads that share no work at all do
//! them faster than threads that share each operator's. What that costs is memory: each copy holds the weights.

use crate::{
    error::InferenceError,
    package::Package,
    program::{self, Program},
    runtime::Device,
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Bytes of weights up to which copies are made. Larger networks keep all threads of a processor busy by themselves.
const MOST_WEIGHTS: u64 = 256 << 20;

/// The copies.
pub(crate) struct Crew(Vec<Box<dyn Program>>);

impl Crew {
    /// A copy for each thread of the device; None where one program alone does as well.
    pub(crate) fn load(package: &Package, device: &Device) -> Result<Option<Self>, InferenceError> {
        let Device::Cpu { threads } = *device else { return Ok(None) };
        let threads = if threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { threads };
        let networks = package.manifest().files.iter().filter(|(path, _)| !path.ends_with(".json"));
        if threads < 2 || networks.map(|(_, entry)| entry.bytes).sum::<u64>() > MOST_WEIGHTS {
            return Ok(None);
        }
        let one = Device::Cpu { threads: 1 };
        let copies = (0..threads).map(|_| program::load(package, &one)).collect::<Result<_, _>>()?;
        Ok(Some(Self(copies)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Runs `work` on 0 to `count` − 1, each on the next copy that is free, and returns what came of each. `open` makes
    /// a copy ready, once.
    pub(crate) fn share<'c, R, T: Send>(
        &'c mut self,
        count: usize,
        open: impl Fn(&'c mut dyn Program) -> Result<R, InferenceError> + Sync,
        work: impl Fn(&mut R, usize) -> Result<T, InferenceError> + Sync,
    ) -> Result<Vec<T>, InferenceError> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(count));
        let turn = |program: &'c mut Box<dyn Program>| -> Result<(), InferenceError> {
            let mut run = open(&mut **program)?;
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(());
                }
                let result = work(&mut run, at)?;
                done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        };
        thread::scope(|scope| {
            let turn = &turn;
            let copies: Vec<_> = self.0.iter_mut().map(|program| scope.spawn(move || turn(program))).collect();
            let died = |_| InferenceError::unfit("a checking thread", "it died");
            copies.into_iter().try_for_each(|copy| copy.join().map_err(died)?)
        })?;
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}
