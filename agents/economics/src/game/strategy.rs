//! What miners do.

use rand::RngExt;
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
    /// Fakes dear tasks once it counts as known; on juries its likes acquit each other.
    Ring,
    /// Does the same, and pays jurors who let themselves be bought to stay away.
    Briber,
}

/// All of them.
pub const STRATEGIES: [Strategy; 9] = [
    Strategy::Honest,
    Strategy::Always,
    Strategy::Sometimes,
    Strategy::Dear,
    Strategy::Sleeper,
    Strategy::Burst,
    Strategy::Puppet,
    Strategy::Ring,
    Strategy::Briber,
];

/// Days of a burst.
const BURST: u32 = 7;

impl Strategy {
    /// Whether the next result is a fake: of a task that may be dear, by one that may be known (audited no more often than anybody), so many
    /// days before the end.
    pub(super) fn fakes(self, dear: bool, known: bool, days_left: u32, rng: &mut ChaCha8Rng) -> bool {
        match self {
            Self::Honest => false,
            Self::Always | Self::Puppet => true,
            Self::Sometimes => rng.random::<f64>() < 0.1,
            Self::Dear => dear,
            Self::Sleeper => known,
            Self::Ring | Self::Briber => dear && known,
            Self::Burst => days_left <= BURST,
        }
    }
}
