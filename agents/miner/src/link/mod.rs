//! The miner's side of the link: finding out whom it talks to, and saying what it has done.

mod client;
mod login;

pub use client::{Client, LinkError};
pub use login::{Link, LoginError, Miner};

use alloy::primitives::Address;
use url::Url;

/// A coordinator as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// Its operator.
    pub operator: Address,
    /// The node in use, which signs for it.
    pub node: Address,
    /// Where its agent is.
    pub endpoint: Url,
}

impl Coordinator {
    /// Reads what a coordinator registered.
    ///
    /// # Errors
    /// Says what is wrong with the endpoint: operators write there what they like.
    pub fn new(operator: Address, node: Address, endpoint: &str) -> Result<Self, String> {
        let url = Url::parse(endpoint).map_err(|e| e.to_string())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("want an http or https URL".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("want a URL without credentials, query and fragment".to_owned());
        }
        Ok(Self { operator, node, endpoint: url })
    }

    /// Scheme, host and port of the endpoint: what a login is bound to.
    pub fn origin(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }
}
