//! The tables and plots of docs/economics.md.

mod figures;
mod tables;

use crate::{
    game::{STRATEGIES, Strategy, Token},
    jury::{Bench, FIRST_VOTES, outcomes},
    rules::{DEAR, Market, Rules},
    sweep::{self, Contest, Row, Split, TENTH, bare},
    theory::{self, Accuser},
    washing::{self, Washing},
};
use serde::Serialize;

/// Own stake of the miners that are compared, in CAI.
pub const OWN: f64 = 30_000.0;
const DAYS: u32 = 180;
/// Least rates that are looked for, each with seeds of its own, and the runs that each is compared by.
const BATCHES: u64 = 4;
const BATCH: u64 = 8;
const DISPUTES: u32 = 20_000;
/// Operators that may sit on a jury.
const OPERATORS: usize = 60;
/// Shares of the weight that a ring has.
const RINGS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.75, 0.9];
/// Shares of the honest operators that let themselves be bought.
const VENAL: [f64; 7] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0];
/// Of the token's price, what is left after a fall.
const FALL: f64 = 0.1;
/// Standard deviation of a day's change of the token's price.
const WANDER: f64 = 0.05;
/// Stake that is split over operators or not, CAI, and over how many.
const WHOLE: f64 = 120_000.0;
const PARTS: [usize; 2] = [1, 5];

/// All figures.
#[derive(Serialize)]
pub struct Report {
    /// Strategies under the rules as they are.
    pub strategies: Vec<Row>,
    /// The same, each miner with four times its own stake of voters behind it.
    pub backed: Vec<Row>,
    /// The first ones where no stream pays: on fees alone.
    pub dry: Vec<Row>,
    /// The inequality beside the game: the least audit rate.
    pub rates: Vec<Rate>,
    /// The least fraction of a slash, likewise.
    pub fractions: Vec<FractionRow>,
    /// CAI a month of a miner where all are honest.
    pub honest: f64,
    /// The same without the streams.
    pub honest_dry: f64,
    /// Rings that acquit their own.
    pub rings: Vec<Ring>,
    /// Cheats that pay jurors for staying away.
    pub bribes: Vec<Bribe>,
    /// The same strategies while the token's price moves.
    pub tokens: Vec<TokenRow>,
    /// Stake in one operator or in several.
    pub splits: Vec<Split>,
    /// A coordinator that trades with its own miners.
    pub washing: Vec<Washing>,
    /// What part of the weight colludes or stays away, and what juries find then.
    pub juries: Vec<JuryRow>,
    /// The token's price, and the highest price of a task that still is safe.
    pub prices: Vec<PriceRow>,
}

/// A least audit rate, by the inequality and by the game.
#[derive(Serialize)]
pub struct Rate {
    /// CAI of a task.
    pub price: f64,
    /// CAI.
    pub own: f64,
    /// Of a slash.
    pub fraction: f64,
    /// By the inequality.
    pub named: f64,
    /// By the game: mean and standard deviation over batches of seeds of their own; none if no rate suffices.
    pub found: Option<(f64, f64)>,
}

/// A least fraction to slash, by the inequality and by the game.
#[derive(Serialize)]
pub struct FractionRow {
    /// CAI of a task.
    pub price: f64,
    /// CAI.
    pub own: f64,
    /// By the inequality.
    pub named: f64,
    /// By the game: mean and standard deviation over batches of seeds of their own; none if no fraction suffices.
    pub found: Option<(f64, f64)>,
}

/// What a ring earns that has so much.
#[derive(Serialize)]
pub struct Ring {
    /// Of the network's weight.
    pub share: f64,
    /// What a member earns.
    pub row: Row,
    /// The same without the streams.
    pub dry: Row,
}

/// What paying jurors for staying away earns.
#[derive(Serialize)]
pub struct Bribe {
    /// Share of the honest operators that takes it.
    pub venal: f64,
    /// CAI for each that is drawn.
    pub bribe: f64,
    /// What the briber earns.
    pub row: Row,
}

/// A strategy's CAI a month beside honesty while the token's price moves.
#[derive(Serialize)]
pub struct TokenRow {
    /// Which.
    pub strategy: String,
    /// Mean and standard deviation over runs; at a price that stands still...
    pub steady: (f64, f64),
    /// ...that falls halfway...
    pub falls: (f64, f64),
    /// ...and that goes up and down.
    pub wanders: (f64, f64),
}

/// What juries find of a guilty miner.
#[derive(Serialize)]
pub struct JuryRow {
    /// Share of the weight that votes against the truth.
    pub colluding: f64,
    /// Share that stays away.
    pub absent: f64,
    /// Share of disputes that end rightly.
    pub right: f64,
    /// Wrongly.
    pub wrong: f64,
    /// In a draw.
    pub drawn: f64,
}

/// How the token's price moves what is safe.
#[derive(Serialize)]
pub struct PriceRow {
    /// Of its first price.
    pub token: f64,
    /// Highest price of a task for which one fake does not pay, in CAI of the first price.
    pub highest: f64,
    /// The same if the cheat accuses itself.
    pub highest_puppet: f64,
}

/// Fakes of dear tasks alone, which have one price, with seeds of their own.
fn dear(own: f64, batch: u64) -> Contest {
    let (strategy, share, seed) = (Strategy::Dear, TENTH, batch * BATCH);
    Contest { strategy, share, own, votes: 0.0, days: DAYS, runs: BATCH, seed }
}

/// Works everything out.
pub fn work_out(rules: &Rules, market: &Market, runs: u64, progress: &dyn Fn(&str)) -> Report {
    progress("strategies");
    let strategies = sweep::strategies(rules, market, OWN, 0.0, DAYS, runs);
    let backed = sweep::strategies(rules, market, OWN, 4.0 * OWN, DAYS, runs);
    let dry = sweep::strategies(&sweep::without_streams(rules), market, OWN, 0.0, DAYS, runs);
    progress("least audit rates");
    let steady = Market { newcomers: false, ..market.clone() };
    let rate = |&(price, own, fraction): &(f64, f64, f64)| {
        let rules = Rules { fraction, ..bare(rules) };
        // Fakes of dear tasks only: all of one price.
        let market = Market { price: price / DEAR, ..steady.clone() };
        let named = theory::least_audit(&rules, &market, price, own, Accuser::Other);
        let batch = |batch| sweep::least_audit(&rules, &market, dear(own, batch));
        let found: Option<Vec<f64>> = (0..BATCHES).map(batch).collect();
        Rate { price, own, fraction, named, found: found.map(|found| sweep::mean_and_deviation(&found)) }
    };
    let cases = [
        (30.0, OWN, 0.1),
        (100.0, OWN, 0.1),
        (300.0, OWN, 0.1),
        (100.0, 2.0 * OWN, 0.1),
        (100.0, OWN, 0.05),
        (100.0, OWN, 0.2),
    ];
    let rates = sweep::each(&cases, rate);
    progress("least fractions");
    let fraction = |&(price, own): &(f64, f64)| {
        // Without the cap, which would let a smaller fraction be risked for less.
        let (rules, market) = (bare(rules), Market { price: price / DEAR, capped: false, ..steady.clone() });
        let named = theory::least_fraction(&rules, &market, price, own, Accuser::Other);
        let found: Option<Vec<f64>> =
            (0..BATCHES).map(|batch| sweep::least_fraction(&rules, &market, dear(own, batch))).collect();
        FractionRow { price, own, named, found: found.map(|found| sweep::mean_and_deviation(&found)) }
    };
    let fractions = sweep::each(&[(30.0, OWN), (100.0, OWN), (300.0, OWN), (300.0, 2.0 * OWN)], fraction);
    progress("rings and bribes");
    let among = |strategy, share| Contest { strategy, share, own: OWN, votes: 0.0, days: DAYS, runs, seed: 0 };
    let on_fees = &sweep::without_streams(rules);
    let [honest, honest_dry] =
        [rules, on_fees].map(|of| sweep::contest(of, market, among(Strategy::Honest, TENTH)).profit);
    let rings = sweep::each(&RINGS, |&share| {
        let [row, dry] = [rules, on_fees].map(|of| sweep::contest(of, market, among(Strategy::Ring, share)));
        Ring { share, row, dry }
    });
    let bribe = |&(venal, bribe): &(f64, f64)| {
        let market = Market { venal, bribe, ..market.clone() };
        Bribe { venal, bribe, row: sweep::contest(rules, &market, among(Strategy::Briber, TENTH)) }
    };
    // What a vote is paid when all come, and what one is that comes alone.
    let prices = [rules.fee / FIRST_VOTES, rules.fee];
    let offers: Vec<_> = prices.into_iter().flat_map(|price| VENAL.map(|venal| (venal, price))).collect();
    let bribes = sweep::each(&offers, bribe);
    progress("the token's price");
    let moving = |&strategy: &Strategy| {
        let earns = |token| {
            let row = sweep::contest(rules, &Market { token, ..market.clone() }, among(strategy, TENTH));
            (row.advantage, row.spread)
        };
        let (steady, falls, wanders) = (earns(Token::Steady), earns(Token::Falls(FALL)), earns(Token::Wanders(WANDER)));
        TokenRow { strategy: format!("{strategy:?}"), steady, falls, wanders }
    };
    let tokens = sweep::each(&STRATEGIES, moving);
    progress("split stake");
    let split = |(strategy, parts)| sweep::split(rules, market, among(strategy, TENTH), WHOLE, parts);
    let splits =
        [Strategy::Honest, Strategy::Always].into_iter().flat_map(|strategy| PARTS.map(|parts| (strategy, parts)));
    let splits = splits.map(split).collect();
    let washing = washing::table(rules, market);
    progress("juries");
    let shares = [
        (0.0, 0.0),
        (0.1, 0.0),
        (0.2, 0.0),
        (0.3, 0.0),
        (0.34, 0.0),
        (0.4, 0.0),
        (0.5, 0.0),
        (0.6, 0.0),
        (0.67, 0.0),
        (0.75, 0.0),
    ];
    let absences = [(0.0, 0.5), (0.0, 0.8), (0.0, 0.9), (0.0, 0.95), (0.2, 0.5)];
    let jury = |&(colluding, absent): &(f64, f64)| {
        let found = outcomes(rules, Bench { operators: OPERATORS, colluding, absent }, DISPUTES, 1);
        JuryRow { colluding, absent, right: found.right, wrong: found.wrong, drawn: found.drawn }
    };
    let juries = shares.iter().chain(&absences).map(jury).collect();
    let price = |token: f64| {
        // Work is paid in what money buys, stake is not: a fallen token is so much less stake.
        let highest = |accuser| theory::highest_price(rules, market, OWN * token, accuser);
        PriceRow { token, highest: highest(Accuser::Other), highest_puppet: highest(Accuser::Puppet) }
    };
    let prices = [2.0, 1.0, 0.5, 0.2, 0.1, 0.02].map(price).into();
    Report {
        strategies,
        backed,
        dry,
        rates,
        fractions,
        honest,
        honest_dry,
        rings,
        bribes,
        tokens,
        splits,
        washing,
        juries,
        prices,
    }
}

fn percent(share: f64) -> String {
    let hundred = share * 100.0;
    match hundred {
        0.0 => "0%".to_owned(),
        large if large >= 10.0 => format!("{large:.0}%"),
        middle if middle >= 1.0 => format!("{middle:.1}%"),
        small => format!("{small:.2}%"),
    }
}
