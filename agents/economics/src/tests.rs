//! The game and the inequality agree, and each rule is needed: without it another strategy is best.

use crate::{
    game::{Entrant, STRATEGIES, Strategy, Token, play},
    jury::{FIRST_VOTES, LEAST_VOTES},
    rules::{Market, Rules},
    sweep::{Contest, TENTH, bare, contest, least_audit, least_fraction, split, without_streams},
    theory::{self, Accuser},
};
use std::path::Path;

/// Of the main network.
pub fn rules() -> Rules {
    Rules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../script/config/1200.json")).unwrap()
}

fn market() -> Market {
    Market {
        price: 3.0,
        cost: 0.5,
        saved: 0.95,
        audit: 0.05,
        detection: 1.0,
        conviction: 0.9,
        demand: 2000.0,
        capped: true,
        newcomers: true,
        token: Token::Steady,
        venal: 0.5,
        bribe: 200.0,
    }
}

const OWN: f64 = 30_000.0;

fn among_honest(strategy: Strategy) -> Contest {
    Contest { strategy, share: TENTH, own: OWN, votes: 0.0, days: 120, runs: 4, seed: 0 }
}

#[test]
fn honesty_is_best_with_the_main_networks_parameters() {
    for strategy in STRATEGIES.into_iter().skip(1) {
        let row = contest(&rules(), &market(), among_honest(strategy));
        assert!(row.advantage < 0.0, "{row:?}");
        assert!(row.faked > 0.0, "{row:?}");
    }
}

#[test]
fn the_game_finds_the_rate_that_the_inequality_names() {
    let (rules, market) = (bare(&rules()), Market { price: 30.0, newcomers: false, ..market() });
    // Dear tasks are all that this strategy fakes, so all its fakes have one price.
    let named = theory::least_audit(&rules, &market, 300.0, OWN, Accuser::Other);
    let contest = Contest { runs: 24, ..among_honest(Strategy::Dear) };
    let found = least_audit(&rules, &market, contest).unwrap();
    assert!((0.7..1.4).contains(&(found / named)), "{found} is not {named}");
}

#[test]
fn an_accused_miner_gets_no_work_until_its_dispute_ends() {
    let rules = rules();
    let row = contest(&rules, &market(), among_honest(Strategy::Always));
    let most = (120.0 / (rules.dispute + rules.jail)).ceil();
    assert!(row.convictions > 1.0 && row.convictions <= most, "{row:?}");
}

#[test]
fn an_epochs_fractions_add_up_to_three_quarters_and_each_is_of_what_is_left() {
    // Free work, all of it false and found at once, so that slashes are all that there is.
    let market = Market { audit: 1.0, cost: 0.0, conviction: 1.0, ..market() };
    let entrant = Entrant { strategy: Strategy::Always, own: OWN, votes: 0.0 };
    // The others sit on its juries.
    let mut entrants = vec![Entrant { strategy: Strategy::Honest, ..entrant }; 20];
    entrants.insert(0, entrant);
    let career = &play(&bare(&rules()), &market, &entrants, 1, 0)[0];
    assert!(career.convictions > 8, "{career:?}");
    let left = 0.9_f64.powi(7) * 0.95;
    assert!((career.profit + OWN * (1.0 - left)).abs() < 1e-6, "{career:?}");
}

#[test]
fn without_audits_fakes_pay() {
    let row = contest(&rules(), &Market { audit: 0.0, ..market() }, among_honest(Strategy::Always));
    assert!(row.advantage > 0.0 && row.convictions == 0.0, "{row:?}");
}

#[test]
fn if_all_of_a_slash_were_paid_out_accusing_oneself_would_pay() {
    let market = Market { newcomers: false, price: 30.0, ..market() };
    let half = contest(&bare(&rules()), &market, among_honest(Strategy::Puppet));
    let all = contest(&Rules { paid_out: 1.0, ..bare(&rules()) }, &market, among_honest(Strategy::Puppet));
    assert!(half.advantage < 0.0 && all.advantage > 0.0, "{half:?} {all:?}");
}

#[test]
fn without_the_cap_a_burst_of_dear_fakes_pays() {
    // So much work for so little stake that all that an epoch's slashes can take is worth less than a week's fakes.
    let (rules, market) = (bare(&rules()), Market { price: 25.0, demand: 40_000.0, newcomers: false, ..market() });
    let burst = |capped| contest(&rules, &Market { capped, ..market.clone() }, among_honest(Strategy::Burst)).advantage;
    assert!(burst(false) > 0.0, "{}", burst(false));
    assert!(burst(true) < 0.0, "{}", burst(true));
}

#[test]
fn the_game_finds_the_fraction_that_the_inequality_names() {
    let (rules, market) = (bare(&rules()), Market { price: 30.0, newcomers: false, capped: false, ..market() });
    let named = theory::least_fraction(&rules, &market, 300.0, OWN, Accuser::Other);
    let found = least_fraction(&rules, &market, Contest { runs: 24, ..among_honest(Strategy::Dear) }).unwrap();
    assert!((0.7..1.4).contains(&(found / named)), "{found} is not {named}");
}

#[test]
fn a_ring_frees_its_members_only_as_a_majority_and_then_the_streams_alone_make_work_pay_more() {
    let of = |strategy, share| contest(&rules(), &market(), Contest { share, ..among_honest(strategy) });
    let (honest, small, large) = (of(Strategy::Honest, TENTH), of(Strategy::Ring, 0.25), of(Strategy::Ring, 0.6));
    assert!(small.convictions > 1.0 && large.convictions < small.convictions / 4.0, "{small:?} {large:?}");
    assert!(large.profit > small.profit && large.profit < honest.profit, "{large:?} {honest:?}");
    let dry = |strategy, share| {
        contest(&without_streams(&rules()), &market(), Contest { share, ..among_honest(strategy) }).profit
    };
    let (honest, small, large) = (dry(Strategy::Honest, TENTH), dry(Strategy::Ring, 0.25), dry(Strategy::Ring, 0.75));
    assert!(small < honest && honest < large, "{small} {honest} {large}");
}

#[test]
fn bribes_buy_nothing_unless_nearly_everybody_takes_them() {
    // A single briber: others would find each other guilty.
    let bribed = |venal| {
        let of = Contest { share: 0.01, ..among_honest(Strategy::Briber) };
        contest(&rules(), &Market { venal, bribe: 12.5, ..market() }, of)
    };
    assert!(bribed(0.7).convictions > 1.0, "{:?}", bribed(0.7));
    assert_eq!(bribed(1.0).convictions, 0.0);
}

#[test]
fn splitting_stake_gains_nothing() {
    let of = |strategy, parts| split(&rules(), &market(), among_honest(strategy), 120_000.0, parts);
    let (one, five) = (of(Strategy::Honest, 1), of(Strategy::Honest, 5));
    assert!((five.profit - one.profit).abs() < 3.0 * (one.spread + five.spread), "{one:?} {five:?}");
    assert!(of(Strategy::Always, 5).profit < five.profit / 2.0);
}

#[test]
fn a_token_that_falls_leaves_honesty_best_but_by_less_in_money() {
    let with = |token| contest(&rules(), &Market { token, ..market() }, among_honest(Strategy::Always)).advantage;
    let (steady, fallen) = (with(Token::Steady), with(Token::Falls(0.1)));
    assert!(steady < fallen && fallen < 0.0, "{steady} {fallen}");
}

/// What is copied from the contracts' sources is what stands there.
#[test]
fn the_constants_are_the_contracts() {
    let source = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts").join(name)).unwrap()
    };
    let has = |text: &str, line: &str| assert!(text.lines().any(|l| l.trim() == line), "no line {line:?}");
    has(&source("StakingState.sol"), "uint256 public constant MAX_SLASH_EPOCH = 0.75e18;");
    has(&source("Staking.sol"), "if (recipient != address(0)) paid = Math.min(reward, (ownLoss + ownBucketLoss) / 2);");
    assert_eq!((crate::rules::EPOCH_LIMIT, crate::rules::PAID_OUT), (0.75, 0.5));
    let jury = source("libraries/Jury.sol");
    has(&jury, &format!("uint256 internal constant FIRST_VOTES = {FIRST_VOTES};"));
    has(&jury, &format!("uint256 internal constant MIN_VOTES = {LEAST_VOTES};"));
    has(&jury, "if (3 * guilty >= 2 * all) return IDisputes.Verdict.Guilty;");
}

/// The simulated coordinators audit as the real one does.
#[test]
fn newcomers_are_audited_as_often_as_by_the_agent() {
    let coin = cuckoo_coordinator::audit::Coin::new([0; 32], 0.05);
    for passed in [0, 1, 5, 18, 19, 20, 1000] {
        assert_eq!(market().audit_rate(passed), coin.probability(passed));
    }
}
