//! Situations that traces should come into: a comparison says little of what never happened.

use alloy::primitives::Address;
use cuckoo_protocol::contracts::Role;

use super::{Dispute, Model, Operator};
use crate::abi::disputes::IDisputes::{Fault, Phase};

/// All situations.
pub const SITUATIONS: [&str; 16] = [
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
    "a jury sits",
    "a third jury was called",
    "a jury convicted somebody",
    "a jury acquitted somebody",
    "jurors disagree",
];

impl Model {
    /// Those of [`SITUATIONS`] that the network is in.
    pub fn situations(&self) -> impl Iterator<Item = &'static str> {
        let weight = |role| self.total_weight(role) != 0;
        let (miners, coordinators) = (weight(Role::Miner), weight(Role::Coordinator));
        let runs = self.staking.stream.rate != 0 && self.now < self.staking.stream.ends_at;
        let any = |what: &dyn Fn(&Operator) -> bool| self.staking.operators().any(what);
        let buckets = |o: &Operator, what: &dyn Fn(u64) -> bool| o.buckets.keys().any(|epoch| what(*epoch));
        let dispute = |what: &dyn Fn(&Dispute) -> bool| self.disputes.all.values().any(what);
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
            dispute(&|d| d.phase == Phase::Jury),
            dispute(&|d| d.round == 2),
            dispute(&|d| d.phase == Phase::Convicted && d.fault == Fault::Transition),
            dispute(&|d| d.phase == Phase::Acquitted),
            dispute(&|d| d.guilty > 0 && d.innocent > 0),
        ];
        SITUATIONS.into_iter().zip(is).filter(|(_, is)| *is).map(|(situation, _)| situation)
    }
}
