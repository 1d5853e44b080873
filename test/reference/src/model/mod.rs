//! The contracts as their interfaces describe them, in plain Rust.
//!
//! Nothing here is packed, cached or indexed: totals are sums over all, histories are kept whole, rewards are handed to everybody at each step.
//! What the contracts do in one storage slot is done here in the way that is easiest to believe.

mod disputes;
mod fund;
mod governance;
mod history;
mod mining;
mod operator;
mod payments;
mod registry;
mod situations;
mod slashing;
mod staking;
mod stream;
mod token;

use alloy::{
    primitives::{Address, Bytes, Log, U256},
    sol_types::{SolEvent, SolValue},
};

pub use self::{
    disputes::{Dispute, Disputes, OpenedPart, Terms, Vote, commitment},
    fund::Fund,
    governance::Governance,
    history::History,
    mining::Mining,
    operator::{Bucket, Operator},
    payments::Payments,
    registry::Registry,
    situations::SITUATIONS,
    staking::{Staking, maturity_of},
    stream::Stream,
    token::Token,
};
use crate::{
    network::{Cast, Contracts, Parameters},
    operation::{Call, Operation},
    revert::{Effect, Revert},
};

/// What an operation did: what it returned or reverted with, and the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// ABI-encoded return values, or the revert's data.
    pub result: Result<Bytes, Bytes>,
    /// In order; none if it reverted.
    pub logs: Vec<Log>,
}

/// The whole network.
#[derive(Clone, Debug)]
pub struct Model {
    /// Seconds.
    pub now: u64,
    /// Number of the block; a new one each time that time passes.
    pub block: u64,
    /// Where the contracts are.
    pub at: Contracts,
    /// What they were deployed with.
    pub parameters: Parameters,
    /// CAI.
    pub token: Token,
    /// Stake.
    pub staking: Staking,
    /// Who may do what to Staking.
    pub governance: Governance,
    /// Roles and nodes.
    pub registry: Registry,
    /// Channels and backings.
    pub payments: Payments,
    /// The mining stream.
    pub mining: Mining,
    /// Disputes.
    pub disputes: Disputes,
    logs: Vec<Log>,
}

impl Model {
    /// The network as it is just deployed.
    pub fn new(now: u64, at: Contracts, parameters: Parameters, cast: &Cast, slashers: &[Address]) -> Self {
        let first_epoch = now / parameters.epoch_length + 1;
        Self {
            now,
            block: 1,
            at,
            payments: Payments::new(parameters.burn_fee, parameters.notice_period),
            mining: Mining::new(first_epoch, parameters.mining_epochs),
            disputes: Disputes::new(parameters.disputes),
            parameters,
            token: Token::new(cast.treasury),
            staking: Staking::default(),
            governance: Governance::new(cast.owner, cast.guardian, slashers, now),
            registry: Registry::default(),
            logs: Vec::new(),
        }
    }

    /// Does what `operation` says, or nothing if it reverts.
    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        let mut next = self.clone();
        let result = next.perform(operation);
        let logs = std::mem::take(&mut next.logs);
        match result {
            Ok(returned) => {
                *self = next;
                Outcome { result: Ok(returned.into()), logs }
            }
            Err(Revert(data)) => Outcome { result: Err(data), logs: Vec::new() },
        }
    }

    /// The epoch of now.
    pub fn epoch(&self) -> u64 {
        self.now / self.parameters.epoch_length
    }

    /// What each contract that holds CAI owes by now, at least.
    pub fn owed(&self) -> [(Address, u128); 4] {
        let pools = self.staking.operators().map(|o| self.operator_now(o.account).0.pool.assets);
        let buckets = self.staking.operators().flat_map(|o| o.buckets.values().filter_map(Bucket::assets));
        let all_weight = self.staking.operators().map(|o| self.weight_of(o)).sum();
        let (stream, _) = self.staking.stream.step(self.now, all_weight);
        let to_flow = stream.rate * u128::from(stream.ends_at.saturating_sub(self.now));
        let channels = self.payments.channels.values().map(|c| c.balance);
        let emissions = self.mining.emissions.range(self.epoch()..).map(|(_, emission)| emission);
        [
            (self.at.staking, pools.chain(buckets).sum::<u128>() + to_flow),
            (self.at.payments, channels.sum()),
            (self.at.disputes, self.disputes.owed()),
            (self.at.mining, emissions.sum::<u128>() + self.mining.remainder),
        ]
    }

    fn perform(&mut self, operation: &Operation) -> Effect<Vec<u8>> {
        let caller = operation.caller;
        let number = |n: u128| U256::from(n).abi_encode();
        let nothing = |()| Vec::new();
        match operation.call.clone() {
            Call::Wait { seconds } => {
                self.now += seconds;
                self.block += 1;
                Ok(Vec::new())
            }
            Call::Approve { spender, amount } => {
                let amount = if amount == u128::MAX { U256::MAX } else { U256::from(amount) };
                self.approve(caller, spender, amount);
                Ok(true.abi_encode())
            }
            Call::Transfer { to, amount } => self.transfer(caller, to, amount).map(|()| true.abi_encode()),

            Call::Delegate { operator, assets, on_behalf } => {
                self.delegate(caller, operator, assets, on_behalf).map(number)
            }
            Call::DelegateWithPermit { operator, assets, on_behalf, nonce } => {
                self.permit(caller, self.at.staking, U256::from(assets), nonce);
                self.delegate(caller, operator, assets, on_behalf).map(number)
            }
            Call::Undelegate { operator, shares } => self.undelegate(caller, operator, shares).map(number),
            Call::CancelUndelegation { operator, epoch } => {
                self.cancel_undelegation(caller, operator, epoch).map(number)
            }
            Call::Withdraw { operator, epoch, owner } => self.withdraw(caller, operator, epoch, owner).map(number),

            Call::FundRewards { amount } => self.fund_rewards(caller, amount).map(nothing),
            Call::Accrue { operator } => Ok(number(self.accrue(operator))),
            Call::SetCommission { commission } => self.set_commission(caller, commission).map(nothing),
            Call::ApplyCommission { operator } => self.apply_commission(operator).map(nothing),

            Call::Hold { operator, fraction } => {
                self.hold(caller, operator, fraction).map(|epoch| number(epoch.into()))
            }
            Call::Release { operator, fraction, epoch } => self.release(caller, operator, fraction, epoch).map(nothing),
            Call::Slash { operator, fraction, epoch, jail_term, recipient, reward } => self
                .slash(caller, operator, fraction, epoch, jail_term, recipient, reward)
                .map(|(slashed, paid)| (U256::from(slashed), U256::from(paid)).abi_encode()),
            Call::Jail { operator, term } => self.jail(caller, operator, term).map(nothing),
            Call::PayFromOwn { operator, assets, payee } => {
                self.pay_from_own(caller, operator, assets, payee).map(number)
            }
            Call::Unjail => self.unjail(caller).map(nothing),

            Call::ProposeSlasher { slasher } => self.propose_slasher(caller, slasher).map(nothing),
            Call::RetireSlasher { slasher } => self.retire_slasher(caller, slasher).map(nothing),
            Call::SetGuardian { guardian } => self.set_guardian(caller, guardian).map(nothing),
            Call::PauseEntry { until } => self.pause_entry(caller, until).map(nothing),

            Call::SetRole { operator, role, active } => self.set_role(caller, operator, role, active).map(number),
            Call::Register { role, node, endpoint, info, signer } => {
                self.register(caller, role, node, endpoint, info, signer).map(nothing)
            }
            Call::Update { endpoint, info } => self.update(caller, endpoint, info).map(nothing),
            Call::SetNode { node, signer } => self.set_node(caller, node, signer).map(nothing),
            Call::Retire => self.retire(caller).map(nothing),

            Call::Fund { payer, payee, amount } => self.fund(caller, payer, payee, amount).map(nothing),
            Call::Collect { voucher } => self.collect(voucher).map(number),
            Call::CollectMany { vouchers } => self.collect_many(&vouchers).map(number),
            Call::Thaw { payer, payee, amount } => self.thaw(caller, payer, payee, amount).map(nothing),
            Call::CancelThaw { payer, payee } => self.cancel_thaw(caller, payer, payee).map(nothing),
            Call::WithdrawThawed { payer, payee } => self.withdraw_thawed(payer, payee).map(number),
            Call::SetBacking { amount } => self.set_backing(caller, amount).map(nothing),
            Call::Notify { voucher } => self.notify(caller, voucher).map(nothing),
            Call::Enforce { payer, payee, cumulative } => self.enforce(payer, payee, cumulative).map(number),
            Call::SetBurnFee { fee } => self.set_burn_fee(caller, fee).map(nothing),
            Call::SetNoticePeriod { period } => self.set_notice_period(caller, period).map(nothing),

            Call::FundMining { amount } => self.fund_mining(caller, amount).map(nothing),
            Call::Claim { epoch, coordinator, miner } => self.claim(epoch, coordinator, miner).map(number),
            Call::ClaimMany { claims } => self.claim_many(&claims).map(number),
            Call::Recycle { epoch } => self.recycle(epoch).map(number),

            Call::SetModel { model, listed } => self.set_model(caller, model, listed).map(nothing),
            Call::SetTerms { terms } => self.set_terms(caller, terms).map(|version| number(version as u128)),
            Call::Challenge { receipt, transition, tile } => {
                self.challenge(caller, receipt, transition, tile).map(|id| id.abi_encode())
            }
            Call::Answer { id, receipt, part, chunks, flaw } => {
                self.answer(id, &receipt, part, &chunks, flaw).map(nothing)
            }
            Call::Commit { id, commitment } => self.commit(caller, id, commitment).map(nothing),
            Call::Reveal { id, verdict, probe, salt } => self.reveal(caller, id, verdict, probe, salt).map(nothing),
            Call::ClaimVote { id, round, index } => self.claim_vote(id, round, index).map(number),
            Call::Resolve { id } => self.resolve(id).map(|phase| number(phase as u128)),
            Call::Veto { id } => self.veto(caller, id).map(nothing),
        }
    }

    fn emit(&mut self, address: Address, event: impl SolEvent) {
        self.logs.push(Log { address, data: event.encode_log_data() });
    }
}
