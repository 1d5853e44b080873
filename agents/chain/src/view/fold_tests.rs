use super::*;
use crate::view::{Snapshot, snapshot::Operators};
use alloy::primitives::Log as RawLog;

const OPERATOR: Address = Address::repeat_byte(0xaa);
const NODE: Address = Address::repeat_byte(0x01);
const OTHER_NODE: Address = Address::repeat_byte(0x02);

fn contracts() -> Contracts {
    let [cai, faucet, staking, registry, payments, lens] = [1, 2, 3, 4, 5, 6].map(Address::repeat_byte);
    Contracts { cai, faucet, staking, registry, payments, lens, ..Contracts::default() }
}

fn log(address: Address, event: &impl SolEvent) -> Log {
    Log { inner: RawLog { address, data: event.encode_log_data() }, ..Default::default() }
}

fn registry(event: &impl SolEvent) -> Log {
    log(contracts().registry, event)
}

fn staking(event: &impl SolEvent) -> Log {
    log(contracts().staking, event)
}

fn registered(weight: u64) -> Vec<Log> {
    let weight = U256::from(weight);
    vec![
        // The order in which the contracts emit them.
        staking(&IStaking::RoleSet { operator: OPERATOR, role: Role::Miner, active: true, weight }),
        registry(&IRegistry::Registered {
            operator: OPERATOR,
            role: Role::Miner,
            node: NODE,
            endpoint: "".into(),
            info: "a GPU".into(),
            weight,
        }),
    ]
}

fn delegated(operator: Address, weight: u64) -> Log {
    staking(&IStaking::Delegated {
        operator,
        owner: operator,
        caller: operator,
        assets: U256::ONE,
        shares: U256::ONE,
        poolAssets: U256::ONE,
        poolShares: U256::ONE,
        weight: U256::from(weight),
    })
}

fn slashed(weight: u64) -> Log {
    staking(&IStaking::Slashed {
        operator: OPERATOR,
        slasher: NODE,
        fraction: U256::ONE,
        fromPool: U256::ONE,
        fromBuckets: U256::ZERO,
        paid: U256::ZERO,
        recipient: NODE,
        poolAssets: U256::ONE,
        poolShares: U256::ONE,
        weight: U256::from(weight),
    })
}

fn rewarded(weight: u64) -> Log {
    staking(&IStaking::Rewarded {
        operator: OPERATOR,
        assets: U256::ONE,
        commissionShares: U256::ZERO,
        poolAssets: U256::ONE,
        poolShares: U256::ONE,
        weight: U256::from(weight),
    })
}

fn jailed() -> Log {
    staking(&IStaking::JailedUntil { operator: OPERATOR, jailer: NODE, until: U256::ONE, weight: U256::ZERO })
}

fn unjailed(weight: u64) -> Log {
    staking(&IStaking::Unjailed { operator: OPERATOR, weight: U256::from(weight) })
}

fn paid_from_own(weight: u64) -> Log {
    staking(&IStaking::PaidFromOwn {
        operator: OPERATOR,
        payee: NODE,
        epoch: U256::ONE,
        assets: U256::ONE,
        shares: U256::ONE,
        poolAssets: U256::ONE,
        poolShares: U256::ONE,
        weight: U256::from(weight),
    })
}

fn node_set(node: Address, previous: Address) -> Log {
    registry(&IRegistry::NodeSet { operator: OPERATOR, node, previous, retiredAt: U256::ONE })
}

fn retired() -> Vec<Log> {
    vec![
        staking(&IStaking::RoleSet { operator: OPERATOR, role: Role::Miner, active: false, weight: U256::ZERO }),
        registry(&IRegistry::Retired { operator: OPERATOR, role: Role::Miner }),
    ]
}

fn fold(logs: impl IntoIterator<Item = Log>) -> State {
    let mut state = State::default();
    logs.into_iter().for_each(|log| state.apply(&contracts(), &log));
    state
}

/// What is shown when `last` are the final events and `pending` those above.
fn shown(last: Vec<Log>, pending: Vec<Log>) -> Snapshot {
    let final_state = fold(last);
    let mut head = final_state.clone();
    pending.iter().for_each(|log| head.apply(&contracts(), log));
    let operators = Operators::effective(&final_state, &head).into();
    Snapshot { block: 9, timestamp: 9, final_block: 5, stale: false, operators }
}

fn weight(snapshot: &Snapshot) -> u64 {
    snapshot.operator(OPERATOR).unwrap().weight.to()
}

#[test]
fn a_registration_counts_when_it_is_final() {
    let pending = shown(vec![], registered(100));
    assert_eq!(weight(&pending), 0);
    assert!(pending.operator(OPERATOR).unwrap().registered);
    assert_eq!(pending.active(Role::Miner).count(), 0);

    let settled = shown(registered(100), vec![]);
    assert_eq!(weight(&settled), 100);
    assert_eq!(settled.active(Role::Miner).map(|o| o.operator).collect::<Vec<_>>(), [OPERATOR]);
    assert_eq!(settled.active(Role::Coordinator).count(), 0);
    assert_eq!(&*settled.operator(OPERATOR).unwrap().info, "a GPU");
}

#[test]
fn gains_wait_and_losses_do_not() {
    assert_eq!(weight(&shown(registered(100), vec![delegated(OPERATOR, 300)])), 100);
    assert_eq!(weight(&shown([registered(100), vec![delegated(OPERATOR, 300)]].concat(), vec![])), 300);
    assert_eq!(weight(&shown(registered(100), vec![slashed(40)])), 40);
    // Lost and regained above the final block: what is there in both.
    assert_eq!(weight(&shown(registered(100), vec![slashed(40), delegated(OPERATOR, 80)])), 80);
    assert_eq!(weight(&shown(registered(100), vec![slashed(40), delegated(OPERATOR, 200)])), 100);
}

#[test]
fn a_retirement_counts_at_once_and_coming_back_does_not() {
    let leaving = shown(registered(100), retired());
    let operator = leaving.operator(OPERATOR).unwrap();
    assert!(!operator.registered && operator.weight.is_zero());
    assert_eq!(leaving.active(Role::Miner).count(), 0);
    assert_eq!(leaving.by_node(NODE).unwrap().operator, OPERATOR, "what its node signed is still owed");

    let back = shown([registered(100), retired()].concat(), registered(100));
    assert_eq!((weight(&back), back.operator(OPERATOR).unwrap().registered), (0, true));
}

#[test]
fn a_replaced_node_finds_nobody_from_the_head_on() {
    let snapshot = shown(registered(100), vec![node_set(OTHER_NODE, NODE)]);
    assert!(snapshot.by_node(NODE).is_none());
    assert_eq!(snapshot.by_node(OTHER_NODE).unwrap().operator, OPERATOR);
    assert_eq!(weight(&snapshot), 100);
}

#[test]
fn a_registration_with_another_node_takes_it() {
    let again = [registered(100), retired(), vec![node_set(OTHER_NODE, NODE)]].concat();
    let snapshot = shown(again, vec![]);
    assert_eq!(snapshot.operator(OPERATOR).unwrap().node, OTHER_NODE);
}

#[test]
fn texts_are_those_of_the_head() {
    let update =
        IRegistry::Updated { operator: OPERATOR, endpoint: "https://a.example".into(), info: "two GPUs".into() };
    let snapshot = shown(registered(100), vec![registry(&update)]);
    let operator = snapshot.operator(OPERATOR).unwrap();
    assert_eq!((&*operator.endpoint, &*operator.info), ("https://a.example", "two GPUs"));
}

#[test]
fn strangers_are_not_kept() {
    let stranger = Address::repeat_byte(0xbb);
    let state = fold([delegated(stranger, 5), delegated(stranger, 6)]);
    assert_eq!(state, State::default());
    assert!(shown(registered(100), vec![]).operator(stranger).is_none());
}

#[test]
fn other_contracts_are_not_believed() {
    let elsewhere = registered(100).into_iter().map(|mut log| {
        log.inner.address = Address::repeat_byte(0x66);
        log
    });
    assert_eq!(fold(elsewhere), State::default());
    // Nor is the right event of the wrong contract.
    let swapped = registered(100).into_iter().map(|mut log| {
        log.inner.address =
            if log.address() == contracts().registry { contracts().staking } else { contracts().registry };
        log
    });
    assert_eq!(fold(swapped), State::default());
}

#[test]
fn jail_rewards_and_enforced_payments_change_the_weight() {
    assert_eq!(weight(&shown(registered(100), vec![jailed()])), 0);
    assert_eq!(weight(&shown([registered(100), vec![jailed(), unjailed(90)]].concat(), vec![])), 90);
    assert_eq!(weight(&shown([registered(100), vec![jailed()]].concat(), vec![unjailed(90)])), 0);
    assert_eq!(weight(&shown([registered(100), vec![rewarded(101)]].concat(), vec![])), 101);
    assert_eq!(weight(&shown(registered(100), vec![paid_from_own(60)])), 60);
}

#[test]
fn an_unknown_event_changes_nothing() {
    let mut broken = registered(100);
    let mut cut = delegated(OPERATOR, 7);
    cut.inner.data.data = cut.inner.data.data.slice(..40);
    broken.push(cut);
    assert_eq!(fold(broken), fold(registered(100)));
}

#[test]
fn every_event_is_either_fetched_or_known_to_change_nothing() {
    let mut known: Vec<_> = TOPICS.iter().map(|topic| topic.0).collect();
    known.extend(
        [
            IStaking::Withdrawn::SIGNATURE_HASH,
            IStaking::RewardsFunded::SIGNATURE_HASH,
            IStaking::CommissionSet::SIGNATURE_HASH,
            IStaking::CommissionAnnounced::SIGNATURE_HASH,
            IStaking::Held::SIGNATURE_HASH,
            IStaking::Released::SIGNATURE_HASH,
            IStaking::SlasherProposed::SIGNATURE_HASH,
            IStaking::SlasherRetired::SIGNATURE_HASH,
            IStaking::GuardianSet::SIGNATURE_HASH,
            IStaking::PauseSet::SIGNATURE_HASH,
        ]
        .map(|topic| topic.0),
    );
    known.sort();
    let mut all = [IRegistryEvents::SELECTORS, IStakingEvents::SELECTORS].concat();
    all.sort();
    assert_eq!(known, all);
}
