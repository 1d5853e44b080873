//! Names of errors and events, to count and to show them.

use std::collections::BTreeMap;

use alloy::primitives::Log;
use cuckoo_protocol::contracts::{IPayments, IRegistry, IStaking};

use crate::abi::{self, IMiningRewards, disputes::IDisputes};

/// Gathers what `sol!` knows by selector.
macro_rules! table {
    ($($scope:literal: $enum:path),* $(,)?) => {{
        let mut names = BTreeMap::new();
        $({
            use $enum as Members;
            for selector in Members::SELECTORS {
                let name = Members::name_by_selector(*selector).unwrap_or_default();
                names.entry(selector.to_vec()).or_insert(format!("{}{name}", $scope));
            }
        })*
        names
    }};
}

/// All custom errors by selector; one that several contracts share is the first's.
pub fn errors() -> BTreeMap<Vec<u8>, String> {
    table! {
        "Staking.": IStaking::IStakingErrors,
        "Registry.": IRegistry::IRegistryErrors,
        "Payments.": IPayments::IPaymentsErrors,
        "MiningRewards.": IMiningRewards::IMiningRewardsErrors,
        "": abi::Other::OtherErrors,
        "Disputes.": IDisputes::IDisputesErrors,
    }
}

/// All events by first topic.
pub fn events() -> BTreeMap<Vec<u8>, String> {
    table! {
        "Staking.": IStaking::IStakingEvents,
        "Registry.": IRegistry::IRegistryEvents,
        "Payments.": IPayments::IPaymentsEvents,
        "MiningRewards.": IMiningRewards::IMiningRewardsEvents,
        "": abi::Other::OtherEvents,
        "Disputes.": IDisputes::IDisputesEvents,
    }
}

/// The name of a revert's error.
pub fn of_revert(data: &[u8]) -> String {
    let selector = data.get(..4).unwrap_or_default();
    errors().get(selector).cloned().unwrap_or_else(|| format!("unknown error {selector:02x?}"))
}

/// The name of an event.
pub fn of_event(log: &Log) -> String {
    let topic = log.data.topics().first().map(|t| t.to_vec()).unwrap_or_default();
    events().get(&topic).cloned().unwrap_or_else(|| format!("unknown event {topic:02x?}"))
}
