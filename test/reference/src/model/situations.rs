//! Situations that traces should come into: a comparison says little of what never happened.

use alloy::primitives::Address;
use cuckoo_protocol::contracts::Role;

use super::{Model, Operator};

/// All situations.
pub const SITUATIONS: [&str; 11] = [
    "miners have weight",
    "coordinators have weight",
    "rewards flow",
    "rewards stand still",
    "somebody is in jail",
    "somebody is tombstoned",
    "a matured bucket is held back",
    "somebody drew early",
    "a matured bucket was slashed",
    "a backing is being lowered",
    "a weight is forgotten",
];

impl Model {
    /// Those of [`SITUATIONS`] that the network is in.
    pub fn situations(&self) -> impl Iterator<Item = &'static str> {
        let weight = |role| self.total_weight(role) != 0;
        let (miners, coordinators) = (weight(Role::Miner), weight(Role::Coordinator));
        let runs = self.staking.stream.rate != 0 && self.now < self.staking.stream.ends_at;
        let any = |what: &dyn Fn(&Operator) -> bool| self.staking.operators().any(what);
        let buckets = |o: &Operator, what: &dyn Fn(u64) -> bool| o.buckets.keys().any(|epoch| what(*epoch));
        let held = |account: Address, epoch| self.held_fraction(account, epoch) != 0;
        let is = [
            miners,
            coordinators,
            runs && (miners || coordinators),
            runs && !miners && !coordinators,
            any(&|o| o.jailed),
            any(&|o| o.tombstoned),
            any(&|o| buckets(o, &|epoch| held(o.account, epoch))),
            any(&|o| o.buckets.values().any(|bucket| !bucket.drawn.is_empty())),
            any(&|o| o.buckets.values().any(|bucket| bucket.slashed != 0)),
            self.payments.backings.keys().any(|payer| self.backing(*payer).lowered.is_some()),
            any(&|o| o.weights.at_start_of(0).is_none()),
        ];
        SITUATIONS.into_iter().zip(is).filter(|(_, is)| *is).map(|(situation, _)| situation)
    }
}
