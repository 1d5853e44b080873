//! What a miner checks before it takes a voucher for pay.

use alloy::primitives::{Address, U256};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::Voucher,
    message::{Domain, SignatureError, Signed},
};

/// Why a voucher is no pay.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VoucherError {
    /// It binds nobody.
    #[error("the voucher is not signed by the coordinator's node: {0}")]
    Signature(#[from] SignatureError),
    /// Another payer's.
    #[error("the voucher's payer is {0}, not the coordinator")]
    Payer(Address),
    /// Somebody else's pay.
    #[error("the voucher's payee is {0}, not this miner's operator")]
    Payee(Address),
    /// Less than what was earned.
    #[error("the voucher is over {} CAI, {} CAI are owed", format_cai(*.promised), format_cai(*.owed))]
    Underpaid {
        /// Wei.
        promised: U256,
        /// Wei.
        owed: U256,
    },
}

/// The two ends of a channel, and the key that signs for the paying one.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// The coordinator's operator.
    pub payer: Address,
    /// The payer's node in use.
    pub payer_node: Address,
    /// This miner's operator.
    pub payee: Address,
}

impl Channel {
    /// Checks that `voucher` binds the payer towards the payee. How much it promises is checked against the ledger.
    ///
    /// # Errors
    /// [`VoucherError`].
    pub fn check(&self, domain: &Domain, voucher: &Signed<Voucher>) -> Result<(), VoucherError> {
        let Voucher { payer, payee, .. } = voucher.message;
        if payer != self.payer {
            return Err(VoucherError::Payer(payer));
        }
        if payee != self.payee {
            return Err(VoucherError::Payee(payee));
        }
        Ok(voucher.verify(domain, self.payer_node)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::signers::local::PrivateKeySigner;

    #[test]
    fn only_the_payers_node_can_promise_and_only_to_this_miner() {
        let (node, domain) = (PrivateKeySigner::random(), Domain::new(31337, Address::repeat_byte(9)));
        let (payer, payee, other) = (Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3));
        let channel = Channel { payer, payer_node: node.address(), payee };
        let sign = |payer, payee, node: &PrivateKeySigner| {
            domain.sign(Voucher { payer, payee, cumulative: U256::from(5) }, node).unwrap()
        };
        let honest = sign(payer, payee, &node);
        assert_eq!(channel.check(&domain, &honest), Ok(()));
        assert_eq!(channel.check(&domain, &sign(other, payee, &node)), Err(VoucherError::Payer(other)));
        assert_eq!(channel.check(&domain, &sign(payer, other, &node)), Err(VoucherError::Payee(other)));

        let elsewhere = Domain::new(1, Address::repeat_byte(9));
        let mut raised = honest.clone();
        raised.message.cumulative += U256::from(1);
        for (domain, voucher) in
            [(&domain, sign(payer, payee, &PrivateKeySigner::random())), (&elsewhere, honest), (&domain, raised)]
        {
            assert!(matches!(channel.check(domain, &voucher), Err(VoucherError::Signature(_))));
        }
    }
}
