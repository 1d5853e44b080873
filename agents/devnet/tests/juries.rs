//! Jurors that do not judge: fakes are convicted and false accusations acquitted in spite of them, and they are not paid for it.
//! `make adversaries` does it with more of them, and more often.

use anyhow::{Result, ensure};
use cuckoo_devnet::{
    adversary::Hostility::{self, AlwaysGuilty, AtRandom, Colludes, Copies, StaysAway},
    zoo::{
        Verdicts,
        juries::{self, Jury},
    },
};
use std::time::Duration;

const PACE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn jurors_without_the_model_change_nothing_and_are_not_paid() -> Result<()> {
    let outcome = judge("juries-lazy", &[AlwaysGuilty, AtRandom, Copies, StaysAway], 2).await?;
    // A guess may be right by luck, and is paid then.
    ensure!(outcome.unearned == 0, "paid for nothing: {outcome:?}");
    // A copy is never accepted, and who stays away has nothing to open.
    let votes = outcome.rounds * 2;
    ensure!(
        outcome.hostile.opened == votes,
        "{} votes of a guesser and a hanging judge, not {votes}",
        outcome.hostile.opened
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn less_than_a_third_that_colludes_decides_nothing() -> Result<()> {
    let outcome = judge("juries-colluding", &[Colludes; 3], 1).await?;
    // They have run the model, and still get nothing.
    ensure!(outcome.hostile.opened == 3 * outcome.rounds, "{outcome:?}");
    ensure!(outcome.hostile.earned.is_zero(), "paid for false votes: {outcome:?}");
    Ok(())
}

/// So many fakes, and as many honest results, before seven jurors or six who judge, and others who do not.
async fn judge(label: &str, hostile: &[Hostility], each: usize) -> Result<juries::Outcome> {
    let jury = Jury { name: label.to_owned(), hostile: hostile.to_vec() };
    let outcome = juries::run(label, &jury, each, PACE).await?;
    let each = each as u64;
    let convicted = Verdicts { jury: each, ..Verdicts::default() };
    let acquitted = Verdicts { acquitted: each, ..Verdicts::default() };
    ensure!(outcome.fakes.verdicts == convicted, "fakes: {outcome:?}");
    ensure!(outcome.innocents.verdicts == acquitted, "honest results: {outcome:?}");
    ensure!(outcome.not_right() == 0, "{outcome:?}");
    // All of the honest voted in the last round of each dispute, in time, and all who did were paid.
    let least = 2 * each * (juries::JURORS - hostile.len()) as u64;
    ensure!(outcome.honest.paid >= least && outcome.honest.paid == outcome.honest.opened, "{outcome:?}");
    ensure!(!outcome.honest.earned.is_zero(), "{outcome:?}");
    Ok(outcome)
}
