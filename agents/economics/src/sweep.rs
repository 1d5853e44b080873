//! What the game says, asked many times.

use crate::{
    game::{Career, Entrant, STRATEGIES, Strategy, play},
    rules::{Market, Rules},
};
use serde::Serialize;
use std::{panic::resume_unwind, thread};

/// Miners of a network.
const MINERS: usize = 100;
/// Share of them that is not honest, unless something else is asked.
pub const TENTH: f64 = 0.1;

/// A strategy's outcome over several runs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which.
    pub strategy: String,
    /// CAI that a miner of it earned a month, mean of the runs.
    pub profit: f64,
    /// CAI that a miner of it earned a month more than the honest ones of the same run, mean of the runs.
    pub advantage: f64,
    /// Standard deviation over the runs.
    pub spread: f64,
    /// Of its results, fakes.
    pub faked: f64,
    /// Of its results, audited.
    pub audited: f64,
    /// Fakes until the first conviction, mean of those convicted; none if nobody was.
    pub until: Option<f64>,
    /// Convictions a miner.
    pub convictions: f64,
    /// CAI a miner that its voters lost.
    pub voters_loss: f64,
}

/// One strategy among honest miners of the same stake.
#[derive(Clone, Copy, Debug)]
pub struct Contest {
    /// Which.
    pub strategy: Strategy,
    /// Share of the miners that follow it.
    pub share: f64,
    /// CAI of each miner's own.
    pub own: f64,
    /// CAI of voters behind each.
    pub votes: f64,
    /// How long it goes.
    pub days: u32,
    /// How often it is played.
    pub runs: u64,
    /// Of the first run; each later one has the next.
    pub seed: u64,
}

/// Plays a contest.
pub fn contest(rules: &Rules, market: &Market, contest: Contest) -> Row {
    let entrant = |strategy| Entrant { strategy, own: contest.own, votes: contest.votes };
    let cheats = (contest.share * MINERS as f64).round() as usize;
    let mut entrants = vec![entrant(contest.strategy); cheats];
    entrants.resize(MINERS, entrant(Strategy::Honest));
    let months = f64::from(contest.days) / 30.0;
    let mean = |careers: &[Career]| careers.iter().map(|c| c.profit).sum::<f64>() / careers.len() as f64;
    let (mut advantages, mut all) = (Vec::new(), Vec::new());
    for run in 0..contest.runs {
        let careers = play(rules, market, &entrants, contest.days, contest.seed + run);
        let (of_cheats, of_honest) = careers.split_at(cheats);
        advantages.push((mean(of_cheats) - mean(of_honest)) / months);
        all.extend_from_slice(of_cheats);
    }
    let (advantage, spread) = mean_and_deviation(&advantages);
    let total = |of: fn(&Career) -> u64| all.iter().map(of).sum::<u64>() as f64;
    let results = total(|c| c.results).max(1.0);
    let until: Vec<f64> = all.iter().filter_map(|c| c.fakes_until_convicted).map(|fakes| fakes as f64).collect();
    Row {
        strategy: format!("{:?}", contest.strategy),
        profit: mean(&all) / months,
        advantage,
        spread,
        faked: total(|c| c.fakes) / results,
        audited: total(|c| c.audits) / results,
        until: (!until.is_empty()).then(|| until.iter().sum::<f64>() / until.len() as f64),
        convictions: total(|c| c.convictions) / all.len().max(1) as f64,
        voters_loss: all.iter().map(|c| c.voters_loss).sum::<f64>() / all.len().max(1) as f64,
    }
}

/// Works out each of them on all processors; the results are in their order.
pub fn each<T: Sync, R: Send>(of: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part =
        &|first| of.iter().enumerate().skip(first).step_by(threads).map(|(i, t)| (i, work(t))).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Every strategy among honest miners.
pub fn strategies(rules: &Rules, market: &Market, own: f64, votes: f64, days: u32, runs: u64) -> Vec<Row> {
    each(&STRATEGIES, |&strategy| {
        contest(rules, market, Contest { strategy, share: TENTH, own, votes, days, runs, seed: 0 })
    })
}

/// The least audit rate at which a strategy earns no more than honesty; none if even a full audit does not do.
pub fn least_audit(rules: &Rules, market: &Market, of: Contest) -> Option<f64> {
    least(|audit| contest(rules, &Market { audit, ..market.clone() }, of).advantage > 0.0)
}

/// The least fraction to slash for which it earns no more; none if all of the stake does not do.
pub fn least_fraction(rules: &Rules, market: &Market, of: Contest) -> Option<f64> {
    least(|fraction| contest(&Rules { fraction, ..rules.clone() }, market, of).advantage > 0.0)
}

/// The least share at which something does not pay any more, by bisection of its logarithm.
fn least(pays: impl Fn(f64) -> bool) -> Option<f64> {
    let (mut low, mut high) = (1e-5_f64, 1.0_f64);
    if pays(high) {
        return None;
    }
    for _ in 0..12 {
        let middle = (low * high).sqrt();
        *(if pays(middle) { &mut low } else { &mut high }) = middle;
    }
    Some((low * high).sqrt())
}

/// What some stake earns in one operator or in several.
#[derive(Clone, Debug, Serialize)]
pub struct Split {
    /// How they go about it.
    pub strategy: String,
    /// Operators that it is split over.
    pub parts: usize,
    /// CAI a month that all of it earns, mean of the runs.
    pub profit: f64,
    /// Standard deviation over the runs.
    pub spread: f64,
}

/// Plays a network whose miners have `whole` CAI each; a share of them splits that over operators and follows the strategy.
pub fn split(rules: &Rules, market: &Market, of: Contest, whole: f64, parts: usize) -> Split {
    let owners = (of.share * MINERS as f64).round() as usize;
    let entrant = |strategy, own| Entrant { strategy, own, votes: 0.0 };
    let mut entrants = vec![entrant(of.strategy, whole / parts as f64); owners * parts];
    entrants.resize(owners * parts + MINERS - owners, entrant(Strategy::Honest, whole));
    let months = f64::from(of.days) / 30.0;
    let earned = |run| {
        let careers = play(rules, market, &entrants, of.days, of.seed + run);
        careers.iter().take(owners * parts).map(|career| career.profit).sum::<f64>() / owners as f64 / months
    };
    let (profit, spread) = mean_and_deviation(&(0..of.runs).map(earned).collect::<Vec<_>>());
    Split { strategy: format!("{:?}", of.strategy), parts, profit, spread }
}

/// Mean and standard deviation.
pub fn mean_and_deviation(of: &[f64]) -> (f64, f64) {
    let count = of.len().max(1) as f64;
    let mean = of.iter().sum::<f64>() / count;
    let variance = of.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, variance.sqrt())
}

/// Rules without the streams: as they are when those have run out, or are worth little beside fees.
pub fn without_streams(rules: &Rules) -> Rules {
    Rules { mining: 0.0, staking: 0.0, ..rules.clone() }
}

/// Rules without what comes on top of the slash: no jail, no streams, verdicts at once. What the inequality is about.
pub fn bare(rules: &Rules) -> Rules {
    Rules { jail: 0.0, dispute: 0.0, round: 0.0, ..without_streams(rules) }
}
