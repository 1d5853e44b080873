//! Random traces, the same ones each time, on the contracts and on the model.

use std::{env, time::Duration};

use cuckoo_reference::{
    evm::Artefacts,
    model::SITUATIONS,
    names,
    network::Parameters,
    operation::Call,
    replay::{Tally, replay},
};

/// Operations of each trace.
const LENGTH: usize = 4_000;
/// Traces.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// What only contracts may do, so that it never succeeds.
const NEVER: [&str; 1] = ["SetRole"];
/// Only views revert with these.
const UNSEEN: [&str; 2] = ["Disputes.UnknownVersion", "Staking.ForgottenEpoch"];
/// What never reverts.
const ALWAYS: [&str; 3] = ["Wait", "Accrue", "Approve"];

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn replayed(seeds: impl Iterator<Item = u64>, length: usize) -> Tally {
    let artefacts = Artefacts::read().unwrap();
    let patience = Duration::from_secs(number("CUCKOO_REFERENCE_PATIENCE", 120));
    let mut sum = Tally::default();
    for seed in seeds {
        match replay(&artefacts, &Parameters::of_seed(seed), seed, length, patience).unwrap() {
            Ok(tally) => sum.add(&tally),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{sum}");
    sum
}

#[test]
fn contracts_and_model_agree_to_the_wei() {
    let tally = replayed(SEEDS, LENGTH);
    assert!(tally.operations() >= 10_000);
    // A test that does nothing compares nothing.
    for kind in Call::KINDS {
        let (successes, reverts) = tally.kinds.get(kind).copied().unwrap_or_default();
        assert_eq!(successes == 0, NEVER.contains(&kind), "{kind} succeeded {successes} times");
        assert_eq!(reverts == 0, ALWAYS.contains(&kind), "{kind} reverted {reverts} times");
    }
    for situation in SITUATIONS {
        assert!(tally.situations.contains_key(situation), "never: {situation}");
    }
    let mut unseen: Vec<_> = names::errors().into_values().chain(names::events().into_values()).collect();
    unseen.retain(|name| !tally.names.contains_key(name));
    assert_eq!(unseen, UNSEEN, "events and errors that never came");
}

/// `CUCKOO_REFERENCE_SEED=7 cargo test -p cuckoo-reference -- --ignored --nocapture` replays what a seed makes, at length.
#[test]
#[ignore = "takes minutes"]
fn contracts_and_model_agree_at_length() {
    let seed = number("CUCKOO_REFERENCE_SEED", 1_000);
    replayed(seed..seed + 10, 20_000);
}
