//! Amounts of CAI: wei inside, decimal text outside.

use alloy::primitives::{
    U256,
    utils::{format_units, parse_units},
};

/// Parses an amount in CAI such as `0.25`.
///
/// # Errors
/// A sentence that says what an amount looks like.
pub fn parse_cai(text: &str) -> Result<U256, String> {
    let malformed = || format!("{text:?} is no amount of CAI: write digits with at most 18 decimals, such as 0.25");
    // `parse_units` drops decimals past the last one and takes signs; an amount of money must not be guessed.
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if text.is_empty() || decimals > 18 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(malformed());
    }
    parse_units(text, 18).map(Into::into).map_err(|_| malformed())
}

/// Formats wei as CAI without trailing zeros.
pub fn format_cai(wei: U256) -> String {
    // 18 is a valid number of decimals, so formatting cannot fail.
    let text = format_units(wei, 18).unwrap_or_else(|_| wei.to_string());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats wei as CAI for people: two decimals at most, rounded down.
pub fn brief_cai(wei: U256) -> String {
    format_cai(wei - wei % U256::from(10).pow(U256::from(16)))
}

/// Serialises wei as a decimal string, which JSON readers keep exact.
pub mod wei {
    use alloy::primitives::U256;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// As a decimal string.
    pub fn serialize<S: Serializer>(amount: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    /// From a decimal string.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        let text = String::deserialize(deserializer)?;
        U256::from_str_radix(&text, 10).map_err(|_| D::Error::custom("want an amount of wei as a decimal string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_wei_agree() {
        assert_eq!(parse_cai("0.25").unwrap(), U256::from(250_000_000_000_000_000_u64));
        assert_eq!(format_cai(parse_cai("20000").unwrap()), "20000");
        assert_eq!(format_cai(U256::from(1)), "0.000000000000000001");
        let long = parse_cai("75000.439999").unwrap();
        assert_eq!((brief_cai(long), brief_cai(U256::from(1))), ("75000.43".to_owned(), "0".to_owned()));
        for bad in ["", "-1", "1e3", "0.1.2", "1.0000000000000000001", "one"] {
            assert!(parse_cai(bad).is_err(), "{bad}");
        }
    }
}
