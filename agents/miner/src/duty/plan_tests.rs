use super::*;
use alloy::{
    primitives::{Bytes, Log as RawLog},
    rpc::types::Log,
    sol_types::SolEvent,
};
use cuckoo_protocol::contracts::{
    IDisputes::{self, Fault},
    Offer, Result as TaskResult,
};

const DISPUTES: Address = Address::repeat_byte(0xd1);
const ID: B256 = B256::repeat_byte(1);
const ACCUSED: Address = Address::repeat_byte(0xac);
const CHALLENGER: Address = Address::repeat_byte(0xcc);
const JUROR: Address = Address::repeat_byte(0x1a);
const SEED: B256 = B256::repeat_byte(5);
const COMMITMENT: B256 = B256::repeat_byte(6);

fn log(event: &impl SolEvent) -> Log {
    Log { inner: RawLog { address: DISPUTES, data: event.encode_log_data() }, ..Default::default() }
}

fn challenged() -> Log {
    log(&IDisputes::Challenged {
        id: ID,
        result: B256::repeat_byte(3),
        accused: ACCUSED,
        challenger: CHALLENGER,
        version: U256::ZERO,
        epoch: U256::ZERO,
        transition: U256::from(1),
        deadline: U256::from(100),
        offer: Offer::default(),
        message: TaskResult::default(),
        request: Bytes::new(),
        tileIndex: U256::ZERO,
        tile: Bytes::new(),
    })
}

fn began() -> Log {
    log(&IDisputes::RoundBegan { id: ID, round: U256::ZERO, beacon: U256::from(9), deadline: U256::from(110) })
}

fn called() -> Log {
    let [round, commit_until, reveal_until] = [0, 120, 125].map(U256::from);
    log(&IDisputes::JuryCalled { id: ID, round, seed: SEED, commitUntil: commit_until, revealUntil: reveal_until })
}

fn committed() -> Log {
    let votes = U256::from(3);
    log(&IDisputes::Committed { id: ID, round: U256::ZERO, operator: JUROR, votes, commitment: COMMITMENT })
}

fn revealed(verdict: Verdict) -> Log {
    let [round, index, probe, votes, guilty, innocent, jurors] = [0, 2, 7, 3, 3, 0, 1].map(U256::from);
    let (id, operator) = (ID, JUROR);
    log(&IDisputes::Revealed { id, round, operator, index, verdict, probe, votes, guilty, innocent, jurors })
}

fn ended(outcome: Outcome, pay: u64) -> Log {
    log(&IDisputes::Resolved {
        id: ID,
        result: B256::repeat_byte(3),
        accused: ACCUSED,
        outcome,
        fault: Fault::None,
        slashed: U256::ZERO,
        toChallenger: U256::ZERO,
        toAccused: U256::ZERO,
        payPerVote: U256::from(pay),
    })
}

/// What each of accused, challenger and juror does next, at a time, after these events.
fn steps(logs: &[Log], now: u64) -> [Option<Step>; 3] {
    let docket = Docket::at(now, DISPUTES, logs);
    let dispute = docket.get(ID).unwrap();
    [ACCUSED, CHALLENGER, JUROR].map(|me| next(&docket, dispute, me, true, |_| false))
}

#[test]
fn each_does_its_part_in_each_phase() {
    let call = Some(Step::CallJury { round: 0, beacon: 9 });
    let judge = Some(Step::Judge { round: 0, seed: SEED, reveal_until: 125 });
    let reveal = Some(Step::Reveal { commitment: COMMITMENT });
    let resolve = |due| Some(Step::Resolve { round: 0, due });
    let answer = Some(Step::Answer);
    let to_jury = [challenged(), began(), called()];
    let to_commit = [&to_jury[..], &[committed()]].concat();
    let to_reveal = [&to_commit[..], &[revealed(Verdict::Guilty)]].concat();
    for (logs, now, expected) in [
        (&to_jury[..1], 99, [answer, None, None]),
        (&to_jury[..1], 100, [resolve(100); 3]),
        (&to_jury[..2], 109, [call, None, call]),
        (&to_jury[..2], 110, [resolve(110); 3]),
        (&to_jury[..], 119, [None, None, judge]),
        (&to_jury[..], 120, [None, None, None]),
        (&to_commit[..], 119, [None, None, None]),
        (&to_commit[..], 120, [None, None, reveal]),
        (&to_reveal[..], 124, [None, None, None]),
        (&to_reveal[..], 125, [resolve(125); 3]),
    ] {
        assert_eq!(steps(logs, now), expected, "{} events, at {now}", logs.len());
    }
}

#[test]
fn who_does_not_serve_still_answers_and_ends_what_it_began() {
    let next_of = |logs: &[Log], now, me| {
        let docket = Docket::at(now, DISPUTES, logs);
        next(&docket, docket.get(ID).unwrap(), me, false, |_| false)
    };
    let all = [challenged(), began(), called(), committed()];
    assert_eq!(next_of(&all[..1], 50, ACCUSED), Some(Step::Answer));
    assert_eq!(next_of(&all[..2], 105, JUROR), None);
    assert_eq!(next_of(&all[..3], 115, JUROR), None);
    assert_eq!(next_of(&all, 121, JUROR), Some(Step::Reveal { commitment: COMMITMENT }));
}

#[test]
fn only_votes_that_are_paid_are_claimed() {
    let claim = Some(Step::Claim { round: 0, index: 2 });
    for (verdict, outcome, pay, expected) in [
        (Verdict::Guilty, Outcome::Convicted, 1, claim),
        (Verdict::Guilty, Outcome::Acquitted, 1, None),
        (Verdict::Innocent, Outcome::Acquitted, 1, claim),
        (Verdict::Innocent, Outcome::Convicted, 1, None),
        (Verdict::Innocent, Outcome::Drawn, 1, claim),
        (Verdict::Unable, Outcome::Drawn, 1, None),
        (Verdict::Guilty, Outcome::Convicted, 0, None),
    ] {
        let logs = [challenged(), began(), called(), committed(), revealed(verdict), ended(outcome, pay)];
        assert_eq!(steps(&logs, 1_000), [None, None, expected], "{verdict:?} {outcome:?} {pay}");
    }
    let claimed = IDisputes::Claimed { id: ID, round: U256::ZERO, operator: JUROR, amount: U256::ONE };
    let logs = [challenged(), began(), called(), committed(), revealed(Verdict::Guilty)];
    let logs = [&logs[..], &[ended(Outcome::Convicted, 1), log(&claimed)]].concat();
    assert_eq!(steps(&logs, 1_000), [None; 3], "paid already");
}

#[test]
fn a_vote_that_is_not_paid_does_not_keep_another_rounds_from_its_pay() {
    let round = |round: u64| {
        let (id, operator, round) = (ID, JUROR, U256::from(round));
        let [beacon, deadline, votes] = [9, 110, 3].map(U256::from);
        let [commit_until, reveal_until, index, probe, none] = [120, 125, 2, 7, 0].map(U256::from);
        let verdict = Verdict::Innocent;
        [
            log(&IDisputes::RoundBegan { id, round, beacon, deadline }),
            log(&IDisputes::JuryCalled { id, round, seed: SEED, commitUntil: commit_until, revealUntil: reveal_until }),
            log(&IDisputes::Committed { id, round, operator, votes, commitment: COMMITMENT }),
            log(&IDisputes::Revealed {
                id,
                round,
                operator,
                index,
                verdict,
                probe,
                votes,
                guilty: none,
                innocent: votes,
                jurors: U256::ONE,
            }),
        ]
    };
    let logs = [&[challenged()][..], &round(0), &round(1), &[ended(Outcome::Drawn, 1)]].concat();
    let docket = Docket::at(1_000, DISPUTES, &logs);
    let [first, second] = [0, 1].map(|round| Step::Claim { round, index: 2 });
    let after = |aside: &[Step]| next(&docket, docket.get(ID).unwrap(), JUROR, true, |step| aside.contains(step));
    assert_eq!([after(&[]), after(&[first]), after(&[first, second])], [Some(first), Some(second), None]);
}

#[test]
fn those_who_have_no_part_wait_for_those_who_have() {
    let mut docket = Docket::at(100, DISPUTES, &[challenged()]);
    docket.set_parameters(0, IDisputes::Parameters { seedWindow: 60, ..Default::default() });
    let dispute = docket.get(ID).unwrap();
    let seconds = |me| patience(&docket, dispute, me).as_secs_f64();
    assert!(seconds(ACCUSED) <= 30.0);
    let others: Vec<f64> = (1..=9).map(|byte| seconds(Address::repeat_byte(byte))).collect();
    assert!(others.iter().all(|wait| (60.0..=180.0).contains(wait)), "{others:?}");
    assert!(others.windows(2).all(|pair| pair[0] != pair[1]), "they do not wait alike: {others:?}");
    docket.set_parameters(0, IDisputes::Parameters { seedWindow: 86_400, ..Default::default() });
    let dispute = docket.get(ID).unwrap();
    assert!(patience(&docket, dispute, ACCUSED).as_secs() <= 60, "however long the window is");
}
