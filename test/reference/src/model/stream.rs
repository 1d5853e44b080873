//! The stream of staking rewards.

use alloy::primitives::{U256, U512};

use crate::{
    math::mul_div_down,
    revert::{Effect, downcast},
};

/// What a unit of weight earns is reckoned in parts of 2^-48 wei...
pub const SCALE: u128 = 1 << 48;
/// ...and is never more than this in all.
const MOST: u128 = (1 << 72) - 1;

/// Rewards that flow evenly in time.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// CAI wei a second.
    pub rate: u128,
    /// Seconds.
    pub ends_at: u64,
    reckoned: u64,
    given: u128,
}

impl Stream {
    /// What it would be if it were reckoned now, and what each unit of weight has earned by that since it was last, in parts of `SCALE`:
    /// floor(rate * seconds * 2^48 / total weight). Without weight it stands still, and ends later.
    pub fn step(&self, now: u64, total_weight: u128) -> (Self, u128) {
        let mut next = self.clone();
        next.reckoned = now;
        if self.reckoned >= self.ends_at {
            return (next, 0);
        }
        if total_weight == 0 {
            next.ends_at += now - self.reckoned;
            return (next, 0);
        }
        let seconds = now.min(self.ends_at).saturating_sub(self.reckoned);
        let flowed = U256::from(self.rate) * U256::from(seconds);
        let earned = mul_div_down(flowed, U256::from(SCALE), U256::from(total_weight));
        let earned: u128 = earned.min(U512::from(MOST - self.given)).to();
        next.given += earned;
        (next, earned)
    }

    /// Spreads `amount` over what is left of the period; when that is less than a tenth of one, over a new one, together with what was left.
    /// Returns what `amount` adds to the rate, rounded down. Adds nothing if a new period would flow slower than the one that still runs.
    ///
    /// # Errors
    /// When the rate becomes more than the contracts can keep.
    pub fn fund(&mut self, now: u64, amount: u128, period: u64) -> Effect<u128> {
        let (left, period) = (u128::from(self.ends_at.saturating_sub(now)), u128::from(period));
        if left * 10 >= period {
            let added = amount / left;
            self.rate = downcast(U512::from(self.rate + added), 72)?;
            return Ok(added);
        }
        let rate = (self.rate * left + amount) / period;
        if left != 0 && rate < self.rate {
            return Ok(0);
        }
        self.rate = downcast(U512::from(rate), 72)?;
        self.ends_at = now + period as u64;
        Ok(amount / period)
    }
}
