//! Who served how much, beside who staked how much.

use crate::{network::Network, receipt::Earned};
use alloy::primitives::{Address, U256};
use anyhow::{Result, ensure};
use cuckoo_protocol::amount::{brief_cai, format_cai};
use std::fmt::Write;

/// An honest draw comes out less likely than this once in a million demonstrations.
const IMPLAUSIBLE: f64 = 1e-6;

/// What each miner served so far.
pub struct Tally {
    miners: Vec<Miner>,
}

/// One miner's part.
#[derive(Clone, Debug)]
pub struct Miner {
    /// What it is called.
    pub name: String,
    /// Operator.
    pub operator: Address,
    /// CAI wei on chain.
    pub weight: U256,
    /// Accepted results.
    pub served: u64,
    /// Prices of their offers, in CAI wei.
    pub earned: U256,
}

/// One miner's part, paid.
#[derive(Debug)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// CAI wei.
    pub weight: U256,
    /// Of all miners' weight.
    pub weight_share: f64,
    /// Accepted results.
    pub served: u64,
    /// Of all results.
    pub served_share: f64,
    /// Sum of prices, in CAI wei: what the vouchers promise.
    pub earned: U256,
    /// CAI wei taken from the channel, the burned part included.
    pub collected: U256,
    /// CAI wei that the operator holds on chain.
    pub balance: U256,
}

impl Tally {
    /// Nothing served yet; weights as the chain has them now.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn new(network: &Network) -> Result<Self> {
        let mut miners = Vec::new();
        for miner in &network.crew.miners {
            let weight = network.site.ledger().weight(miner.address()).await?;
            let (name, operator) = (miner.name.clone(), miner.address());
            miners.push(Miner { name, operator, weight, served: 0, earned: U256::ZERO });
        }
        Ok(Self { miners })
    }

    /// Adds an accepted result.
    pub fn count(&mut self, earned: Earned) {
        for miner in self.miners.iter_mut().filter(|miner| miner.operator == earned.miner) {
            miner.served += 1;
            miner.earned += earned.price;
        }
    }

    /// Results in all.
    pub fn tasks(&self) -> u64 {
        self.miners.iter().map(|miner| miner.served).sum()
    }

    /// The miners.
    pub fn miners(&self) -> &[Miner] {
        &self.miners
    }

    /// A miner's part of the weight of all.
    pub fn weight_share(&self, miner: &Miner) -> f64 {
        let total: f64 = self.miners.iter().map(|miner| f64::from(miner.weight)).sum();
        f64::from(miner.weight) / total
    }

    /// A miner's part of all results.
    pub fn served_share(&self, miner: &Miner) -> f64 {
        miner.served as f64 / self.tasks() as f64
    }

    /// How likely a draw by weight deviates from the weights as much as this or more: χ² with two degrees of freedom, so for
    /// three miners.
    ///
    /// # Errors
    /// If it is so unlikely that the assignment cannot be by weight.
    pub fn chance(&self) -> Result<f64> {
        let tasks = self.tasks() as f64;
        let term = |miner: &Miner| {
            let expected = self.weight_share(miner) * tasks;
            (miner.served as f64 - expected).powi(2) / expected
        };
        let chance = (-self.miners.iter().map(term).sum::<f64>() / 2.0).exp();
        let served: Vec<u64> = self.miners.iter().map(|miner| miner.served).collect();
        ensure!(chance > IMPLAUSIBLE, "served {served:?}: the assignment does not follow stake");
        Ok(chance)
    }
}

/// The rows as a table for people.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<8} {:>10} {:>12} {:>7} {:>12} {:>13} {:>13} {:>15}",
        "miner", "weight", "weight share", "served", "served share", "vouchers CAI", "collected CAI", "wallet CAI"
    );
    for row in rows {
        let percent = |share: f64| format!("{:.1}%", share * 100.0);
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "\n{:<8} {:>10} {:>12} {:>7} {:>12} {:>13} {:>13} {:>15}",
            row.name,
            brief_cai(row.weight),
            percent(row.weight_share),
            row.served,
            percent(row.served_share),
            format_cai(row.earned),
            format_cai(row.collected),
            format_cai(row.balance),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(served: [u64; 3]) -> Tally {
        let miner = |(served, weight): (u64, u64)| Miner {
            name: String::new(),
            operator: Address::ZERO,
            weight: U256::from(weight),
            served,
            earned: U256::ZERO,
        };
        Tally { miners: served.into_iter().zip([1, 2, 3]).map(miner).collect() }
    }

    #[test]
    fn only_an_impossible_draw_is_refused() {
        assert!(tally([7, 14, 21]).chance().unwrap() > 0.999, "as the weights are");
        assert!((0.01..0.1).contains(&tally([3, 10, 28]).chance().unwrap()), "luck");
        assert!(tally([41, 0, 0]).chance().is_err(), "the least miner took all");
        assert!(tally([0, 0, 41]).chance().is_err(), "the first miner took all");
    }
}
