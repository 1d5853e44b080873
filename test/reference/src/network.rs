//! What both sides know of the network: who takes part, where the contracts are, and what they were deployed with.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, Bytes, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolStruct, eip712_domain},
};
use anyhow::{Context, Result};
use cuckoo_protocol::{
    contracts::{NodeConsent, Voucher},
    message::Domain,
};

use crate::{abi::Permit, math::WAD, model::Terms};

/// The chain id, as on a development chain.
pub const CHAIN_ID: u64 = 31_337;

/// What the contracts are deployed with. Seconds, CAI wei, WAD.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Length of an epoch.
    pub epoch_length: u64,
    /// A miner's own stake must be more.
    pub min_miner_stake: u128,
    /// A coordinator's own stake must be more.
    pub min_coordinator_stake: u128,
    /// How long a new period of the reward stream lasts.
    pub reward_period: u64,
    /// From then on the guardian has no right.
    pub guardian_expiry: u64,
    /// How long a replaced node stays liable.
    pub node_grace: u64,
    /// How long it takes to take money back out of a channel.
    pub thaw_period: u64,
    /// Share of each collection that is burned.
    pub burn_fee: u128,
    /// How long a payer has after a notice.
    pub notice_period: u64,
    /// How long a payer is jailed that did not pay.
    pub payments_jail_term: u64,
    /// How many epochs the mining stream emits.
    pub mining_epochs: u64,
    /// Of disputes.
    pub disputes: Terms,
}

impl Parameters {
    /// Those of a trace: by turns a testnet's, one with short epochs, and one with the least stake that there can be and a
    /// stream that ends each day. The guardian's expiry counts from the deployment.
    pub fn of_seed(seed: u64) -> Self {
        let day = 86_400;
        let testnet = Self {
            epoch_length: day,
            min_miner_stake: 20_000 * WAD,
            min_coordinator_stake: 2_000_000 * WAD,
            reward_period: 20 * day,
            guardian_expiry: 150 * day,
            node_grace: day,
            thaw_period: day,
            burn_fee: WAD / 50,
            notice_period: day,
            payments_jail_term: day,
            mining_epochs: 300,
            disputes: Terms {
                bond: 500 * WAD,
                jury_fee: 200 * WAD,
                fraction: WAD / 50,
                jail_term: 1_800,
                max_offer_life: 600,
                challenge_window: 2_400,
                answer_window: 900,
                seed_window: 200,
                commit_window: 200,
                reveal_window: 150,
                veto_window: 1_500,
                min_jurors: 2,
                rounds: 3,
            },
        };
        match seed % 4 {
            0 => Self { min_miner_stake: 1 << 66, min_coordinator_stake: 1 << 66, reward_period: day, ..testnet },
            1 => Self {
                epoch_length: 3_601,
                reward_period: 3 * day,
                node_grace: 7_000,
                thaw_period: 6_999,
                notice_period: 5_401,
                payments_jail_term: 1,
                mining_epochs: 50,
                ..testnet
            },
            _ => testnet,
        }
    }
}

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contracts {
    /// The token.
    pub cai: Address,
    /// Stake, rewards, slashes.
    pub staking: Address,
    /// Roles and nodes.
    pub registry: Address,
    /// Channels.
    pub payments: Address,
    /// The mining stream.
    pub mining: Address,
    /// Disputes.
    pub disputes: Address,
}

impl Contracts {
    /// All with their names.
    pub fn named(&self) -> [(&'static str, Address); 6] {
        [
            ("cai", self.cai),
            ("staking", self.staking),
            ("registry", self.registry),
            ("payments", self.payments),
            ("mining", self.mining),
            ("disputes", self.disputes),
        ]
    }
}

/// Everybody who takes part, with keys.
#[derive(Clone, Debug)]
pub struct Cast {
    keys: BTreeMap<Address, PrivateKeySigner>,
    names: BTreeMap<Address, String>,
    /// Got the whole supply.
    pub treasury: Address,
    /// Owns what can be owned.
    pub owner: Address,
    /// May pause.
    pub guardian: Address,
    /// The first are slashers from the beginning, the others can become some.
    pub slashers: Vec<Address>,
    /// Those who may register, miners first.
    pub operators: Vec<Address>,
    /// How many of the operators want to be miners; the others want to be coordinators.
    pub miners: usize,
    /// Keys that operators may take for nodes.
    pub nodes: Vec<Address>,
    /// Those who only vote.
    pub stakers: Vec<Address>,
}

impl Cast {
    /// The same people for ever: keys follow from names.
    ///
    /// # Errors
    /// If a hash is no key; none is.
    pub fn new(miners: usize, coordinators: usize, stakers: usize) -> Result<Self> {
        let (mut keys, mut names) = (BTreeMap::new(), BTreeMap::new());
        let mut make = |name: String| -> Result<Address> {
            let key = PrivateKeySigner::from_bytes(&keccak256(&name)).context("no key")?;
            let address = key.address();
            keys.insert(address, key);
            names.insert(address, name);
            Ok(address)
        };
        let mut many = |name: &str, count: usize| -> Result<Vec<Address>> {
            (1..=count).map(|i| make(format!("{name}-{i}"))).collect()
        };
        let mut operators = many("miner", miners)?;
        operators.extend(many("coordinator", coordinators)?);
        let nodes = many("node", operators.len() * 2)?;
        let (stakers, slashers) = (many("staker", stakers)?, many("slasher", 12)?);
        let [treasury, owner, guardian] = [make("treasury".into())?, make("owner".into())?, make("guardian".into())?];
        Ok(Self { keys, names, treasury, owner, guardian, slashers, operators, miners, nodes, stakers })
    }

    /// Everybody who holds CAI at the beginning.
    pub fn holders(&self) -> Vec<Address> {
        let mut all = self.operators.clone();
        all.extend(&self.stakers);
        all.extend(self.slashers.iter().take(2));
        all.push(self.treasury);
        all
    }

    /// Everybody.
    pub fn everybody(&self) -> impl Iterator<Item = Address> + '_ {
        self.names.keys().copied()
    }

    /// Replaces addresses in `text` by names.
    pub fn with_names(&self, contracts: &Contracts, text: &str) -> String {
        let mut text = text.to_owned();
        let contracts = contracts.named().map(|(name, address)| (address, name.to_owned()));
        for (address, name) in self.names.clone().into_iter().chain(contracts) {
            text = text.replace(&address.to_string(), &name).replace(&format!("{address:?}"), &name);
        }
        text
    }

    /// `signer`'s consent that `node` signs for `operator`. Bytes of no signature if it has no key.
    pub fn consent(&self, contracts: &Contracts, signer: Address, operator: Address, node: Address) -> Bytes {
        self.sign(contracts, signer, &NodeConsent { operator, node })
    }

    /// A voucher's signature by `signer`. Bytes of no signature if it has no key.
    pub fn voucher(
        &self,
        contracts: &Contracts,
        signer: Address,
        payer: Address,
        payee: Address,
        total: u128,
    ) -> Bytes {
        self.sign(contracts, signer, &Voucher { payer, payee, cumulative: U256::from(total) })
    }

    /// A message's signature. Bytes of no signature if the signer has no key.
    pub fn sign<M: SolStruct>(&self, contracts: &Contracts, signer: Address, message: &M) -> Bytes {
        let digest = Domain::new(CHAIN_ID, contracts.registry).digest(message);
        let signature = self.keys.get(&signer).and_then(|key| key.sign_hash_sync(&digest).ok());
        signature.map_or_else(|| vec![0; 65].into(), |s| s.as_bytes().into())
    }

    /// An EIP-2612 permit of `owner`: v, r and s.
    ///
    /// # Errors
    /// If `owner` has no key.
    pub fn permit(&self, contracts: &Contracts, permit: &Permit) -> Result<alloy::primitives::Signature> {
        let domain = eip712_domain! {
            name: "Cuckoo AI",
            version: "1",
            chain_id: CHAIN_ID,
            verifying_contract: contracts.cai,
        };
        let key = self.keys.get(&permit.owner).context("the owner of a permit has no key")?;
        Ok(key.sign_hash_sync(&permit.eip712_signing_hash(&domain))?)
    }
}
