//! What the interfaces in `contracts/interfaces` leave out: the token's own verbs, events and errors, and those of OpenZeppelin.

#![allow(missing_docs, clippy::too_many_arguments)]

alloy::sol!(
    #![sol(all_derives)]
    "../../contracts/interfaces/IMiningRewards.sol"
);

/// Disputes, with the messages that its verbs take.
pub mod disputes {
    include!(concat!(env!("OUT_DIR"), "/disputes.rs"));
}

alloy::sol! {
    #![sol(extra_derives(Debug))]

    interface Other {
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
        error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
        error OwnableUnauthorizedAccount(address account);
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error Panic(uint256 code);

        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
    }

    function totalSupply() external view returns (uint256);
    function nonces(address owner) external view returns (uint256);

    struct Permit {
        address owner;
        address spender;
        uint256 value;
        uint256 nonce;
        uint256 deadline;
    }
}

pub use Other::{
    Approval, ERC20InsufficientAllowance, ERC20InsufficientBalance, OwnableUnauthorizedAccount, Panic,
    SafeCastOverflowedUintDowncast, Transfer,
};
