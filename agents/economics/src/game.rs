//! The whole game, day by day: demand is dealt out by weight, miners work or fake, coordinators audit, juries convict, epochs pay.

use crate::rules::{DEAR, Market, Rules};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How a miner goes about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// Works.
    Honest,
    /// Fakes everything.
    Always,
    /// Fakes one result in ten.
    Sometimes,
    /// Fakes dear tasks only.
    Dear,
    /// Works until it has passed so many audits that it counts as known, then fakes everything.
    Sleeper,
    /// Works until the last week, then fakes as much as it is given, and leaves.
    Burst,
    /// Fakes everything, and has a puppet accuse it before anybody else can.
    Puppet,
}

/// All of them.
pub const STRATEGIES: [Strategy; 7] = [
    Strategy::Honest,
    Strategy::Always,
    Strategy::Sometimes,
    Strategy::Dear,
    Strategy::Sleeper,
    Strategy::Burst,
    Strategy::Puppet,
];

/// Audits after which a miner is audited at the ordinary rate of 5%.
const KNOWN: u64 = 19;

/// Days of a burst.
const BURST: u32 = 7;

/// A miner at the start.
#[derive(Clone, Copy, Debug)]
pub struct Entrant {
    /// How it goes about it.
    pub strategy: Strategy,
    /// CAI of its own.
    pub own: f64,
    /// CAI of voters behind it.
    pub votes: f64,
}

/// What became of a miner. Amounts are CAI.
#[derive(Clone, Debug, Default)]
pub struct Career {
    /// All it earned less what work cost and what was slashed of its own.
    pub profit: f64,
    /// Of its voters, slashed.
    pub voters_loss: f64,
    /// Results.
    pub results: u64,
    /// Of them, fakes.
    pub fakes: u64,
    /// Audited results.
    pub audits: u64,
    /// Fakes that were found.
    pub found: u64,
    /// Convictions.
    pub convictions: u64,
    /// Fakes before the first conviction.
    pub fakes_until_convicted: Option<u64>,
}

struct Miner {
    entrant: Entrant,
    own: f64,
    votes: f64,
    passed: u64,
    /// Day from which it is free.
    free: f64,
    /// Day until which coordinators give it no work, because it is accused.
    accused: f64,
    /// Days on which its convictions come.
    due: Vec<f64>,
    /// Sum of the fractions of the epoch's convictions.
    slashed: f64,
    /// CAI accepted unaudited, a day each.
    unaudited: Vec<f64>,
    fees: f64,
    career: Career,
}

/// A network over some days.
pub struct Game<'a> {
    rules: &'a Rules,
    market: &'a Market,
    days: u32,
    rng: ChaCha8Rng,
    miners: Vec<Miner>,
}

/// Plays it to the end.
pub fn play(rules: &Rules, market: &Market, entrants: &[Entrant], days: u32, seed: u64) -> Vec<Career> {
    let miner = |&entrant: &Entrant| Miner {
        entrant,
        own: entrant.own,
        votes: entrant.votes,
        passed: 0,
        free: 0.0,
        accused: 0.0,
        due: Vec::new(),
        slashed: 0.0,
        unaudited: Vec::new(),
        fees: 0.0,
        career: Career::default(),
    };
    let miners = entrants.iter().map(miner).collect();
    let mut game = Game { rules, market, days, rng: ChaCha8Rng::seed_from_u64(seed), miners };
    let (mut epoch_ends, last) = (rules.epoch, days + rules.dispute.ceil() as u32 + 1);
    for day in 0..=last {
        game.convict(f64::from(day));
        if day < days {
            game.work(day);
        }
        if f64::from(day + 1) >= epoch_ends {
            game.pay(day);
            epoch_ends += rules.epoch;
        }
    }
    game.miners.into_iter().map(|miner| miner.career).collect()
}

impl Miner {
    /// What work is dealt out by: nothing to whoever is accused.
    fn claim(&self, rules: &Rules, day: f64) -> f64 {
        if day < self.accused { 0.0 } else { self.weight(rules, day) }
    }

    fn weight(&self, rules: &Rules, day: f64) -> f64 {
        let active = self.own > rules.least_stake && day >= self.free;
        if active { (self.own + self.votes).min(10.0 * self.own) } else { 0.0 }
    }
}

impl Game<'_> {
    /// Convictions that are due: a slash, jail, and stake anew up to what it was.
    fn convict(&mut self, day: f64) {
        let rules = self.rules;
        for miner in &mut self.miners {
            let due = miner.due.iter().filter(|due| **due <= day).count();
            miner.due.retain(|due| *due > day);
            for _ in 0..due {
                let fraction = rules.fraction.min(rules.epoch_limit - miner.slashed).max(0.0);
                miner.slashed += fraction;
                let (own, votes) = (miner.own * fraction, miner.votes * fraction);
                let back = if miner.entrant.strategy == Strategy::Puppet { rules.paid_out } else { 0.0 };
                let career = &mut miner.career;
                career.profit -= own * (1.0 - back);
                career.voters_loss += votes;
                career.fakes_until_convicted.get_or_insert(career.fakes);
                career.convictions += 1;
                (miner.own, miner.votes) = (miner.own - own, miner.votes - votes);
                (miner.free, miner.passed) = (day + rules.jail, 0);
            }
            if miner.due.is_empty() && day >= miner.free && miner.own < miner.entrant.own {
                // It tops its stake up; voters have seen enough.
                miner.own = miner.entrant.own;
            }
        }
    }

    /// A day's tasks, dealt out by weight.
    fn work(&mut self, day: u32) {
        let (rules, market, now) = (self.rules, self.market, f64::from(day));
        let all: f64 = self.miners.iter().map(|miner| miner.claim(rules, now)).sum();
        let kept = rules.challenge_window.ceil() as usize;
        for miner in &mut self.miners {
            let weight = miner.claim(rules, now);
            if weight == 0.0 || all == 0.0 {
                miner.unaudited.clear();
                continue;
            }
            let excess = miner.unaudited.len().saturating_sub(kept);
            miner.unaudited.drain(..excess);
            let mut room = if market.capped { rules.fraction * miner.own } else { f64::INFINITY };
            room -= miner.unaudited.iter().sum::<f64>();
            let expected = market.demand * weight / all;
            let tasks = expected as u64 + u64::from(self.rng.random::<f64>() < expected.fract());
            let mut today = 0.0;
            for _ in 0..tasks {
                if now < miner.accused {
                    break;
                }
                let price = if self.rng.random::<f64>() * DEAR < 1.0 { DEAR * market.price } else { market.price };
                if today + price > room {
                    continue;
                }
                let fake = match miner.entrant.strategy {
                    Strategy::Honest => false,
                    Strategy::Always | Strategy::Puppet => true,
                    Strategy::Sometimes => self.rng.random::<f64>() < 0.1,
                    Strategy::Dear => price > market.price,
                    Strategy::Sleeper => miner.passed >= KNOWN,
                    Strategy::Burst => day + BURST >= self.days,
                };
                let audited = self.rng.random::<f64>() < market.audit_rate(miner.passed);
                let found = audited && fake && self.rng.random::<f64>() < market.detection;
                let career = &mut miner.career;
                career.results += 1;
                career.fakes += u64::from(fake);
                career.audits += u64::from(audited);
                career.profit -= market.cost * price - if fake { market.gain(price) } else { 0.0 };
                if found {
                    career.found += 1;
                    miner.accused = now + rules.dispute;
                    if self.rng.random::<f64>() < market.conviction {
                        miner.due.push(now + rules.dispute);
                    }
                    continue;
                }
                miner.passed += u64::from(audited);
                today += if audited { 0.0 } else { price };
                miner.fees += price;
                career.profit += price * (1.0 - rules.burned);
            }
            miner.unaudited.push(today);
        }
    }

    /// The end of an epoch: the mining stream by fees, the staking stream by weight.
    fn pay(&mut self, day: u32) {
        let (rules, now) = (self.rules, f64::from(day));
        let fees: f64 = self.miners.iter().map(|miner| miner.fees).sum();
        let weights: f64 = self.miners.iter().map(|miner| miner.weight(rules, now)).sum();
        for miner in &mut self.miners {
            let weight = miner.weight(rules, now);
            if fees > 0.0 {
                miner.career.profit += rules.mining * miner.fees / fees;
            }
            if weights > 0.0 {
                miner.career.profit += rules.staking * weight / weights * miner.own / (miner.own + miner.votes);
            }
            (miner.fees, miner.slashed) = (0.0, 0.0);
        }
    }
}
