//! The development chain's accounts, which anvil funds with native coin. Their keys are public: never use them elsewhere.

use alloy::{
    primitives::{Address, B256},
    signers::local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English},
};
use anyhow::Result;
use serde::Serialize;

/// The mnemonic that every Ethereum development chain uses.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Accounts that anvil funds.
pub const COUNT: u32 = 10;

/// Holds the supply of CAI that the faucet does not, and grants it: the network's admins.
pub const TREASURY: u32 = 0;

/// The coordinator's operator.
pub const COORDINATOR: u32 = 1;

/// The first miner's operator; the others follow.
pub const FIRST_MINER: u32 = 2;

/// Stakes, and votes for a miner.
pub const STAKER: u32 = 5;

/// The first account that a network leaves alone.
pub const FIRST_SPARE: u32 = 6;

/// Has native coin and no CAI.
pub const NEWCOMER: u32 = 9;

/// The key of account `index` of [`MNEMONIC`].
///
/// # Errors
/// If the index is beyond what BIP-32 allows.
pub fn signer(index: u32) -> Result<PrivateKeySigner> {
    Ok(MnemonicBuilder::<English>::default().phrase(MNEMONIC).index(index)?.build()?)
}

/// A funded test account, as `make devnet` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct TestAccount {
    /// What it is in the network: `treasury`, `coordinator`, `miner`, `staker`, `user` (has CAI) or `newcomer` (has none).
    pub role: &'static str,
    /// Address.
    pub address: Address,
    /// Its key: public, and worth nothing.
    pub private_key: B256,
}

/// All test accounts of a network with `miners` miners.
///
/// # Errors
/// As [`signer`].
pub fn all(miners: u32) -> Result<Vec<TestAccount>> {
    let role = |index| match index {
        TREASURY => "treasury",
        COORDINATOR => "coordinator",
        STAKER => "staker",
        NEWCOMER => "newcomer",
        _ if (FIRST_MINER..FIRST_MINER + miners).contains(&index) => "miner",
        _ => "user",
    };
    let account = |index| {
        let signer = signer(index)?;
        Ok(TestAccount { role: role(index), address: signer.address(), private_key: signer.to_bytes() })
    };
    (0..COUNT).map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn the_accounts_are_those_that_anvil_funds() {
        let accounts = all(3).unwrap();
        assert_eq!(accounts[0].address, address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(accounts[9].address, address!("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"));
        let roles: Vec<&str> = accounts.iter().map(|account| account.role).collect();
        let miners = ["miner"; 3];
        assert_eq!(roles[..2], ["treasury", "coordinator"]);
        assert_eq!(roles[2..5], miners);
        assert_eq!(roles[5..], ["staker", "user", "user", "user", "newcomer"]);
    }
}
