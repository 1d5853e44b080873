//! The rules of the game: the contracts' parameters, and what is assumed of the market around them.

use crate::game::Token;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{fs, path::Path};

const DAY: f64 = 86_400.0;
const WAD: f64 = 1e18;

/// What the contracts are deployed with. Amounts are CAI, times are days.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Length of an epoch.
    pub epoch: f64,
    /// Own stake that a miner must have more than.
    pub least_stake: f64,
    /// Of a pool, taken by a conviction.
    pub fraction: f64,
    /// Of the own loss, what at most is paid out to challenger and jurors.
    pub paid_out: f64,
    /// What the fractions of an epoch's convictions of one pool add up to at most. Each is of what the ones before left.
    pub epoch_limit: f64,
    /// In jail, from a conviction.
    pub jail: f64,
    /// From a challenge to a conviction in the first round.
    pub dispute: f64,
    /// Of each later round, beside that.
    pub round: f64,
    /// After which a result cannot be challenged any more, from its offer's end.
    pub challenge_window: f64,
    /// What a challenger deposits beside the fee.
    pub bond: f64,
    /// What the jurors of a dispute share.
    pub fee: f64,
    /// Operators that a verdict needs.
    pub jurors: usize,
    /// Juries that are called, one after the other.
    pub rounds: u32,
    /// Of fees collected, what is burned.
    pub burned: f64,
    /// The mining stream's, an epoch.
    pub mining: f64,
    /// The staking stream's, an epoch.
    pub staking: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    staking: Staking,
    payments: Payments,
    disputes: Disputes,
    rewards: Rewards,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Staking {
    epoch_length: f64,
    min_miner_stake: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payments {
    burn_fee: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disputes {
    bond: String,
    jury_fee: String,
    fraction: String,
    jail_term: f64,
    challenge_window: f64,
    answer_window: f64,
    seed_window: f64,
    commit_window: f64,
    reveal_window: f64,
    veto_window: f64,
    min_jurors: usize,
    rounds: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rewards {
    staking: String,
    staking_period: f64,
    mining: String,
    mining_epochs: f64,
}

/// Constants of the contracts: `Disputes` pays out at most half of the own loss, `Staking` lets an epoch's fractions add up to three quarters.
pub(crate) const PAID_OUT: f64 = 0.5;
pub(crate) const EPOCH_LIMIT: f64 = 0.75;

impl Rules {
    /// Reads a deployment's parameters: `script/config/<chainid>.json`.
    ///
    /// # Errors
    /// If the file cannot be read, or lacks one.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let config: Config = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let cai = |wei: &str| -> Result<f64> { Ok(wei.parse::<f64>().context("no amount of wei")? / WAD) };
        let Config { staking, payments, disputes, rewards } = config;
        let windows = [disputes.answer_window, disputes.seed_window, disputes.commit_window, disputes.reveal_window];
        let epoch = staking.epoch_length / DAY;
        Ok(Self {
            epoch,
            least_stake: cai(&staking.min_miner_stake)?,
            fraction: cai(&disputes.fraction)?,
            paid_out: PAID_OUT,
            epoch_limit: EPOCH_LIMIT,
            jail: disputes.jail_term / DAY,
            dispute: (windows.iter().sum::<f64>() + disputes.veto_window) / DAY,
            round: windows.iter().skip(1).sum::<f64>() / DAY,
            challenge_window: disputes.challenge_window / DAY,
            bond: cai(&disputes.bond)?,
            fee: cai(&disputes.jury_fee)?,
            jurors: disputes.min_jurors,
            rounds: disputes.rounds,
            burned: cai(&payments.burn_fee)?,
            mining: cai(&rewards.mining)? / rewards.mining_epochs,
            staking: cai(&rewards.staking)? * staking.epoch_length / rewards.staking_period,
        })
    }
}

impl Rules {
    /// From a challenge to the end of the last round.
    pub fn longest_dispute(&self) -> f64 {
        self.dispute + self.round * f64::from(self.rounds.saturating_sub(1))
    }
}

/// What is assumed of the market.
#[derive(Clone, Debug)]
pub struct Market {
    /// Of an ordinary task, in CAI. One task in ten costs ten times as much.
    pub price: f64,
    /// Of a price, what honest work costs.
    pub cost: f64,
    /// Of that cost, what a fake saves.
    pub saved: f64,
    /// Share of results that coordinators audit.
    pub audit: f64,
    /// Probability that the audit of a fake finds it.
    pub detection: f64,
    /// Probability that a fake that was found is convicted if its jury says so: for whatever may go wrong besides.
    pub conviction: f64,
    /// Tasks a day, of the whole network.
    pub demand: f64,
    /// Whether coordinators cap what a miner holds unaudited.
    pub capped: bool,
    /// Whether newcomers are audited more often than others.
    pub newcomers: bool,
    /// How the token's price moves.
    pub token: Token,
    /// Share of honest miners that stay away from a jury if they are paid for that.
    pub venal: f64,
    /// What each of them wants whenever it is drawn, in CAI.
    pub bribe: f64,
}

/// One task in so many is dear, by as much.
pub const DEAR: f64 = 10.0;

impl Market {
    /// How often an operator is audited that has passed so many audits: as `coordinator-agent` does it.
    pub fn audit_rate(&self, passed: u64) -> f64 {
        if self.audit > 0.0 && self.newcomers { self.audit.max(1.0 / (passed as f64 + 1.0)) } else { self.audit }
    }

    /// Mean price of a task.
    pub fn mean_price(&self) -> f64 {
        self.price * (1.0 - 1.0 / DEAR + 1.0)
    }

    /// What a fake of a task of this price saves.
    pub fn gain(&self, price: f64) -> f64 {
        self.saved * self.cost * price
    }
}
