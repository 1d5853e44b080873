//! `make adversaries`: every kind of cheat, and honest miners, at thousands of tasks, with the coordinator's own audits, a real chain and
//! juries of miners' agents. docs/adversaries.md says what it shows and how.
//!
//! | Module | Holds |
//! |---|---|
//! | `ground` | chain, contracts, the coordinator's checks, jurors |
//! | `bank` | makes operators |
//! | `clock` | time that waits for those who are at work |
//! | `worker` | makes results, true and false |
//! | `delivery` | a result, and what can be held against it |
//! | [`lane`] | one kind of miner at work |
//! | [`juries`] | disputes before jurors that do not judge |
//! | `odds` | what the contract's rule makes of them |
//! | [`programs`] | the same before the real programs |
//! | `trial` | from a challenge to the slash |
//! | `row`, `table` | the figures |

mod bank;
mod clock;
mod delivery;
mod ground;
pub mod juries;
pub mod lane;
mod odds;
pub mod programs;
mod row;
pub mod table;
mod trial;
mod worker;

pub use ground::{Bench, Ground};
pub use lane::Kind;
pub use row::{Row, Verdicts};
pub use table::Facts;
pub use trial::Conduct;
pub use worker::{Way, Work};

use crate::adversary::Cheat;
use anyhow::{Context, Result};
use cuckoo_inference::Optimisation;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// Between lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// All kinds of cheats that work for a coordinator.
pub fn cheats() -> Vec<Kind> {
    let kind = |name, cheat, conduct| Kind { name, work: Work::Cheat(cheat), conduct, thief: false };
    let mut kinds: Vec<Kind> = Cheat::ALL.iter().map(|cheat| kind(cheat.name(), *cheat, Conduct::Opens)).collect();
    kinds.push(kind("refusal to open", Cheat::RandomPicture, Conduct::Refuses));
    kinds.push(kind("late answer", Cheat::RandomPicture, Conduct::AnswersLate));
    let thief = kind("stolen key: its owner", Cheat::CachedPicture, Conduct::Opens);
    kinds.push(Kind { thief: true, ..thief });
    kinds
}

/// Honest miners in all the ways that machines differ.
pub fn honest() -> Vec<Kind> {
    let kind = |name, way| Kind { name, work: Work::Honest(way), conduct: Conduct::Opens, thief: false };
    vec![
        kind("1 thread", Way::Threads(1)),
        kind("2 threads", Way::Threads(2)),
        kind("all threads", Way::Threads(0)),
        kind("graph as exported", Way::Plain(Optimisation::None)),
        kind("graph optimised a little", Way::Plain(Optimisation::Basic)),
        kind("graph optimised more", Way::Plain(Optimisation::Extended)),
        kind("in a batch with two others", Way::Batched(2)),
        kind("in a batch with seven others", Way::Batched(7)),
        kind("CUDA", Way::Cuda),
    ]
}

/// Runs all kinds side by side, each for so many tasks; tells of each row that is complete.
///
/// # Errors
/// If anything but a miner fails.
pub async fn run(
    ground: Arc<Ground>,
    kinds: Vec<Kind>,
    tasks: usize,
    told: impl Fn(&Row) + Send + Sync + 'static,
) -> Result<Vec<Row>> {
    let progress = Arc::new(Mutex::new(BTreeMap::<&'static str, (u64, u64, u64)>::new()));
    let mut lanes = JoinSet::new();
    for (at, kind) in kinds.iter().copied().enumerate() {
        let (ground, progress) = (ground.clone(), progress.clone());
        lanes.spawn(async move {
            let note = |row: &Row| {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.insert(row.name, (row.tasks, row.found, row.convicted()));
            };
            let row = lane::run(ground, kind, tasks, note).await.with_context(|| format!("the miner {}", kind.name))?;
            anyhow::Ok((at, row))
        });
    }
    let all = kinds.len() * tasks;
    let mut rows = BTreeMap::new();
    while !lanes.is_empty() {
        match tokio::time::timeout(PROGRESS, lanes.join_next()).await {
            Ok(Some(done)) => {
                let (at, row) = done??;
                row.iter().for_each(&told);
                rows.insert(at, row);
            }
            Ok(None) => break,
            Err(_) => {
                let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                let sum = progress.values().fold((0, 0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2));
                eprintln!("{} of at most {all} tasks, {} found false, {} convicted", sum.0, sum.1, sum.2);
            }
        }
    }
    Ok(rows.into_values().flatten().collect())
}
