//! Nonces and session tokens of the link: stateless, recognised by a MAC, so that a restart ends no session.

use alloy::primitives::{Address, B256, keccak256};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

/// Seconds for which a nonce may be signed.
pub const NONCE_SECONDS: u64 = 60;

/// Seconds for which a session lasts.
pub const SESSION_SECONDS: u64 = 3600;

/// Nonces that may be spent within one lifetime; a bound on memory, far above what honest miners need.
const MAX_SPENT: usize = 100_000;

/// Who speaks through a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The miner's operator.
    pub miner: Address,
    /// The node that logged in; results must be signed by it.
    pub node: Address,
}

/// Makes and recognises nonces and tokens.
pub struct Sessions {
    key: [u8; 64],
    /// Nonces that were used, by expiry: a recorded login must not open a second session.
    spent: Mutex<BTreeMap<u64, HashSet<B256>>>,
}

/// Why a nonce was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum NonceError {
    /// Not made here.
    Foreign,
    /// Too old, or used before.
    Expired,
}

impl Sessions {
    /// With the key that the store keeps.
    pub fn new(key: [u8; 64]) -> Self {
        Self { key, spent: Mutex::default() }
    }

    /// A nonce and the Unix second at which it expires.
    pub fn nonce(&self, now: u64) -> (B256, u64) {
        let expiry = now + NONCE_SECONDS;
        let mut nonce = B256::ZERO;
        nonce[..8].copy_from_slice(&expiry.to_be_bytes());
        nonce[8..16].copy_from_slice(&rand::random::<[u8; 8]>());
        let mac = self.mac(b"nonce", &nonce[..16]);
        nonce[16..].copy_from_slice(&mac[..16]);
        (nonce, expiry)
    }

    /// Checks a nonce without spending it: cheap, so it comes before any signature is recovered.
    ///
    /// # Errors
    /// [`NonceError`].
    pub fn check_nonce(&self, nonce: B256, now: u64) -> Result<(), NonceError> {
        let mac = self.mac(b"nonce", &nonce[..16]);
        if !same(&mac[..16], &nonce[16..]) {
            return Err(NonceError::Foreign);
        }
        if expiry_of(&nonce[..8]) < now { Err(NonceError::Expired) } else { Ok(()) }
    }

    /// Spends a nonce that was checked.
    ///
    /// # Errors
    /// [`NonceError::Expired`] if it was spent before, or if too many were spent just now.
    pub fn spend_nonce(&self, nonce: B256, now: u64) -> Result<(), NonceError> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = spent.split_off(&now);
        if spent.values().map(HashSet::len).sum::<usize>() >= MAX_SPENT {
            return Err(NonceError::Expired);
        }
        if spent.entry(expiry_of(&nonce[..8])).or_default().insert(nonce) { Ok(()) } else { Err(NonceError::Expired) }
    }

    /// A bearer token for `identity`, and the Unix second at which it expires.
    pub fn token(&self, identity: Identity, now: u64) -> (String, u64) {
        let expiry = now + SESSION_SECONDS;
        let random: [u8; 16] = rand::random();
        let mut token = [&identity.miner.0[..], &identity.node.0[..], &expiry.to_be_bytes(), &random].concat();
        let mac = self.mac(b"token", &token);
        token.extend_from_slice(&mac);
        (BASE64_URL_SAFE_NO_PAD.encode(token), expiry)
    }

    /// Whose token it is; none if it was not made here or has expired.
    pub fn identify(&self, token: &str, now: u64) -> Option<Identity> {
        let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok().filter(|token| token.len() == 96)?;
        let (claims, mac) = token.split_at(64);
        if !same(&self.mac(b"token", claims), mac) || expiry_of(&claims[40..48]) < now {
            return None;
        }
        Some(Identity { miner: Address::from_slice(&claims[..20]), node: Address::from_slice(&claims[20..40]) })
    }

    fn mac(&self, purpose: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(purpose);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

fn expiry_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// Compares by hash, so that the time taken tells nothing about where two MACs differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    keccak256(a) == keccak256(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { miner: Address::repeat_byte(1), node: Address::repeat_byte(2) }
    }

    #[test]
    fn a_token_names_its_owner_until_it_expires() {
        let sessions = Sessions::new([1; 64]);
        let (token, expiry) = sessions.token(identity(), 1000);
        assert_eq!(sessions.identify(&token, 1000), Some(identity()));
        assert_eq!(sessions.identify(&token, expiry + 1), None);
        assert_eq!(Sessions::new([2; 64]).identify(&token, 1000), None);
        assert_eq!(Sessions::new([1; 64]).identify(&token, 1000), Some(identity()), "a restart ends no session");
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sessions.identify(std::str::from_utf8(&forged).unwrap(), 1000), None);
        }
        assert_eq!(sessions.identify("", 0), None);
    }

    #[test]
    fn a_nonce_serves_once_and_here() {
        let sessions = Sessions::new([1; 64]);
        let (nonce, expiry) = sessions.nonce(1000);
        assert_eq!(sessions.check_nonce(nonce, 1000), Ok(()));
        assert_eq!(sessions.spend_nonce(nonce, 1000), Ok(()));
        assert_eq!(sessions.spend_nonce(nonce, 1000), Err(NonceError::Expired));
        assert_eq!(sessions.check_nonce(nonce, expiry + 1), Err(NonceError::Expired));
        assert_eq!(Sessions::new([2; 64]).check_nonce(nonce, 1000), Err(NonceError::Foreign));
    }
}
