//! What can happen: one call of somebody, or time that passes.

use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::contracts::Role;

use crate::{
    abi::disputes::IDisputes::Verdict,
    model::Terms,
    receipt::Receipt,
    trace::{Flaw, Part, Tile},
};

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Who calls. May be a contract: on this chain anybody can be anybody.
    pub caller: Address,
    /// What.
    pub call: Call,
}

/// A voucher and who signed it; an address without a key makes bytes that are no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// Coordinator.
    pub payer: Address,
    /// Miner.
    pub payee: Address,
    /// All that is owed.
    pub cumulative: u128,
    /// Whose key signed.
    pub signer: Address,
}

/// A verb with its arguments, named as in the interfaces.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    Wait {
        seconds: u64,
    },
    // the token
    /// The largest amount stands for everything, for ever.
    Approve {
        spender: Address,
        amount: u128,
    },
    Transfer {
        to: Address,
        amount: u128,
    },
    // stake, vote, leave
    Delegate {
        operator: Address,
        assets: u128,
        on_behalf: Address,
    },
    /// The caller signs a permit for `assets` with this nonce.
    DelegateWithPermit {
        operator: Address,
        assets: u128,
        on_behalf: Address,
        nonce: u64,
    },
    Undelegate {
        operator: Address,
        shares: u128,
    },
    CancelUndelegation {
        operator: Address,
        epoch: u64,
    },
    Withdraw {
        operator: Address,
        epoch: u64,
        owner: Address,
    },
    // earn
    FundRewards {
        amount: u128,
    },
    Accrue {
        operator: Address,
    },
    SetCommission {
        commission: u128,
    },
    ApplyCommission {
        operator: Address,
    },
    // hold back, slash, jail
    Hold {
        operator: Address,
        fraction: u128,
    },
    Release {
        operator: Address,
        fraction: u128,
        epoch: u64,
    },
    Slash {
        operator: Address,
        fraction: u128,
        epoch: u64,
        jail_term: u64,
        recipient: Address,
        reward: u128,
    },
    Jail {
        operator: Address,
        term: u64,
    },
    PayFromOwn {
        operator: Address,
        assets: u128,
        payee: Address,
    },
    Unjail,
    // govern
    ProposeSlasher {
        slasher: Address,
    },
    RetireSlasher {
        slasher: Address,
    },
    SetGuardian {
        guardian: Address,
    },
    PauseEntry {
        until: u64,
    },
    // roles and nodes
    SetRole {
        operator: Address,
        role: Role,
        active: bool,
    },
    Register {
        role: Role,
        node: Address,
        endpoint: String,
        info: String,
        signer: Address,
    },
    Update {
        endpoint: String,
        info: String,
    },
    SetNode {
        node: Address,
        signer: Address,
    },
    Retire,
    // channels
    Fund {
        payer: Address,
        payee: Address,
        amount: u128,
    },
    Collect {
        voucher: SignedBy,
    },
    CollectMany {
        vouchers: Vec<SignedBy>,
    },
    Thaw {
        payer: Address,
        payee: Address,
        amount: u128,
    },
    CancelThaw {
        payer: Address,
        payee: Address,
    },
    WithdrawThawed {
        payer: Address,
        payee: Address,
    },
    SetBacking {
        amount: u128,
    },
    Notify {
        voucher: SignedBy,
    },
    Enforce {
        payer: Address,
        payee: Address,
        cumulative: u128,
    },
    SetBurnFee {
        fee: u128,
    },
    SetNoticePeriod {
        period: u64,
    },
    // the mining stream
    FundMining {
        amount: u128,
    },
    Claim {
        epoch: u64,
        coordinator: Address,
        miner: Address,
    },
    /// Epoch, coordinator, miner.
    ClaimMany {
        claims: Vec<(u64, Address, Address)>,
    },
    Recycle {
        epoch: u64,
    },
    // disputes
    SetModel {
        model: u8,
        listed: bool,
    },
    SetTerms {
        terms: Terms,
    },
    Challenge {
        receipt: Receipt,
        transition: u32,
        tile: Tile,
    },
    /// Opens chunks of a part of `receipt`, which should be the dispute's.
    Answer {
        id: B256,
        receipt: Receipt,
        part: Part,
        chunks: Vec<u64>,
        flaw: Flaw,
    },
    Commit {
        id: B256,
        commitment: B256,
    },
    Reveal {
        id: B256,
        verdict: Verdict,
        probe: U256,
        salt: B256,
    },
    ClaimVote {
        id: B256,
        round: u8,
        index: u64,
    },
    Resolve {
        id: B256,
    },
    Veto {
        id: B256,
    },
}

impl Call {
    /// The names of all verbs.
    pub const KINDS: [&str; 51] = [
        "Wait",
        "Approve",
        "Transfer",
        "Delegate",
        "DelegateWithPermit",
        "Undelegate",
        "CancelUndelegation",
        "Withdraw",
        "FundRewards",
        "Accrue",
        "SetCommission",
        "ApplyCommission",
        "Hold",
        "Release",
        "Slash",
        "Jail",
        "PayFromOwn",
        "Unjail",
        "ProposeSlasher",
        "RetireSlasher",
        "SetGuardian",
        "PauseEntry",
        "SetRole",
        "Register",
        "Update",
        "SetNode",
        "Retire",
        "Fund",
        "Collect",
        "CollectMany",
        "Thaw",
        "CancelThaw",
        "WithdrawThawed",
        "SetBacking",
        "Notify",
        "Enforce",
        "SetBurnFee",
        "SetNoticePeriod",
        "FundMining",
        "Claim",
        "ClaimMany",
        "Recycle",
        "SetModel",
        "SetTerms",
        "Challenge",
        "Answer",
        "Commit",
        "Reveal",
        "ClaimVote",
        "Resolve",
        "Veto",
    ];

    /// The verb's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "Wait",
            Self::Approve { .. } => "Approve",
            Self::Transfer { .. } => "Transfer",
            Self::Delegate { .. } => "Delegate",
            Self::DelegateWithPermit { .. } => "DelegateWithPermit",
            Self::Undelegate { .. } => "Undelegate",
            Self::CancelUndelegation { .. } => "CancelUndelegation",
            Self::Withdraw { .. } => "Withdraw",
            Self::FundRewards { .. } => "FundRewards",
            Self::Accrue { .. } => "Accrue",
            Self::SetCommission { .. } => "SetCommission",
            Self::ApplyCommission { .. } => "ApplyCommission",
            Self::Hold { .. } => "Hold",
            Self::Release { .. } => "Release",
            Self::Slash { .. } => "Slash",
            Self::Jail { .. } => "Jail",
            Self::PayFromOwn { .. } => "PayFromOwn",
            Self::Unjail => "Unjail",
            Self::ProposeSlasher { .. } => "ProposeSlasher",
            Self::RetireSlasher { .. } => "RetireSlasher",
            Self::SetGuardian { .. } => "SetGuardian",
            Self::PauseEntry { .. } => "PauseEntry",
            Self::SetRole { .. } => "SetRole",
            Self::Register { .. } => "Register",
            Self::Update { .. } => "Update",
            Self::SetNode { .. } => "SetNode",
            Self::Retire => "Retire",
            Self::Fund { .. } => "Fund",
            Self::Collect { .. } => "Collect",
            Self::CollectMany { .. } => "CollectMany",
            Self::Thaw { .. } => "Thaw",
            Self::CancelThaw { .. } => "CancelThaw",
            Self::WithdrawThawed { .. } => "WithdrawThawed",
            Self::SetBacking { .. } => "SetBacking",
            Self::Notify { .. } => "Notify",
            Self::Enforce { .. } => "Enforce",
            Self::SetBurnFee { .. } => "SetBurnFee",
            Self::SetNoticePeriod { .. } => "SetNoticePeriod",
            Self::FundMining { .. } => "FundMining",
            Self::Claim { .. } => "Claim",
            Self::ClaimMany { .. } => "ClaimMany",
            Self::Recycle { .. } => "Recycle",
            Self::SetModel { .. } => "SetModel",
            Self::SetTerms { .. } => "SetTerms",
            Self::Challenge { .. } => "Challenge",
            Self::Answer { .. } => "Answer",
            Self::Commit { .. } => "Commit",
            Self::Reveal { .. } => "Reveal",
            Self::ClaimVote { .. } => "ClaimVote",
            Self::Resolve { .. } => "Resolve",
            Self::Veto { .. } => "Veto",
        }
    }
}
