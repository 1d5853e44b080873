//! What a transaction offers for its place in a block.

use alloy::{consensus::TxEip1559, eips::eip1559::Eip1559Estimation};

/// Fees are raised up to so many times what the chain asks just now: beyond that the fee is not what keeps it out.
const MOST: u128 = 5;

/// Whether a transaction with raised fees is worth a try, and its fees: an eighth more than before, which is what nodes ask of
/// a replacement, or what the chain asks now if that is more.
pub(super) fn raised(before: &TxEip1559, now: &Eip1559Estimation) -> Option<Eip1559Estimation> {
    let eighth_more = |fee: u128| fee.saturating_add(fee.div_ceil(8)).max(1);
    let max_fee_per_gas = eighth_more(before.max_fee_per_gas).max(now.max_fee_per_gas);
    let tip = eighth_more(before.max_priority_fee_per_gas).max(now.max_priority_fee_per_gas);
    let most = now.max_fee_per_gas.saturating_mul(MOST);
    (max_fee_per_gas <= most)
        .then_some(Eip1559Estimation { max_fee_per_gas, max_priority_fee_per_gas: tip.min(max_fee_per_gas) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> Eip1559Estimation {
        Eip1559Estimation { max_fee_per_gas, max_priority_fee_per_gas }
    }

    fn before(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> TxEip1559 {
        TxEip1559 { max_fee_per_gas, max_priority_fee_per_gas, ..Default::default() }
    }

    #[test]
    fn a_replacement_pays_an_eighth_more_or_what_is_asked_now() {
        assert_eq!(raised(&before(801, 10), &estimate(800, 10)), Some(estimate(902, 12)));
        assert_eq!(raised(&before(800, 10), &estimate(2_000, 30)), Some(estimate(2_000, 30)));
        assert_eq!(raised(&before(1, 0), &estimate(1, 0)), Some(estimate(2, 1)));
    }

    #[test]
    fn fees_do_not_run_away() {
        let (mut transaction, asked) = (before(1_000, 100), estimate(1_000, 100));
        let mut bumps = 0;
        while let Some(fees) = raised(&transaction, &asked) {
            transaction = before(fees.max_fee_per_gas, fees.max_priority_fee_per_gas);
            bumps += 1;
        }
        assert!(transaction.max_fee_per_gas <= 5_000 && bumps > 10, "{bumps} {transaction:?}");
    }
}
