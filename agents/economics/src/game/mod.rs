//! The whole game, day by day: demand is dealt out by weight, miners work or fake, coordinators audit, juries convict, epochs pay.

mod strategy;
mod token;

pub use strategy::{STRATEGIES, Strategy};
pub use token::Token;

use crate::{
    jury::{Seat, Stance, judge},
    rules::{DEAR, Market, Rules},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

/// What became of a miner. Amounts are CAI, at the token's first price.
#[derive(Clone, Debug, Default)]
pub struct Career {
    /// All it earned less what work cost, what was slashed of its own, and bribes.
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
    /// Whether it stays away from a jury if it is paid for that.
    venal: bool,
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
    /// The token's price of each day, of its first.
    token: Vec<f64>,
    miners: Vec<Miner>,
}

/// Plays it to the end.
pub fn play(rules: &Rules, market: &Market, entrants: &[Entrant], days: u32, seed: u64) -> Vec<Career> {
    let honest = entrants.iter().filter(|entrant| entrant.strategy == Strategy::Honest).count();
    let venal = (market.venal * honest as f64).round() as usize;
    let mut so_far = 0;
    let miner = |&entrant: &Entrant| {
        so_far += usize::from(entrant.strategy == Strategy::Honest);
        Miner {
            entrant,
            own: entrant.own,
            votes: entrant.votes,
            venal: entrant.strategy == Strategy::Honest && so_far <= venal,
            passed: 0,
            free: 0.0,
            accused: 0.0,
            due: Vec::new(),
            slashed: 0.0,
            unaudited: Vec::new(),
            fees: 0.0,
            career: Career::default(),
        }
    };
    let miners = entrants.iter().map(miner).collect();
    let (mut epoch_ends, last) = (rules.epoch, days + rules.longest_dispute().ceil() as u32 + 1);
    let token = market.token.path(days, last, seed);
    let mut game = Game { rules, market, days, rng: ChaCha8Rng::seed_from_u64(seed), token, miners };
    for day in 0..=last {
        game.convict(day);
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

    /// What it does on the jury of one that goes about it so.
    fn stance(&self, accused: Strategy) -> Stance {
        match accused {
            Strategy::Ring if self.entrant.strategy == Strategy::Ring => Stance::Lie,
            Strategy::Briber if self.venal => Stance::Bribed,
            _ => Stance::Truth,
        }
    }
}

impl Game<'_> {
    fn token(&self, day: u32) -> f64 {
        self.token.get(day as usize).copied().unwrap_or(1.0)
    }

    /// Convictions that are due: a slash, jail, and stake anew up to what it was.
    fn convict(&mut self, day: u32) {
        let (rules, now, token) = (self.rules, f64::from(day), self.token(day));
        for miner in &mut self.miners {
            let due = miner.due.iter().filter(|due| **due <= now).count();
            miner.due.retain(|due| *due > now);
            for _ in 0..due {
                let fraction = rules.fraction.min(rules.epoch_limit - miner.slashed).max(0.0);
                miner.slashed += fraction;
                let (own, votes) = (miner.own * fraction, miner.votes * fraction);
                let back = if miner.entrant.strategy == Strategy::Puppet { rules.paid_out } else { 0.0 };
                let career = &mut miner.career;
                career.profit -= own * (1.0 - back) * token;
                career.voters_loss += votes * token;
                career.fakes_until_convicted.get_or_insert(career.fakes);
                career.convictions += 1;
                (miner.own, miner.votes) = (miner.own - own, miner.votes - votes);
                (miner.free, miner.passed) = (now + rules.jail, 0);
            }
            if miner.due.is_empty() && now >= miner.free && miner.own < miner.entrant.own {
                // It tops its stake up; voters have seen enough.
                miner.own = miner.entrant.own;
            }
        }
    }

    /// A day's tasks, dealt out by weight.
    fn work(&mut self, day: u32) {
        let (rules, market, now) = (self.rules, self.market, f64::from(day));
        let all: f64 = self.miners.iter().map(|miner| miner.claim(rules, now)).sum();
        if all == 0.0 {
            return;
        }
        // Work is priced in what money buys; stake is not.
        let ordinary = market.price / self.token(day);
        let kept = rules.challenge_window.ceil() as usize;
        for place in 0..self.miners.len() {
            let found = self.day_of(place, day, all, ordinary, kept);
            for _ in 0..found {
                self.accuse(place, day);
            }
        }
    }

    /// A miner's tasks of a day; returns how many of its fakes were found.
    fn day_of(&mut self, place: usize, day: u32, all: f64, ordinary: f64, kept: usize) -> u32 {
        let (rules, market, now, token) = (self.rules, self.market, f64::from(day), self.token(day));
        let (miner, rng) = (&mut self.miners[place], &mut self.rng);
        let weight = miner.claim(rules, now);
        if weight == 0.0 {
            miner.unaudited.clear();
            return 0;
        }
        let excess = miner.unaudited.len().saturating_sub(kept);
        miner.unaudited.drain(..excess);
        let mut room = if market.capped { rules.fraction * miner.own } else { f64::INFINITY };
        room -= miner.unaudited.iter().sum::<f64>();
        let expected = market.demand * weight / all;
        let tasks = expected as u64 + u64::from(rng.random::<f64>() < expected.fract());
        let (mut today, mut all_found) = (0.0, 0);
        for _ in 0..tasks {
            // Whoever is accused gets nothing more, unless there is no dispute to wait for.
            if all_found > 0 && rules.dispute > 0.0 {
                break;
            }
            let price = if rng.random::<f64>() * DEAR < 1.0 { DEAR * ordinary } else { ordinary };
            if today + price > room {
                continue;
            }
            let rate = market.audit_rate(miner.passed);
            let fake = miner.entrant.strategy.fakes(price > ordinary, rate <= market.audit, self.days - day, rng);
            let audited = rng.random::<f64>() < rate;
            let found = audited && fake && rng.random::<f64>() < market.detection;
            let career = &mut miner.career;
            career.results += 1;
            career.fakes += u64::from(fake);
            career.audits += u64::from(audited);
            career.profit -= (market.cost * price - if fake { market.gain(price) } else { 0.0 }) * token;
            if found {
                career.found += 1;
                all_found += 1;
                continue;
            }
            miner.passed += u64::from(audited);
            today += if audited { 0.0 } else { price };
            miner.fees += price;
            career.profit += price * (1.0 - rules.burned) * token;
        }
        miner.unaudited.push(today);
        all_found
    }

    /// A dispute over a fake: what its jury finds, which is known when it is over.
    fn accuse(&mut self, place: usize, day: u32) {
        let (rules, market, now, token) = (self.rules, self.market, f64::from(day), self.token(day));
        let strategy = self.miners[place].entrant.strategy;
        let others = self.miners.iter().enumerate().filter(|(other, _)| *other != place);
        let seat = |miner: &Miner| Seat { weight: miner.weight(rules, now), stance: miner.stance(strategy) };
        let seats: Vec<Seat> = others.map(|(_, miner)| seat(miner)).collect();
        let all = self.miners.iter().map(|miner| miner.weight(rules, now)).sum();
        let trial = judge(rules, &seats, all, &mut self.rng);
        let ends = now + rules.dispute + rules.round * f64::from(trial.rounds.saturating_sub(1));
        let sure = self.rng.random::<f64>() < market.conviction;
        let miner = &mut self.miners[place];
        miner.accused = miner.accused.max(ends);
        miner.career.profit -= f64::from(trial.bribes) * market.bribe * token;
        match trial.truth {
            Some(true) if sure => miner.due.push(ends),
            // The challenger's bond.
            Some(false) => miner.career.profit += rules.bond * token,
            _ => {}
        }
    }

    /// The end of an epoch: the mining stream by fees, the staking stream by weight.
    fn pay(&mut self, day: u32) {
        let (rules, now, token) = (self.rules, f64::from(day), self.token(day));
        let fees: f64 = self.miners.iter().map(|miner| miner.fees).sum();
        let weights: f64 = self.miners.iter().map(|miner| miner.weight(rules, now)).sum();
        for miner in &mut self.miners {
            let weight = miner.weight(rules, now);
            if fees > 0.0 {
                miner.career.profit += rules.mining * miner.fees / fees * token;
            }
            if weights > 0.0 {
                let own = miner.own / (miner.own + miner.votes);
                miner.career.profit += rules.staking * weight / weights * own * token;
            }
            (miner.fees, miner.slashed) = (0.0, 0.0);
        }
    }
}
