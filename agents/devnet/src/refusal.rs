//! Errors of the coordinator's two APIs, as values that tests and the demonstration look at.

use anyhow::{Error, Result, anyhow, bail};
use cuckoo_protocol::link::{ErrorBody, ErrorDetail};
use reqwest::StatusCode;
use std::fmt;

/// A request that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// Why.
    pub detail: ErrorDetail,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.detail.code, self.detail.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Reads the body of an answer that was no success. A body that is no [`ErrorBody`] is an error of another kind.
    pub fn read(status: StatusCode, body: &[u8]) -> Error {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => Self { status, detail: body.error }.into(),
            Err(_) => anyhow!("{status} came without an error body: {:?}", String::from_utf8_lossy(body)),
        }
    }

    /// The refusal in `outcome`.
    ///
    /// # Errors
    /// If it was no refusal: it was accepted, or something else went wrong.
    pub fn expect<T>(what: &str, outcome: Result<T>) -> Result<Self> {
        match outcome {
            Ok(_) => bail!("{what} was accepted"),
            Err(error) => error.downcast::<Self>().map_err(|error| error.context(what.to_owned())),
        }
    }

    /// Checks status and code.
    ///
    /// # Errors
    /// If it was refused for another reason.
    pub fn is(self, status: u16, code: &str) -> Result<Self> {
        if self.status.as_u16() != status || self.detail.code != code {
            bail!("wanted {status} {code}, got {self}");
        }
        Ok(self)
    }
}
