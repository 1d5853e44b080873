//! What contracts revert with, in words.

use crate::beacon::DrandRandomness::DrandRandomnessErrors;
use alloy::{
    primitives::U256,
    sol,
    sol_types::{PanicKind, Revert, SolError, SolInterface},
};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::{
        IDisputes::IDisputesErrors, IFaucet::IFaucetErrors, IMiningRewards::IMiningRewardsErrors,
        IPayments::IPaymentsErrors, IRegistry::IRegistryErrors, IStaking::IStakingErrors,
    },
};
use std::fmt::Debug;

sol! {
    /// Errors of the library contracts that ours are made of.
    #[sol(all_derives)]
    interface OpenZeppelin {
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
        error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
        error ERC20InvalidSender(address sender);
        error ERC20InvalidReceiver(address receiver);
        error ERC20InvalidApprover(address approver);
        error ERC20InvalidSpender(address spender);
        error ERC2612ExpiredSignature(uint256 deadline);
        error ERC2612InvalidSigner(address signer, address owner);
        error InvalidAccountNonce(address account, uint256 currentNonce);
        error SafeERC20FailedOperation(address token);
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error SafeCastOverflowedIntToUint(int256 value);
        error SafeCastOverflowedUintToInt(uint256 value);
        error StringTooLong(string str);
        error InvalidShortString();
        error ReentrancyGuardReentrantCall();
        error EnforcedPause();
        error ExpectedPause();
        error OwnableUnauthorizedAccount(address account);
        error OwnableInvalidOwner(address owner);
    }
}

/// A contract's revert data as a sentence: the error's name with its arguments (amounts in CAI wei) and, for the common ones,
/// what to do about it.
pub fn explain(data: &[u8]) -> String {
    if let Ok(e) = IRegistryErrors::abi_decode(data) {
        return with_advice(&e, registry_advice(&e));
    }
    if let Ok(e) = IStakingErrors::abi_decode(data) {
        return with_advice(&e, staking_advice(&e));
    }
    if let Ok(e) = IPaymentsErrors::abi_decode(data) {
        return with_advice(&e, payments_advice(&e));
    }
    if let Ok(e) = IDisputesErrors::abi_decode(data) {
        return with_advice(&e, None);
    }
    if let Ok(e) = DrandRandomnessErrors::abi_decode(data) {
        return with_advice(&e, None);
    }
    if let Ok(e) = IMiningRewardsErrors::abi_decode(data) {
        return with_advice(&e, None);
    }
    if let Ok(e) = IFaucetErrors::abi_decode(data) {
        return with_advice(&e, None);
    }
    if let Ok(e) = OpenZeppelin::OpenZeppelinErrors::abi_decode(data) {
        return with_advice(&e, token_advice(&e));
    }
    if let Ok(e) = Revert::abi_decode(data) {
        return e.reason;
    }
    if let Ok(e) = alloy::sol_types::Panic::abi_decode(data) {
        let kind = PanicKind::from_number(e.code.saturating_to()).map_or("of an unknown kind", |kind| kind.as_str());
        return format!("the contract panicked: {kind} (code {})", e.code);
    }
    match data {
        [] => "the contract reverted without a reason".into(),
        _ => format!("the contract reverted with data that no known error has: {}", alloy::hex::encode_prefixed(data)),
    }
}

/// `Enum(Error { arguments })`, as derived, becomes `Error { arguments }: advice`.
fn with_advice(error: &impl Debug, advice: Option<String>) -> String {
    let text = format!("{error:?}");
    let text = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&text);
    match advice {
        Some(advice) => format!("{text}: {advice}"),
        None => text.to_owned(),
    }
}

fn registry_advice(error: &IRegistryErrors) -> Option<String> {
    Some(match error {
        IRegistryErrors::InsufficientStake(e) => {
            let (stake, minimum) = (format_cai(e.stake), format_cai(e.minimum));
            format!(
                "the operator's own stake is {stake} CAI, the role needs more than {minimum} CAI: stake more, for itself"
            )
        }
        IRegistryErrors::AlreadyRegistered(_) => {
            "one role an operator: change node or texts of a registered operator with setNode and update".into()
        }
        IRegistryErrors::NodeTaken(_) => "a node key belongs to one operator for ever: make a new one".into(),
        IRegistryErrors::InvalidConsent(_) => {
            "the node consented to another operator, or on another chain: sign its consent anew".into()
        }
        IRegistryErrors::NotRegistered(_) => "register it first".into(),
        _ => return None,
    })
}

fn staking_advice(error: &IStakingErrors) -> Option<String> {
    Some(match error {
        IStakingErrors::Tombstoned(_) => "the pool was slashed to almost nothing and takes no more stake".into(),
        IStakingErrors::NotMatured(e) => format!("it is epoch {}, come back in epoch {}", e.current, e.maturity),
        IStakingErrors::InsufficientShares(_) => "there are fewer shares than that".into(),
        IStakingErrors::AlreadyMatured(_) => "it has matured: withdraw it".into(),
        IStakingErrors::EntryPaused(e) => format!("entry is paused until {} (chain seconds); exits are open", e.until),
        IStakingErrors::HeldBack(_) => "open disputes hold back what is left: come back when they have ended".into(),
        IStakingErrors::StakeBacksVouchers(e) => {
            format!("{} CAI of it back vouchers: lower the backing first", format_cai(e.backing))
        }
        IStakingErrors::Jailed(e) => format!("its term ends at {} (chain seconds)", e.until),
        _ => return None,
    })
}

fn payments_advice(error: &IPaymentsErrors) -> Option<String> {
    Some(match error {
        IPaymentsErrors::NothingToCollect(_) => "all that this voucher promises has been collected".into(),
        IPaymentsErrors::InvalidVoucher(_) => "it is not signed by a node that may sign for the payer".into(),
        IPaymentsErrors::InsufficientBalance(e) => balance(e.available, e.required),
        IPaymentsErrors::Covered(_) => "the channel covers it: collect it".into(),
        IPaymentsErrors::NoticeKnown(e) => format!("its notice ends at {} (chain seconds)", e.endsAt),
        IPaymentsErrors::NoticeRunning(e) => format!("the payer has time until {} (chain seconds)", e.endsAt),
        _ => return None,
    })
}

fn token_advice(error: &OpenZeppelin::OpenZeppelinErrors) -> Option<String> {
    use OpenZeppelin::OpenZeppelinErrors as E;
    Some(match error {
        E::ERC20InsufficientBalance(e) => balance(e.balance, e.needed),
        E::ERC20InsufficientAllowance(e) => {
            format!("approve {} CAI first, {} CAI are approved", format_cai(e.needed), format_cai(e.allowance))
        }
        _ => return None,
    })
}

fn balance(available: U256, needed: U256) -> String {
    format!("{} CAI are there, {} CAI are needed", format_cai(available), format_cai(needed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, uint};
    use cuckoo_protocol::contracts::{IFaucet, IPayments, IRegistry, IStaking};

    const CAI: U256 = uint!(1_000_000_000_000_000_000_U256);

    #[test]
    fn errors_come_with_arguments_and_advice() {
        let operator = Address::repeat_byte(7);
        let stake = IRegistry::InsufficientStake {
            operator,
            stake: U256::from(19_999) * CAI,
            minimum: U256::from(20_000) * CAI,
        };
        assert_eq!(
            explain(&stake.abi_encode()),
            "InsufficientStake { operator: 0x0707070707070707070707070707070707070707, stake: 19999000000000000000000, \
             minimum: 20000000000000000000000 }: the operator's own stake is 19999 CAI, the role needs more than 20000 CAI: \
             stake more, for itself"
        );
        let allowance = OpenZeppelin::ERC20InsufficientAllowance {
            spender: operator,
            allowance: U256::ZERO,
            needed: U256::from(5) * CAI,
        };
        assert!(explain(&allowance.abi_encode()).ends_with("}: approve 5 CAI first, 0 CAI are approved"));
        let faucet = IFaucet::CoolingDown { account: operator, availableAt: U256::from(9) };
        assert!(explain(&faucet.abi_encode()).ends_with("availableAt: 9 }"), "{}", explain(&faucet.abi_encode()));
        assert_eq!(explain(&IStaking::ZeroAmount {}.abi_encode()), "ZeroAmount");
        let collect = IPayments::NothingToCollect { payer: operator, payee: operator, cumulative: CAI, collected: CAI };
        assert!(explain(&collect.abi_encode()).contains("has been collected"));
    }

    #[test]
    fn everything_else_is_said_too() {
        assert_eq!(explain(&Revert::from("no way").abi_encode()), "no way");
        let overflow = alloy::sol_types::Panic { code: U256::from(0x11) };
        assert!(explain(&overflow.abi_encode()).contains("overflow"), "{}", explain(&overflow.abi_encode()));
        assert_eq!(explain(&[]), "the contract reverted without a reason");
        assert!(explain(&[1, 2, 3, 4]).ends_with("0x01020304"));
        // A known selector with arguments cut off.
        let cut = IRegistry::NotRegistered { operator: Address::ZERO }.abi_encode();
        assert!(explain(&cut[..20]).contains("no known error"));
    }
}
