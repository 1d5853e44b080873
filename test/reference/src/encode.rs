//! Calls as the contracts take them.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use anyhow::Result;
use cuckoo_protocol::contracts::{ICAI, IPayments, IRegistry, IStaking};

use crate::{
    abi::{IMiningRewards, Permit, disputes::IDisputes},
    network::{Cast, Contracts},
    operation::{Call, Operation, SignedBy},
    receipt::Receipt,
    trace::Opened,
};

impl SignedBy {
    /// As the contracts take it.
    fn sign(&self, cast: &Cast, at: &Contracts) -> IPayments::SignedVoucher {
        let Self { payer, payee, cumulative, signer } = *self;
        let signature = cast.voucher(at, signer, payer, payee, cumulative);
        IPayments::SignedVoucher { payer, payee, cumulative: U256::from(cumulative), signature }
    }
}

impl Operation {
    /// The contract that is called and with what. Nothing for time that passes.
    ///
    /// # Errors
    /// If somebody without a key should sign a permit.
    pub fn encode(&self, cast: &Cast, at: &Contracts) -> Result<Option<(Address, Bytes)>> {
        let u = U256::from::<u128>;
        let t = U256::from::<u64>;
        let caller = self.caller;
        Ok(Some(match self.call.clone() {
            Call::Wait { .. } => return Ok(None),
            Call::Approve { spender, amount } => {
                // An allowance of everything is never used up.
                let amount = if amount == u128::MAX { U256::MAX } else { u(amount) };
                (at.cai, pack(ICAI::approveCall { spender, amount }))
            }
            Call::Transfer { to, amount } => (at.cai, pack(ICAI::transferCall { to, amount: u(amount) })),
            Call::Delegate { operator, assets, on_behalf } => {
                let call = IStaking::delegateCall { operator, assets: u(assets), onBehalf: on_behalf };
                (at.staking, pack(call))
            }
            Call::DelegateWithPermit { operator, assets, on_behalf, nonce } => {
                let permit = Permit {
                    owner: caller,
                    spender: at.staking,
                    value: u(assets),
                    nonce: t(nonce),
                    deadline: U256::MAX,
                };
                let signature = cast.permit(at, &permit)?;
                let call = IStaking::delegateWithPermitCall {
                    operator,
                    assets: u(assets),
                    onBehalf: on_behalf,
                    deadline: U256::MAX,
                    v: 27 + u8::from(signature.v()),
                    r: signature.r().into(),
                    s: signature.s().into(),
                };
                (at.staking, pack(call))
            }
            Call::Undelegate { operator, shares } => {
                (at.staking, pack(IStaking::undelegateCall { operator, shares: u(shares) }))
            }
            Call::CancelUndelegation { operator, epoch } => {
                (at.staking, pack(IStaking::cancelUndelegationCall { operator, epoch: t(epoch) }))
            }
            Call::Withdraw { operator, epoch, owner } => {
                (at.staking, pack(IStaking::withdrawCall { operator, epoch: t(epoch), owner }))
            }
            Call::FundRewards { amount } => (at.staking, pack(IStaking::fundRewardsCall { amount: u(amount) })),
            Call::Accrue { operator } => (at.staking, pack(IStaking::accrueCall { operator })),
            Call::SetCommission { commission } => {
                (at.staking, pack(IStaking::setCommissionCall { commission: u(commission) }))
            }
            Call::ApplyCommission { operator } => (at.staking, pack(IStaking::applyCommissionCall { operator })),
            Call::Hold { operator, fraction } => {
                (at.staking, pack(IStaking::holdCall { operator, fraction: u(fraction) }))
            }
            Call::Release { operator, fraction, epoch } => {
                (at.staking, pack(IStaking::releaseCall { operator, fraction: u(fraction), epoch: t(epoch) }))
            }
            Call::Slash { operator, fraction, epoch, jail_term, recipient, reward } => {
                let call = IStaking::slashCall {
                    operator,
                    fraction: u(fraction),
                    epoch: t(epoch),
                    jailTerm: t(jail_term),
                    recipient,
                    reward: u(reward),
                };
                (at.staking, pack(call))
            }
            Call::Jail { operator, term } => (at.staking, pack(IStaking::jailCall { operator, term: t(term) })),
            Call::PayFromOwn { operator, assets, payee } => {
                (at.staking, pack(IStaking::payFromOwnCall { operator, assets: u(assets), payee }))
            }
            Call::Unjail => (at.staking, pack(IStaking::unjailCall {})),
            Call::ProposeSlasher { slasher } => (at.staking, pack(IStaking::proposeSlasherCall { slasher })),
            Call::RetireSlasher { slasher } => (at.staking, pack(IStaking::retireSlasherCall { slasher })),
            Call::SetGuardian { guardian } => (at.staking, pack(IStaking::setGuardianCall { guardian })),
            Call::PauseEntry { until } => (at.staking, pack(IStaking::pauseEntryCall { until: t(until) })),
            Call::SetRole { operator, role, active } => {
                (at.staking, pack(IStaking::setRoleCall { operator, role, active }))
            }
            Call::Register { role, node, endpoint, info, signer } => {
                let node_consent = cast.consent(at, signer, caller, node);
                let call = IRegistry::registerCall { role, node, endpoint, info, nodeConsent: node_consent };
                (at.registry, pack(call))
            }
            Call::Update { endpoint, info } => (at.registry, pack(IRegistry::updateCall { endpoint, info })),
            Call::SetNode { node, signer } => {
                let node_consent = cast.consent(at, signer, caller, node);
                (at.registry, pack(IRegistry::setNodeCall { node, nodeConsent: node_consent }))
            }
            Call::Retire => (at.registry, pack(IRegistry::retireCall {})),
            Call::Fund { payer, payee, amount } => {
                (at.payments, pack(IPayments::fundCall { payer, payee, amount: u(amount) }))
            }
            Call::Collect { voucher } => {
                let IPayments::SignedVoucher { payer, payee, cumulative, signature } = voucher.sign(cast, at);
                (at.payments, pack(IPayments::collectCall { payer, payee, cumulative, signature }))
            }
            Call::CollectMany { vouchers } => {
                let vouchers = vouchers.iter().map(|voucher| voucher.sign(cast, at)).collect();
                (at.payments, pack(IPayments::collectManyCall { vouchers }))
            }
            Call::Thaw { payer, payee, amount } => {
                (at.payments, pack(IPayments::thawCall { payer, payee, amount: u(amount) }))
            }
            Call::CancelThaw { payer, payee } => (at.payments, pack(IPayments::cancelThawCall { payer, payee })),
            Call::WithdrawThawed { payer, payee } => {
                (at.payments, pack(IPayments::withdrawThawedCall { payer, payee }))
            }
            Call::SetBacking { amount } => (at.payments, pack(IPayments::setBackingCall { amount: u(amount) })),
            Call::Notify { voucher } => {
                let IPayments::SignedVoucher { payer, payee, cumulative, signature } = voucher.sign(cast, at);
                (at.payments, pack(IPayments::notifyCall { payer, payee, cumulative, signature }))
            }
            Call::Enforce { payer, payee, cumulative } => {
                (at.payments, pack(IPayments::enforceCall { payer, payee, cumulative: u(cumulative) }))
            }
            Call::SetBurnFee { fee } => (at.payments, pack(IPayments::setBurnFeeCall { burnFee_: u(fee) })),
            Call::SetNoticePeriod { period } => {
                (at.payments, pack(IPayments::setNoticePeriodCall { noticePeriod_: t(period) }))
            }
            Call::FundMining { amount } => (at.mining, pack(IMiningRewards::fundCall { amount: u(amount) })),
            Call::Claim { epoch, coordinator, miner } => {
                (at.mining, pack(IMiningRewards::claimCall { epoch: t(epoch), coordinator, miner }))
            }
            Call::ClaimMany { claims } => {
                let claim = |(epoch, coordinator, miner)| IMiningRewards::Claim { epoch: t(epoch), coordinator, miner };
                (at.mining, pack(IMiningRewards::claimManyCall { claims: claims.into_iter().map(claim).collect() }))
            }
            Call::Recycle { epoch } => (at.mining, pack(IMiningRewards::recycleCall { epoch: t(epoch) })),
            Call::SetModel { model, listed } => {
                let model_id = Receipt::model_id(model);
                (at.disputes, pack(IDisputes::setModelCall { modelId: model_id, listed }))
            }
            Call::SetTerms { terms } => {
                (at.disputes, pack(IDisputes::setParametersCall { parameters_: terms.encode() }))
            }
            Call::Challenge { receipt, transition, tile } => {
                let (offer_signature, result_signature) = receipt.signatures(cast, at);
                let call = IDisputes::challengeCall {
                    offer: receipt.offer(at),
                    result: receipt.result(at),
                    offerSignature: offer_signature,
                    resultSignature: result_signature,
                    request: receipt.request(),
                    transition: U256::from(transition),
                    tile: receipt.tile(tile),
                };
                (at.disputes, pack(call))
            }
            Call::Answer { id, receipt, part, chunks, flaw } => {
                let Opened { opening, chunks, .. } = receipt.open(part, &chunks, flaw);
                (at.disputes, pack(IDisputes::answerCall { id, opening, chunks }))
            }
            Call::Commit { id, commitment } => (at.disputes, pack(IDisputes::commitCall { id, commitment })),
            Call::Reveal { id, verdict, probe, salt } => {
                (at.disputes, pack(IDisputes::revealCall { id, verdict, probe, salt }))
            }
            Call::ClaimVote { id, round, index } => {
                let call = IDisputes::claimCall { id, round: U256::from(round), index: U256::from(index) };
                (at.disputes, pack(call))
            }
            Call::Resolve { id } => (at.disputes, pack(IDisputes::resolveCall { id })),
            Call::Veto { id } => (at.disputes, pack(IDisputes::vetoCall { id })),
        }))
    }
}

fn pack(call: impl SolCall) -> Bytes {
    call.abi_encode().into()
}
