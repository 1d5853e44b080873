//! The page's plots.

use super::{OPERATORS, Report, Ring, percent};
use crate::{
    jury::{Bench, outcomes},
    plots::{Plot, Series},
    rules::{Market, Rules},
    theory::{self, Accuser},
};
use anyhow::Result;
use plotters::chart::SeriesLabelPosition;

/// States of 64 KiB that the answer of a step opens, for two sizes of picture with 4 latent channels.
const ANSWERS: [(&str, f64); 2] = [("512x512", 2.0), ("1024x1024", 8.0)];
/// CAI a native coin, where the bond is worked out.
const CAI_A_COIN: f64 = 100_000.0;

impl Report {
    /// Draws the plots: the names of their files, and the SVG. `answer_gas` is what opening a state of 64 KiB takes.
    ///
    /// # Errors
    /// If one cannot be drawn.
    pub fn plots(&self, rules: &Rules, market: &Market, answer_gas: f64) -> Result<Vec<(&'static str, String)>> {
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
        Ok(vec![
            ("audit-rate.svg", rate),
            ("fraction.svg", self.fraction_plot(rules, market)?),
            ("juries.svg", juries),
            ("ring.svg", self.ring_plot()?),
            ("bribe.svg", self.bribe_plot()?),
            ("bond.svg", bonds),
            ("token.svg", token),
        ])
    }

    fn fraction_plot(&self, rules: &Rules, market: &Market) -> Result<String> {
        let ratios: Vec<f64> = (0..=60).map(|i| 10_f64.powf(1.0 + f64::from(i) / 20.0)).collect();
        let least = |audit: f64| {
            let market = Market { audit, ..market.clone() };
            let point = |ratio: &f64| (*ratio, theory::least_fraction(rules, &market, 1.0, *ratio, Accuser::Other));
            line(format!("{} audited", percent(audit)), ratios.iter().map(point).collect())
        };
        let mut series: Vec<Series> = [0.02, 0.05, 0.1].map(least).into();
        let points = self.fractions.iter().filter_map(|row| Some((row.own / row.price, row.found?.0))).collect();
        series.push(Series { name: format!("the game, {} audited", percent(market.audit)), points, measured: true });
        Plot {
            title: "Least fraction to slash",
            x: "own stake / price of a task",
            y: "fraction of the stake",
            across: 10.0..10_000.0,
            up: 1e-4..1.0,
            legend: SeriesLabelPosition::LowerLeft,
            series,
        }
        .logarithmic()
    }

    fn ring_plot(&self) -> Result<String> {
        let marks = |name: &str, of: fn(&Ring) -> f64, honest: f64| Series {
            name: name.to_owned(),
            points: self.rings.iter().map(|ring| (ring.share, of(ring) / honest)).collect(),
            measured: true,
        };
        Plot {
            title: "A ring that fakes dear tasks and acquits its own",
            x: "the ring's share of the weight",
            y: "a member's income, of an honest miner's",
            across: 0.0..1.0,
            up: -1.0..2.5,
            legend: SeriesLabelPosition::UpperLeft,
            series: vec![
                line("where all are honest".to_owned(), vec![(0.0, 1.0), (0.999, 1.0)]),
                marks("with the streams", |ring| ring.row.profit, self.honest),
                marks("without them", |ring| ring.dry.profit, self.honest_dry),
            ],
        }
        .linear()
    }

    fn bribe_plot(&self) -> Result<String> {
        let mut bribes: Vec<f64> = self.bribes.iter().map(|row| row.bribe).collect();
        bribes.dedup();
        let marks = bribes.into_iter().map(|bribe| {
            let of_it = self.bribes.iter().filter(|row| row.bribe == bribe);
            let points = of_it.map(|row| (row.venal, row.row.profit)).collect();
            Series { name: format!("{bribe} CAI for each juror that is drawn"), points, measured: true }
        });
        Plot {
            title: "Paying jurors for staying away",
            x: "share of the honest operators who take it",
            y: "CAI a month of a briber",
            across: 0.2..1.02,
            up: 0.0..100_000.0,
            legend: SeriesLabelPosition::UpperLeft,
            series: std::iter::once(line(
                "where all are honest".to_owned(),
                vec![(0.2, self.honest), (1.0, self.honest)],
            ))
            .chain(marks)
            .collect(),
        }
        .linear()
    }
}

fn line(name: String, points: Vec<(f64, f64)>) -> Series {
    Series { name, points, measured: false }
}
