//! The game and the inequality agree, and each rule is needed: without it another strategy is best.

use crate::{
    game::{Entrant, Strategy, play},
    rules::{Market, Rules},
    sweep::{Contest, bare, contest, least_audit},
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
    }
}

const OWN: f64 = 30_000.0;

fn among_honest(strategy: Strategy) -> Contest {
    Contest { strategy, own: OWN, votes: 0.0, days: 120, runs: 4, seed: 0 }
}

#[test]
fn honesty_is_best_with_the_main_networks_parameters() {
    for strategy in crate::game::STRATEGIES.into_iter().skip(1) {
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
    let career = &play(&bare(&rules()), &market, &[entrant], 1, 0)[0];
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
