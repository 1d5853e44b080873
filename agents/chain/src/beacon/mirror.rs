//! Drand's HTTP API: the signature of one round, from whichever mirror has it first.

use alloy::{hex, primitives::U256};
use reqwest::redirect::Policy;
use serde::Deserialize;
use std::{error::Error, time::Duration};
use url::Url;

/// Public mirrors of `evmnet`, by different operators: the rounds of both versions of the API are at URL/N.
pub const MIRRORS: [&str; 5] = [
    "https://api.drand.sh/v2/beacons/evmnet/rounds",
    "https://api2.drand.sh/v2/beacons/evmnet/rounds",
    "https://api3.drand.sh/v2/beacons/evmnet/rounds",
    "https://drand.cloudflare.com/04f1e9062b8a81f848fded9c12306733282b2727ecced50032187751166ec8c3/public",
    "https://api.drand.secureweb3.com:6875/04f1e9062b8a81f848fded9c12306733282b2727ecced50032187751166ec8c3/public",
];

/// A round is some 200 bytes of JSON.
const MAX_ANSWER: usize = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(6);

/// Why a mirror is of no use just now.
#[derive(Debug, thiserror::Error)]
pub(super) enum MirrorError {
    #[error("no answer: {0}")]
    Unreachable(String),
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("more than {MAX_ANSWER} bytes")]
    TooLong,
    #[error("no round of drand's: {0}")]
    Malformed(String),
    #[error("round {0}, which was not asked for")]
    OtherRound(u64),
}

/// What both versions of the API have in common.
#[derive(Deserialize)]
struct Answer {
    round: u64,
    signature: String,
}

/// Asks the mirror at `base` for a round. Whether the signature is right only the contract can say.
pub(super) async fn fetch(base: Url, round: u64) -> Result<[U256; 2], MirrorError> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .build()
        .map_err(unreachable)?;
    let mut response = client.get(url(base, round)).send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(MirrorError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(MirrorError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    parse(&body, round)
}

fn url(mut base: Url, round: u64) -> Url {
    if let Ok(mut segments) = base.path_segments_mut() {
        segments.pop_if_empty().push(&round.to_string());
    }
    base
}

/// The point x, y of a round's signature, 64 bytes in hex.
fn parse(body: &[u8], round: u64) -> Result<[U256; 2], MirrorError> {
    let malformed = |e: &dyn ToString| MirrorError::Malformed(e.to_string());
    let answer: Answer = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    if answer.round != round {
        return Err(MirrorError::OtherRound(answer.round));
    }
    let point: [u8; 64] = hex::decode_to_array(&answer.signature)
        .map_err(|e| malformed(&format!("a signature of evmnet's has 64 bytes in hex: {e}")))?;
    let (x, y) = point.split_at(32);
    Ok([U256::from_be_slice(x), U256::from_be_slice(y)])
}

/// reqwest's own text hides the reason among its sources.
fn unreachable(error: reqwest::Error) -> MirrorError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    MirrorError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::uint;

    /// Round 10,000,000 of evmnet.
    const X: &str = "2c7b65b5acfe55256910ca71cf0a0fa71ac34c2a1167f86a22930a03e70ebec0";
    const Y: &str = "0f7a530796e7ee38600b06da0390634a9b154e3eebc3b323dde2111e1c8ebdf3";

    #[test]
    fn both_versions_of_the_api_are_read() {
        let point = uint!([
            0x2c7b65b5acfe55256910ca71cf0a0fa71ac34c2a1167f86a22930a03e70ebec0_U256,
            0x0f7a530796e7ee38600b06da0390634a9b154e3eebc3b323dde2111e1c8ebdf3_U256,
        ]);
        let second = format!(r#"{{"round":10000000,"signature":"{X}{Y}"}}"#);
        let first = format!(r#"{{"round":10000000,"randomness":"00","signature":"{X}{Y}"}}"#);
        for answer in [first, second] {
            assert_eq!(parse(answer.as_bytes(), 10_000_000).unwrap(), point);
        }
    }

    #[test]
    fn what_is_not_the_round_is_refused() {
        let other = parse(format!(r#"{{"round":7,"signature":"{X}{Y}"}}"#).as_bytes(), 8).unwrap_err();
        assert!(matches!(other, MirrorError::OtherRound(7)), "{other}");
        for signature in ["", X, &format!("{X}{Y}00"), &format!("{X}zz{}", &Y[2..])] {
            let answer = format!(r#"{{"round":8,"signature":"{signature}"}}"#);
            let error = parse(answer.as_bytes(), 8).unwrap_err();
            assert!(error.to_string().contains("64 bytes in hex"), "{error}");
        }
        assert!(matches!(parse(b"<html>", 8), Err(MirrorError::Malformed(_))));
    }

    #[test]
    fn a_round_is_below_the_mirrors_url() {
        for mirror in MIRRORS {
            assert_eq!(url(mirror.parse().unwrap(), 42).as_str(), format!("{mirror}/42"));
        }
        assert_eq!(url("http://host/a/".parse().unwrap(), 1).as_str(), "http://host/a/1");
    }
}
