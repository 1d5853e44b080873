#![allow(non_snake_case, reason = "the contracts name their fields so")]

use super::*;
use alloy::primitives::Log as RawLog;

const DISPUTES: Address = Address::repeat_byte(0xd1);
const ID: B256 = B256::repeat_byte(1);
const OTHER: B256 = B256::repeat_byte(2);
const RESULT: B256 = B256::repeat_byte(3);
const JUROR: Address = Address::repeat_byte(0x1a);

fn log(event: &impl SolEvent) -> Log {
    let inner = RawLog { address: DISPUTES, data: event.encode_log_data() };
    Log { inner, block_number: Some(7), ..Default::default() }
}

fn request(states: u64, blob_root: B256) -> Bytes {
    let words = [U256::from(1), U256::ZERO, U256::ZERO, U256::from(states), U256::ZERO, blob_root.into()];
    words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<_>>().into()
}

fn challenged(id: B256, transition: u32, blob_root: B256) -> Log {
    log(&Challenged {
        id,
        result: RESULT,
        accused: Address::repeat_byte(0xac),
        challenger: Address::repeat_byte(0xcc),
        version: U256::ZERO,
        epoch: U256::from(4),
        transition: U256::from(transition),
        deadline: U256::from(100),
        offer: Offer::default(),
        message: TaskResult::default(),
        request: request(21, blob_root),
        tileIndex: U256::ZERO,
        tile: Bytes::new(),
    })
}

fn docket(logs: &[Log]) -> Docket {
    Docket::at(0, DISPUTES, logs)
}

fn began(round: u64) -> Log {
    let (beacon, deadline) = (U256::from(9), U256::from(110));
    log(&IDisputes::RoundBegan { id: ID, round: U256::from(round), beacon, deadline })
}

fn called(round: u64) -> Log {
    let (seed, commitUntil, revealUntil) = (B256::repeat_byte(5), U256::from(120), U256::from(125));
    log(&IDisputes::JuryCalled { id: ID, round: U256::from(round), seed, commitUntil, revealUntil })
}

fn committed(round: u64) -> Log {
    let (votes, commitment) = (U256::from(3), B256::repeat_byte(6));
    log(&IDisputes::Committed { id: ID, round: U256::from(round), operator: JUROR, votes, commitment })
}

fn resolved(id: B256, outcome: Outcome) -> Log {
    let [slashed, toChallenger, toAccused, payPerVote] = [1, 2, 3, 4].map(U256::from);
    let (result, accused, fault) = (RESULT, Address::repeat_byte(0xac), Fault::Transition);
    log(&IDisputes::Resolved { id, result, accused, outcome, fault, slashed, toChallenger, toAccused, payPerVote })
}

#[test]
fn a_dispute_goes_through_its_phases() {
    let revealed = IDisputes::Revealed {
        id: ID,
        round: U256::from(1),
        operator: JUROR,
        index: U256::from(2),
        verdict: Verdict::Guilty,
        probe: U256::from(77),
        votes: U256::from(3),
        guilty: U256::from(3),
        innocent: U256::ZERO,
        jurors: U256::from(1),
    };
    let guilty = IDisputes::FoundGuilty { id: ID, fault: Fault::Transition, deadline: U256::from(130) };
    let claimed = IDisputes::Claimed { id: ID, round: U256::from(1), operator: JUROR, amount: U256::from(12) };
    let story = [
        challenged(ID, 5, B256::ZERO),
        began(0),
        called(0),
        committed(0),
        began(1),
        called(1),
        committed(1),
        log(&revealed),
        log(&guilty),
        resolved(ID, Outcome::Convicted),
        log(&claimed),
    ];
    let seed = B256::repeat_byte(5);
    let jury = Phase::Jury { seed, commit_until: 120, reveal_until: 125 };
    let expected = [
        (0, Phase::Answer { deadline: 100 }, Some(100)),
        (0, Phase::Seed { beacon: 9, deadline: 110 }, Some(110)),
        (0, jury, Some(125)),
        (0, jury, Some(125)),
        (1, Phase::Seed { beacon: 9, deadline: 110 }, Some(110)),
        (1, jury, Some(125)),
        (1, jury, Some(125)),
        (1, jury, Some(125)),
        (1, Phase::Veto { fault: Fault::Transition, deadline: 130 }, Some(130)),
    ];
    for (at, (round, phase, from)) in expected.into_iter().enumerate() {
        let docket = docket(&story[..=at]);
        let dispute = docket.get(ID).unwrap();
        assert_eq!((dispute.round, dispute.phase, docket.resolve_from(dispute)), (round, phase, from), "{at}");
        assert_eq!((docket.open().count(), docket.first_block(RESULT)), (1, Some(7)));
    }
    let docket = docket(&story);
    let dispute = docket.get(ID).unwrap();
    let [slashed, to_challenger, to_accused, pay_per_vote] = [1, 2, 3, 4].map(U256::from);
    let (outcome, fault) = (Outcome::Convicted, Fault::Transition);
    assert_eq!(dispute.phase, Phase::Ended(End { outcome, fault, slashed, to_challenger, to_accused, pay_per_vote }));
    assert_eq!((docket.open().count(), docket.resolve_from(dispute)), (0, None));
    // A juror of two rounds opened its vote in the second, and was paid for that.
    let juror = |round| dispute.juror(round, JUROR).unwrap();
    assert_eq!((juror(0).revealed, juror(0).claimed), (None, false));
    assert_eq!(juror(1).revealed, Some(Revealed { index: 2, verdict: Verdict::Guilty, probe: U256::from(77) }));
    assert!(juror(1).claimed && juror(1).votes == 3);
    assert!(dispute.juror(1, Address::ZERO).is_none() && dispute.juror(2, JUROR).is_none());
}

#[test]
fn what_a_transition_needs_follows_from_the_request() {
    let parts = |transition, blob| docket(&[challenged(ID, transition, blob)]).get(ID).unwrap().parts();
    assert_eq!(parts(0, B256::ZERO), [Part::State(0)]);
    assert_eq!(parts(0, B256::repeat_byte(1)), [Part::State(0), Part::Blob]);
    assert_eq!(parts(5, B256::repeat_byte(1)), [Part::State(4), Part::State(5)]);
    assert_eq!(parts(21, B256::ZERO), [Part::State(20)]);
}

#[test]
fn a_conviction_makes_the_results_other_disputes_due() {
    let others = [challenged(ID, 5, B256::ZERO), challenged(OTHER, 6, B256::ZERO)];
    for (outcome, due) in [(Outcome::Convicted, 0), (Outcome::Acquitted, 100), (Outcome::Drawn, 100)] {
        let docket = docket(&[&others[..], &[resolved(ID, outcome)]].concat());
        assert_eq!(docket.resolve_from(docket.get(OTHER).unwrap()), Some(due));
    }
}

#[test]
fn what_is_over_is_forgotten_and_what_is_open_never() {
    let mut docket =
        docket(&[challenged(ID, 5, B256::ZERO), challenged(OTHER, 6, B256::ZERO), resolved(ID, Outcome::Convicted)]);
    docket.forget(100);
    assert_eq!(docket.iter().count(), 2);
    docket.forget(101);
    assert_eq!(docket.iter().map(Dispute::id).collect::<Vec<_>>(), [OTHER]);
    assert_eq!(docket.resolve_from(docket.get(OTHER).unwrap()), Some(0), "the conviction is still known");
}

#[test]
fn what_others_log_and_what_began_too_early_is_skipped() {
    let mut foreign = challenged(ID, 5, B256::ZERO);
    foreign.inner.address = Address::ZERO;
    let docket = docket(&[foreign, began(0), called(0), committed(0), resolved(ID, Outcome::Acquitted)]);
    assert_eq!(docket.iter().count(), 0);
}
