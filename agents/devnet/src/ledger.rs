//! What the chain says: balances, weights and payments.

use alloy::{
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider},
    rpc::types::Filter,
    sol,
    sol_types::SolEvent,
};
use anyhow::{Context, Result};
use cuckoo_protocol::{
    contracts::{IDisputes, IPayments, IStaking},
    deployment::{Contracts, Deployment},
};

sol! {
    /// What is read of CAI.
    #[sol(rpc)]
    interface Token {
        function balanceOf(address account) external view returns (uint256);
        function totalSupply() external view returns (uint256);
    }
}

/// Reads the contracts at the head of the chain.
#[derive(Clone, Debug)]
pub struct Ledger {
    provider: DynProvider,
    contracts: Contracts,
    first_block: u64,
}

/// All that one party collected from another, in CAI wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Taken from the channel.
    pub amount: U256,
    /// Of it, burned.
    pub fee: U256,
    /// Transactions.
    pub times: u64,
}

impl Ledger {
    /// Of the contracts of `deployment`.
    pub fn new(provider: DynProvider, deployment: &Deployment) -> Self {
        Self { provider, contracts: deployment.contracts, first_block: deployment.block }
    }

    /// CAI wei that `account` holds.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn balance(&self, account: Address) -> Result<U256> {
        Ok(Token::new(self.contracts.cai, &self.provider).balanceOf(account).call().await?)
    }

    /// CAI wei in existence.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn supply(&self) -> Result<U256> {
        Ok(Token::new(self.contracts.cai, &self.provider).totalSupply().call().await?)
    }

    /// Weight of an operator, in CAI wei.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn weight(&self, operator: Address) -> Result<U256> {
        Ok(IStaking::new(self.contracts.staking, &self.provider).weightOf(operator).call().await?)
    }

    /// CAI wei that `operator` holds of its own pool.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn own_stake(&self, operator: Address) -> Result<U256> {
        self.stake_of(operator, operator).await
    }

    /// CAI wei that `staker` holds of the pool of `operator`.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn stake_of(&self, operator: Address, staker: Address) -> Result<U256> {
        Ok(IStaking::new(self.contracts.staking, &self.provider).assetsOf(operator, staker).call().await?)
    }

    /// Shares that `operator` holds of its own pool.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn shares(&self, operator: Address) -> Result<U256> {
        Ok(IStaking::new(self.contracts.staking, &self.provider).sharesOf(operator, operator).call().await?)
    }

    /// What `payee` collected from `payer` so far, from the events of Payments.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn collected(&self, payer: Address, payee: Address) -> Result<Collected> {
        let filter = Filter::new().address(self.contracts.payments).from_block(self.first_block);
        let filter = filter.event_signature(IPayments::Collected::SIGNATURE_HASH).topic1(payer).topic2(payee);
        let mut sum = Collected::default();
        for log in self.provider.get_logs(&filter).await? {
            let event = log.log_decode::<IPayments::Collected>().context("an event of Payments")?.inner.data;
            sum.amount += event.amount;
            sum.fee += event.fee;
            sum.times += 1;
        }
        Ok(sum)
    }

    /// Parameters of disputes that open now.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn dispute_parameters(&self) -> Result<IDisputes::Parameters> {
        let disputes = IDisputes::new(self.contracts.disputes, &self.provider);
        Ok(disputes.parameters(disputes.currentVersion().call().await?).call().await?)
    }

    /// How the first dispute of a result that has ended did; none as long as none has.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn verdict(&self, result: B256) -> Result<Option<IDisputes::Resolved>> {
        let ended = self.disputes_events::<IDisputes::Resolved>(|filter| filter.topic2(result)).await?;
        Ok(ended.into_iter().next())
    }

    /// All votes of a dispute that were opened.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn votes(&self, dispute: B256) -> Result<Vec<IDisputes::Revealed>> {
        self.disputes_events(|filter| filter.topic1(dispute)).await
    }

    /// What the jurors of a dispute were paid.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn claims(&self, dispute: B256) -> Result<Vec<IDisputes::Claimed>> {
        self.disputes_events(|filter| filter.topic1(dispute)).await
    }

    async fn disputes_events<E: SolEvent>(&self, narrow: impl FnOnce(Filter) -> Filter) -> Result<Vec<E>> {
        let filter = Filter::new().address(self.contracts.disputes).from_block(self.first_block);
        let logs = self.provider.get_logs(&narrow(filter.event_signature(E::SIGNATURE_HASH))).await?;
        let decoded = logs.iter().map(|log| Ok(E::decode_log(&log.inner).context("an event of Disputes")?.data));
        decoded.collect()
    }
}
