//! Each kind of cheat a few times: all are found and convicted the way they should be, nobody honest is, and what is tolerated passes.
//! `make adversaries` does it a thousand times.

use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    adversary::Cheat,
    zoo::{self, Conduct, Ground, Kind, Verdicts, Work},
};
use std::{sync::Arc, time::Duration};

/// Tasks of each kind.
const TASKS: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn no_cheat_passes_and_nobody_honest_is_accused() -> Result<()> {
    let kinds: Vec<Kind> = zoo::cheats().into_iter().chain(zoo::honest()).collect();
    // All results are audited.
    let ground = Arc::new(Ground::lay("zoo", 1.0, Duration::from_secs(1)).await?);
    let rows = zoo::run(ground, kinds.clone(), TASKS as usize, |_| {}).await?;
    for kind in kinds {
        let row = rows.iter().find(|row| row.name == kind.name);
        // Not every machine has a GPU.
        let Some(row) = row else {
            ensure!(kind.name == "CUDA", "{} did not work", kind.name);
            continue;
        };
        let expected = match (kind.work, kind.conduct) {
            (Work::Honest(_), _) => Verdicts::default(),
            (Work::Cheat(cheat), _) if cheat.is_tolerated() => Verdicts::default(),
            (Work::Cheat(Cheat::RandomBits), _) => Verdicts { structure: TASKS, ..Verdicts::default() },
            (Work::Cheat(_), Conduct::Opens) => Verdicts { jury: TASKS, ..Verdicts::default() },
            (Work::Cheat(_), _) => Verdicts { no_answer: TASKS, ..Verdicts::default() },
        };
        let (name, convicted) = (kind.name, row.convicted());
        ensure!(row.verdicts == expected, "{name}: {:?}, not {expected:?}", row.verdicts);
        ensure!((row.tasks, row.audits, row.found) == (TASKS, TASKS, convicted), "{name}: {row:?}");
        // Who is convicted is slashed and paid nothing, and who is not is paid.
        ensure!((convicted > 0) != row.lost.is_zero(), "{name}: {row:?}");
        ensure!((convicted > 0) == row.gained.is_zero(), "{name}: {row:?}");
    }
    let bias = rows.iter().find(|row| row.name == Cheat::Bias.name()).context("nobody steered a picture")?;
    // Were it more, the tolerance would be worth something to a cheat.
    ensure!(bias.most <= 8, "a picture was steered by {} of 255", bias.most);
    Ok(())
}
