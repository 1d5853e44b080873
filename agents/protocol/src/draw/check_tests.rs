use super::*;
use crate::draw::{At, Candidate, PassedOver, Reason};

const TODAY: u64 = 20_000;
const NOW: u64 = (TODAY + 2) * DAY;

fn miner(n: u8) -> Address {
    Address::with_last_byte(n)
}

fn weights() -> BTreeMap<Address, U256> {
    (1..=4).map(|n| (miner(n), U256::from(n) * U256::from(10))).collect()
}

fn facts() -> Facts {
    Facts { time: TODAY * DAY + 5, now: NOW, weights: weights() }
}

/// As an honest coordinator logs it: miner 4 was busy.
fn log(sequence: u64) -> Draw {
    let secret = B256::repeat_byte(7);
    let mut candidates: Vec<Candidate> =
        (1..=3).map(|n| Candidate { miner: miner(n), weight: weights()[&miner(n)] }).collect();
    Draw {
        sequence,
        day: TODAY,
        commitment: commitment(secret),
        secret: Some(secret),
        at: Some(At { block: 100 + sequence, final_block: 98 + sequence }),
        chosen: draw(secret, sequence, &mut candidates).unwrap(),
        candidates,
        passed_over: vec![PassedOver { miner: miner(4), reason: Reason::Busy }],
    }
}

/// What is found if the second of three draws is altered.
fn found(alter: impl FnOnce(&mut Draw, &mut Facts)) -> Vec<Fault> {
    let (mut check, mut facts) = (Check::new(vec![log(0).commitment]), facts());
    assert_eq!(check.faults(0, &log(0), Some(&facts)), []);
    let mut altered = log(1);
    alter(&mut altered, &mut facts);
    check.faults(1, &altered, Some(&facts))
}

#[test]
fn honest_draws_have_no_fault() {
    let mut check = Check::new(Vec::new());
    for sequence in 0..50 {
        assert_eq!(check.faults(sequence, &log(sequence), Some(&facts())), []);
        assert_eq!(check.faults(sequence, &log(sequence), None), []);
    }
    assert_eq!(found(|_, facts| facts.time -= DAY), [], "from before midnight");
    assert_eq!(found(|draw, facts| (draw.secret, facts.now) = (None, (TODAY + 1) * DAY + 5)), [], "just over");
}

#[test]
fn each_alteration_is_found() {
    let other = |draw: &Draw| (1..=3).map(miner).find(|miner| *miner != draw.chosen).unwrap();
    let (drawn, chosen) = (log(1).chosen, other(&log(1)));
    assert_eq!(found(|draw, _| draw.chosen = chosen), [Fault::Winner { drawn, chosen }]);
    assert_eq!(found(|draw, _| draw.sequence = 2), [Fault::Number(2)]);
    assert_eq!(found(|draw, _| draw.at = None), [Fault::Undated]);
    assert_eq!(found(|draw, _| draw.secret = None), [Fault::Withheld]);
    assert_eq!(found(|draw, _| draw.passed_over.clear()), [Fault::LeftOut(miner(4))]);
    let blocks = |block, final_block| vec![Fault::Blocks { block, final_block }];
    assert_eq!(found(|draw, _| draw.at = Some(At { block: 99, final_block: 99 })), blocks(99, 99), "backwards");
    assert_eq!(found(|draw, _| draw.at = Some(At { block: 101, final_block: 97 })), blocks(101, 97), "backwards");
    assert_eq!(found(|draw, _| draw.at = Some(At { block: 101, final_block: 102 })), blocks(101, 102));
    assert_eq!(found(|_, facts| facts.time -= 2 * DAY), blocks(101, 99), "stale");
    assert_eq!(found(|_, facts| facts.time += DAY), blocks(101, 99), "of a later day");
    let nobody = found(|draw, facts| (draw.candidates, facts.weights) = (Vec::new(), BTreeMap::new()));
    assert_eq!(nobody, [Fault::Nobody]);
}

#[test]
fn a_secret_cannot_be_exchanged() {
    let secret = B256::repeat_byte(8);
    let mine = commitment(secret);
    // With another secret the winner is another one, too, or happens to be the same.
    let exchanged = found(|draw, _| draw.secret = Some(secret));
    assert!(exchanged.contains(&Fault::Secret(log(0).commitment)), "{exchanged:?}");
    let both = found(|draw, _| (draw.secret, draw.commitment) = (Some(secret), mine));
    assert!(both.contains(&Fault::Unpromised(mine)), "{both:?}");
    assert!(both.contains(&Fault::Changed { before: log(0).commitment, now: mine }), "{both:?}");
}

#[test]
fn weights_are_the_chains() {
    // Its own miner twice has two chances.
    let doubled = found(|draw, _| draw.candidates.insert(0, draw.candidates[0]));
    assert!(doubled.contains(&Fault::Order), "{doubled:?}");
    let heavier = found(|draw, _| draw.candidates[0].weight = U256::MAX);
    let (claimed, actual) = (U256::MAX, U256::from(10));
    assert!(heavier.contains(&Fault::Weight { miner: miner(1), claimed, actual }), "{heavier:?}");
    let stranger = Candidate { miner: miner(9), weight: U256::from(5) };
    let invented = found(|draw, _| draw.candidates.push(stranger));
    let fault = Fault::Weight { miner: miner(9), claimed: U256::from(5), actual: U256::ZERO };
    assert!(invented.contains(&fault), "{invented:?}");
}
