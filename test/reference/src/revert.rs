//! What a verb that is refused reverts with, to the byte.

use alloy::{
    primitives::{Bytes, U256, U512},
    sol_types::SolError,
};

use crate::abi::{Panic, SafeCastOverflowedUintDowncast};

/// The data of a revert: a custom error with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert(pub Bytes);

impl<E: SolError> From<E> for Revert {
    fn from(error: E) -> Self {
        Self(error.abi_encode().into())
    }
}

impl Revert {
    /// Solidity's own check: a sum or a difference left its type.
    pub fn overflow() -> Self {
        Panic { code: U256::from(0x11) }.into()
    }
}

/// The result of a verb.
pub type Effect<T> = Result<T, Revert>;

/// `value` as a number of `bits` bits, at most 128.
///
/// # Errors
/// OpenZeppelin's SafeCast error if it is too large.
pub fn downcast(value: U512, bits: u8) -> Effect<u128> {
    if value >> usize::from(bits) == U512::ZERO {
        Ok(value.to())
    } else {
        // Products that long come only from amounts that no account has.
        let value = U256::from(value.saturating_to::<U256>());
        Err(SafeCastOverflowedUintDowncast { bits, value }.into())
    }
}
