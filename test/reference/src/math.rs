//! Exact arithmetic: products have 512 bits, and every division says how it rounds.

use alloy::primitives::{U256, U512};

/// One, in fractions of 18 decimals.
pub const WAD: u128 = 1_000_000_000_000_000_000;

/// floor(a * b / c). `c` is not zero.
pub fn mul_div_down(a: U256, b: U256, c: U256) -> U512 {
    U512::from(a) * U512::from(b) / U512::from(c)
}

/// ceil(a * b / c). `c` is not zero.
pub fn mul_div_up(a: U256, b: U256, c: U256) -> U512 {
    (U512::from(a) * U512::from(b)).div_ceil(U512::from(c))
}

/// floor(amount * fraction), the fraction in WAD.
pub fn part_down(amount: u128, fraction: u128) -> u128 {
    narrow(mul_div_down(U256::from(amount), U256::from(fraction), U256::from(WAD)))
}

/// ceil(amount * fraction), the fraction in WAD.
pub fn part_up(amount: u128, fraction: u128) -> u128 {
    narrow(mul_div_up(U256::from(amount), U256::from(fraction), U256::from(WAD)))
}

/// A number that is known to be an amount: all CAI are fewer than 2^90 wei.
///
/// # Panics
/// If it is not. Then the model is wrong, and says so instead of wrapping around.
pub fn narrow(n: U512) -> u128 {
    u128::try_from(n).expect("an amount of more than 128 bits: the model is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_round_as_their_names_say() {
        let u = |n: u64| U256::from(n);
        assert_eq!(mul_div_down(u(7), u(3), u(2)), U512::from(10));
        assert_eq!(mul_div_up(u(7), u(3), u(2)), U512::from(11));
        assert_eq!(mul_div_up(u(8), u(3), u(2)), U512::from(12));
        assert_eq!(mul_div_down(U256::MAX, U256::MAX, U256::MAX), U512::from(U256::MAX));
        assert_eq!((part_down(3, WAD / 2), part_up(3, WAD / 2)), (1, 2));
    }
}
