//! The tables and plots of docs/economics.md.

use crate::{
    game::Strategy,
    jury::{Bench, outcomes},
    plots::{Plot, Series},
    rules::{DEAR, Market, Rules},
    sweep::{self, Contest, Row, bare},
    theory::{self, Accuser},
};
use anyhow::Result;
use plotters::chart::SeriesLabelPosition;
use serde::Serialize;
use std::fmt::Write;

/// Own stake of the miners that are compared, in CAI.
pub const OWN: f64 = 30_000.0;
const DAYS: u32 = 180;
/// Least rates that are looked for, each with seeds of its own, and the runs that each is compared by.
const BATCHES: u64 = 6;
const BATCH: u64 = 8;
const DISPUTES: u32 = 20_000;
/// Operators that may sit on a jury.
const OPERATORS: usize = 60;
/// States of 64 KiB that the answer of a step opens, for two sizes of picture with 4 latent channels.
const ANSWERS: [(&str, f64); 2] = [("512x512", 2.0), ("1024x1024", 8.0)];
/// CAI a native coin, where the bond is worked out.
const CAI_A_COIN: f64 = 100_000.0;

/// All figures.
#[derive(Serialize)]
pub struct Report {
    /// Strategies under the rules as they are.
    pub strategies: Vec<Row>,
    /// The same, each miner with four times its own stake of voters behind it.
    pub backed: Vec<Row>,
    /// The inequality beside the game.
    pub rates: Vec<Rate>,
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

/// Works everything out.
pub fn work_out(rules: &Rules, market: &Market, runs: u64, progress: &dyn Fn(&str)) -> Report {
    progress("strategies");
    let strategies = sweep::strategies(rules, market, OWN, 0.0, DAYS, runs);
    let backed = sweep::strategies(rules, market, OWN, 4.0 * OWN, DAYS, runs);
    progress("least audit rates");
    let steady = Market { newcomers: false, ..market.clone() };
    let rate = |(price, own, fraction): (f64, f64, f64)| {
        let rules = Rules { fraction, ..bare(rules) };
        // Fakes of dear tasks only: all of one price.
        let market = Market { price: price / DEAR, ..steady.clone() };
        let named = theory::least_audit(&rules, &market, price, own, Accuser::Other);
        let batch = |batch| {
            let of =
                Contest { strategy: Strategy::Dear, own, votes: 0.0, days: DAYS, runs: BATCH, seed: batch * BATCH };
            sweep::least_audit(&rules, &market, of)
        };
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
    let rates = cases.map(rate).into();
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
    Report { strategies, backed, rates, juries, prices }
}

impl Report {
    /// The page's first words: what loses how much, and what the slash alone deters.
    pub fn summary(&self, market: &Market) -> String {
        let losses = self.strategies.iter().skip(1).map(|row| -row.advantage);
        let (least, most) =
            losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)));
        let now = self.prices.iter().find(|row| row.token == 1.0);
        let (highest, puppet) = now.map_or((f64::NAN, f64::NAN), |row| (row.highest, row.highest_puppet));
        let outcome = if least > 0.0 {
            "every way to cheat that was tried loses"
        } else {
            "NOT every way to cheat that was tried loses"
        };
        format!(
            "**In short.** With pictures of {} CAI, {OWN} CAI of own stake and {} audits {outcome}: by {least:.0} to {most:.0} CAI a month beside honest\n\
             neighbours, most of it income of the jail terms. The slash alone deters fakes of tasks up to {highest:.0} CAI, and up to {puppet:.0} CAI if the\n\
             cheat has a puppet accuse it first.\n",
            market.price,
            percent(market.audit)
        )
    }

    /// The tables, as Markdown.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        self.strategy_table(&mut text, &self.strategies, "Miners with 30,000 CAI of their own and no votes:");
        self.strategy_table(&mut text, &self.backed, "The same with 120,000 CAI of votes behind each:");
        let _ = writeln!(
            text,
            "The least audit rate by the inequality and by the game, where nothing but the slash deters (no jail, no streams):\n"
        );
        let _ = writeln!(
            text,
            "| price of a task, CAI | own stake, CAI | fraction | inequality | game | ± over seeds |\n|--:|--:|--:|--:|--:|--:|"
        );
        for rate in &self.rates {
            let (found, spread) = rate
                .found
                .map_or_else(|| ("none".to_owned(), "–".to_owned()), |(mean, spread)| (percent(mean), percent(spread)));
            let (price, own, fraction) = (rate.price, rate.own, percent(rate.fraction));
            let _ = writeln!(text, "| {price} | {own} | {fraction} | {} | {found} | {spread} |", percent(rate.named));
        }
        let _ = writeln!(
            text,
            "\nWhat juries find of a guilty miner ({DISPUTES} disputes drawn each, {OPERATORS} operators of equal weight):\n"
        );
        let _ = writeln!(
            text,
            "| weight that votes against the truth | weight that stays away | convicted | acquitted | drawn |\n|--:|--:|--:|--:|--:|"
        );
        for row in &self.juries {
            let [a, b, c, d, e] = [row.colluding, row.absent, row.right, row.wrong, row.drawn].map(percent);
            let _ = writeln!(text, "| {a} | {b} | {c} | {d} | {e} |");
        }
        let _ = writeln!(
            text,
            "\nThe highest price of a task for which no single fake pays, 30,000 CAI of own stake, in CAI at the token's first price:\n"
        );
        let _ = writeln!(text, "| token's price | accused by another | by its own puppet |\n|--:|--:|--:|");
        for row in &self.prices {
            let _ = writeln!(text, "| {} | {:.1} | {:.1} |", percent(row.token), row.highest, row.highest_puppet);
        }
        text
    }

    fn strategy_table(&self, text: &mut String, rows: &[Row], title: &str) {
        let _ = writeln!(text, "{title}\n");
        let _ = writeln!(
            text,
            "| strategy | CAI a month beside honesty | ± over runs | results faked | audited | fakes until convicted | convictions in half a year | its voters lost, CAI |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        );
        for row in rows {
            let until = row.until.map_or_else(|| "–".to_owned(), |until| format!("{until:.1}"));
            let (faked, audited) = (percent(row.faked), percent(row.audited));
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | {faked} | {audited} | {until} | {:.2} | {:.0} |",
                row.strategy.to_lowercase(),
                row.advantage,
                row.spread,
                row.convictions,
                row.voters_loss
            );
        }
        let _ = writeln!(text);
    }

    /// Draws the plots: the names of their files, and the SVG. `answer_gas` is what opening a state of 64 KiB takes.
    ///
    /// # Errors
    /// If one cannot be drawn.
    pub fn plots(&self, rules: &Rules, market: &Market, answer_gas: f64) -> Result<[(&'static str, String); 4]> {
        let line = |name: String, points: Vec<(f64, f64)>| Series { name, points, measured: false };
        let ratios: Vec<f64> = (0..=60).map(|i| 10_f64.powf(1.0 + f64::from(i) / 20.0)).collect();
        let least = |fraction: f64, accuser| {
            let rules = Rules { fraction, ..rules.clone() };
            ratios.iter().map(|ratio| (*ratio, theory::least_audit(&rules, market, 1.0, *ratio, accuser))).collect()
        };
        let mut series: Vec<Series> = [0.05, 0.1, 0.2]
            .map(|fraction| line(format!("fraction {}", percent(fraction)), least(fraction, Accuser::Other)))
            .into();
        series.push(line("fraction 10%, accused by its own puppet".to_owned(), least(rules.fraction, Accuser::Puppet)));
        let games = self.rates.iter().filter(|rate| rate.fraction == rules.fraction);
        let points = games.filter_map(|rate| Some((rate.own / rate.price, rate.found?.0))).collect();
        series.push(Series { name: "the game, fraction 10%".to_owned(), points, measured: true });
        let rate = Plot {
            title: "Least share of results to audit",
            x: "own stake / price of a task",
            y: "share of results",
            across: 10.0..10_000.0,
            up: 1e-4..1.0,
            legend: SeriesLabelPosition::LowerLeft,
            series,
        }
        .logarithmic()?;

        let shares: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
        let found: Vec<_> = shares
            .iter()
            .map(|&colluding| {
                (colluding, outcomes(rules, Bench { operators: OPERATORS, colluding, absent: 0.0 }, 4000, 2))
            })
            .collect();
        let juries = Plot {
            title: "Juries of which a part votes against the truth, all together",
            x: "share of the jurors' weight",
            y: "share of disputes",
            across: 0.0..1.01,
            up: 0.0..1.02,
            legend: SeriesLabelPosition::MiddleLeft,
            series: vec![
                line("truth comes out".to_owned(), found.iter().map(|(x, o)| (*x, o.right)).collect()),
                line("the opposite comes out".to_owned(), found.iter().map(|(x, o)| (*x, o.wrong)).collect()),
                line("draw".to_owned(), found.iter().map(|(x, o)| (*x, o.drawn)).collect()),
            ],
        }
        .linear()?;

        let gwei: Vec<f64> = (0..=60).map(|i| 10_f64.powf(-3.0 + f64::from(i) / 15.0)).collect();
        let answers = ANSWERS.map(|(size, states)| {
            let points =
                gwei.iter().map(|gwei| (*gwei, theory::least_bond(states * answer_gas, *gwei, CAI_A_COIN))).collect();
            line(format!("a step of {size}"), points)
        });
        let bond = line("the bond".to_owned(), gwei.iter().map(|gwei| (*gwei, rules.bond)).collect());
        let bonds = Plot {
            title: "Least bond: what an answer's gas costs, at 100,000 CAI a native coin",
            x: "gas price, gwei",
            y: "CAI",
            across: 1e-3..10.0,
            up: 0.1..100_000.0,
            legend: SeriesLabelPosition::UpperLeft,
            series: answers.into_iter().chain([bond]).collect(),
        }
        .logarithmic()?;

        let tokens: Vec<f64> = (0..=40).map(|i| 10_f64.powf(-2.0 + f64::from(i) / 20.0 * 1.15)).collect();
        let highest = |stake: f64| {
            let price = |token: &f64| (*token, theory::highest_price(rules, market, stake * token, Accuser::Other));
            line(format!("{stake} CAI of own stake"), tokens.iter().map(price).collect())
        };
        let token = Plot {
            title: "Dearest task that is safe, when the token's price moves",
            x: "token's price, of its first",
            y: "price of a task, CAI of the first price",
            across: 0.01..2.0,
            up: 0.1..10_000.0,
            legend: SeriesLabelPosition::UpperLeft,
            series: [20_000.0, 100_000.0, 500_000.0].map(highest).into(),
        }
        .logarithmic()?;
        Ok([("audit-rate.svg", rate), ("juries.svg", juries), ("bond.svg", bonds), ("token.svg", token)])
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
