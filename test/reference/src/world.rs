//! The two sides, and what happens to both.

use alloy::primitives::{Address, B256, Bytes, Log};
use anyhow::Result;

use crate::{
    compare::{Comparer, Difference},
    evm::{Artefacts, Chain},
    model::{Model, Outcome},
    names,
    network::{Cast, Parameters},
    operation::{Call, Operation},
};

/// The first second of an epoch of a day, in 2024.
const START: u64 = 20_000 * 86_400;

/// A network of which there are two: one on the EVM, one in the model.
pub struct World {
    /// Everybody.
    pub cast: Cast,
    /// The contracts.
    pub chain: Chain,
    /// The model.
    pub model: Model,
    /// How many answers were compared.
    pub compared: u64,
}

impl World {
    /// Both, just deployed.
    ///
    /// # Errors
    /// If a constructor refuses.
    pub fn new(artefacts: &Artefacts, parameters: &Parameters, cast: &Cast) -> Result<Self> {
        let cast = cast.clone();
        let slashers: Vec<Address> = cast.slashers.iter().copied().take(2).collect();
        let mut parameters = parameters.clone();
        parameters.guardian_expiry += START;
        let chain = Chain::deploy(artefacts, &cast, &parameters, &slashers, START)?;
        let model = Model::new(START, chain.at, parameters, &cast, &[&slashers[..], &[chain.at.disputes]].concat());
        Ok(Self { cast, chain, model, compared: 0 })
    }

    /// Does the same to both, and compares what it returned, what it emitted, and what it touched.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn apply(&mut self, operation: &Operation) -> Result<(Outcome, Option<Difference>)> {
        let (outcome, difference) = self.perform(operation)?;
        if difference.is_some() || matches!(operation.call, Call::Wait { .. }) {
            return Ok((outcome, difference));
        }
        let difference = self.compare(|comparer| comparer.touched(operation))?;
        Ok((outcome, difference))
    }

    /// Does the same to both, and compares what it returned and what it emitted.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn perform(&mut self, operation: &Operation) -> Result<(Outcome, Option<Difference>)> {
        let expected = self.model.apply(operation);
        let Some((to, data)) = operation.encode(&self.cast, &self.chain.at)? else {
            self.chain.set_time(self.model.now, self.model.block);
            return Ok((expected, None));
        };
        let actual = self.chain.send(operation.caller, to, data)?;
        self.compared += 1;
        if actual.result != expected.result {
            let (contracts, model) = (shown(&actual.result), shown(&expected.result));
            return Ok((expected, Some(Difference { what: "the result".into(), contracts, model, in_outcome: true })));
        }
        if actual.logs != expected.logs {
            let difference = different_logs(&actual.logs, &expected.logs);
            return Ok((expected, Some(difference)));
        }
        Ok((expected, None))
    }

    /// Compares everything that there is.
    ///
    /// # Errors
    /// If the EVM fails.
    pub fn compare_everything(&mut self) -> Result<Option<Difference>> {
        self.compare(|comparer| comparer.everything())
    }

    fn compare(&mut self, what: impl FnOnce(&mut Comparer<'_>) -> Result<()>) -> Result<Option<Difference>> {
        let mut comparer = Comparer::new(&mut self.chain, &self.model, &self.cast);
        what(&mut comparer)?;
        self.compared += comparer.compared;
        Ok(comparer.into_difference())
    }
}

impl Comparer<'_> {
    /// What an operation may have changed.
    fn touched(&mut self, operation: &Operation) -> Result<()> {
        let caller = operation.caller;
        for (_, address) in self.model.at.named() {
            self.account(address)?;
        }
        self.account(caller)?;
        self.network()?;
        match &operation.call {
            Call::Delegate { operator, on_behalf: owner, .. }
            | Call::DelegateWithPermit { operator, on_behalf: owner, .. }
            | Call::Withdraw { operator, owner, .. }
            | Call::PayFromOwn { operator, payee: owner, .. } => {
                self.operator(*operator)?;
                self.position(*operator, *owner)?;
                self.account(*owner)
            }
            Call::Undelegate { operator, .. }
            | Call::CancelUndelegation { operator, .. }
            | Call::Accrue { operator }
            | Call::ApplyCommission { operator }
            | Call::Hold { operator, .. }
            | Call::Release { operator, .. }
            | Call::Slash { operator, .. }
            | Call::Jail { operator, .. }
            | Call::SetRole { operator, .. } => {
                self.operator(*operator)?;
                self.position(*operator, caller)?;
                self.position(*operator, *operator)
            }
            Call::SetCommission { .. } | Call::Unjail => self.operator(caller),
            Call::Register { .. } | Call::Update { .. } | Call::SetNode { .. } | Call::Retire => {
                self.operator(caller)?;
                self.registration(caller)
            }
            Call::Transfer { to, .. } => self.account(*to),
            Call::Fund { payer, payee, .. } | Call::Thaw { payer, payee, .. } | Call::CancelThaw { payer, payee } => {
                self.channel(*payer, *payee)
            }
            Call::WithdrawThawed { payer, payee } => {
                self.account(*payer)?;
                self.channel(*payer, *payee)
            }
            Call::Collect { voucher } => self.paid(voucher.payer, voucher.payee),
            Call::CollectMany { vouchers } => vouchers.iter().try_for_each(|v| self.paid(v.payer, v.payee)),
            Call::Notify { voucher } => self.notice(voucher.payer, voucher.payee, voucher.cumulative),
            Call::Enforce { payer, payee, cumulative } => {
                self.notice(*payer, *payee, *cumulative)?;
                self.backing(*payer)?;
                self.operator(*payer)?;
                self.position(*payer, *payer)?;
                self.paid(*payer, *payee)
            }
            Call::SetBacking { .. } => self.backing(caller),
            Call::Challenge { receipt, .. } => {
                self.operator(receipt.miner)?;
                let ids: Vec<B256> = self.model.disputes.all.keys().rev().copied().collect();
                let of_it = |id: &B256| self.model.disputes.all.get(id).is_some_and(|d| d.receipt == *receipt);
                ids.into_iter().filter(of_it).try_for_each(|id| self.dispute(id))
            }
            Call::Answer { id, .. }
            | Call::Commit { id, .. }
            | Call::Reveal { id, .. }
            | Call::ClaimVote { id, .. }
            | Call::Resolve { id }
            | Call::Veto { id } => {
                if let Some(dispute) = self.model.disputes.all.get(id) {
                    self.operator(dispute.accused())?;
                    self.account(dispute.accused())?;
                    self.account(dispute.challenger)?;
                }
                self.dispute(*id)
            }
            Call::FundMining { .. } | Call::Recycle { .. } => self.mining(),
            Call::Claim { miner, .. } => self.account(*miner),
            Call::ClaimMany { claims } => claims.iter().try_for_each(|(_, _, miner)| self.account(*miner)),
            Call::Wait { .. }
            | Call::Approve { .. }
            | Call::FundRewards { .. }
            | Call::ProposeSlasher { .. }
            | Call::RetireSlasher { .. }
            | Call::SetGuardian { .. }
            | Call::PauseEntry { .. }
            | Call::SetModel { .. }
            | Call::SetTerms { .. }
            | Call::SetBurnFee { .. }
            | Call::SetNoticePeriod { .. } => Ok(()),
        }
    }

    fn paid(&mut self, payer: Address, payee: Address) -> Result<()> {
        self.account(payee)?;
        self.channel(payer, payee)
    }
}

fn shown(result: &Result<Bytes, Bytes>) -> String {
    match result {
        Ok(returned) => format!("returned {returned}"),
        Err(data) => format!("reverted with {} {data}", names::of_revert(data)),
    }
}

fn different_logs(contracts: &[Log], model: &[Log]) -> Difference {
    let place = contracts.iter().zip(model).take_while(|(a, b)| a == b).count();
    Difference {
        what: format!("event {place} of {} and {}", contracts.len(), model.len()),
        contracts: format!("{:?}", contracts.get(place)),
        model: format!("{:?}", model.get(place)),
        in_outcome: true,
    }
}
