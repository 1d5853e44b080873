//! What both agents' command lines share: `register`, `key new`, and how an agent is told of its network and to stop.

use crate::{
    Chain, keystore,
    register::{Registration, calldata},
    sender::Sender,
};
use alloy::primitives::Address;
use anyhow::{Context, Result, ensure};
use clap::Args;
use cuckoo_protocol::{contracts::Role, deployment::Deployment};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Reads the file that --deployment names.
///
/// # Errors
/// It is missing or is no deployment file.
pub fn read_deployment(path: &Path) -> Result<Deployment> {
    let name = path.display();
    let json = std::fs::read(path)
        .with_context(|| format!("cannot read {name}: --deployment wants deployments/<chainid>.json"))?;
    serde_json::from_slice(&json).with_context(|| format!("{name} is no deployment file"))
}

/// Cancelled by the first SIGINT or SIGTERM; the second ends the process.
///
/// # Errors
/// Signals cannot be listened for.
pub fn stop_signal() -> Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping");
        stop.cancel();
        next().await;
        tracing::warn!("stopped at once; what was promised is stored and goes on at the next start");
        std::process::exit(130);
    });
    Ok(token)
}

/// Flags of `key new`.
#[derive(Args, Debug)]
pub struct KeyNew {
    /// File to write; never overwritten
    #[arg(long, value_name = "FILE")]
    keystore: PathBuf,
    /// File with the password to encrypt with; else CUCKOO_PASSWORD is read
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl KeyNew {
    /// Makes the key; `{"address"}`.
    ///
    /// # Errors
    /// The file is there already or cannot be written.
    pub fn execute(&self) -> Result<Value> {
        let password = keystore::read_password(self.password_file.as_deref())?;
        Ok(json!({ "address": keystore::create(&self.keystore, &password)? }))
    }
}

/// Flags of `register`. Without the operator's keystore nothing is sent: the cold key stays cold.
#[derive(Args, Debug)]
pub struct Register {
    /// The network's contracts: deployments/<chainid>.json
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Encrypted keystore of the node key, which consents to sign for the operator
    #[arg(long, value_name = "FILE")]
    keystore: PathBuf,
    /// File with its password; else CUCKOO_PASSWORD is read
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Account that stakes and registers
    #[arg(long, value_name = "ADDRESS")]
    operator: Address,
    /// URL at which miners reach a coordinator's agent
    #[arg(long, value_name = "URL", default_value = "")]
    endpoint: String,
    /// Introduction for stakers, at most 2,048 bytes
    #[arg(long, value_name = "TEXT", default_value = "")]
    info: String,
    /// Send the transaction with this keystore of the operator's instead of printing it
    #[arg(long, value_name = "FILE", requires = "rpc_url")]
    operator_keystore: Option<PathBuf>,
    /// File with the password of the operator's keystore
    #[arg(long, value_name = "FILE")]
    operator_password_file: Option<PathBuf>,
    /// RPC URL of the chain; only to send
    #[arg(long, value_name = "URL")]
    rpc_url: Vec<Url>,
}

impl Register {
    /// `{"to", "data"}`, or `{"transaction"}` once it is mined.
    ///
    /// # Errors
    /// What the Registry would refuse, or did.
    pub async fn execute(self, role: Role) -> Result<Value> {
        let deployment = read_deployment(&self.deployment)?;
        let node = keystore::load(&self.keystore, &keystore::read_password(self.password_file.as_deref())?)?;
        let registration = Registration {
            role,
            node_signer: &node,
            operator: self.operator,
            endpoint: self.endpoint,
            info: self.info,
        };
        let (to, data) = calldata(&deployment, &registration)?;
        let Some(operator_keystore) = self.operator_keystore else {
            return Ok(json!({ "to": to, "data": data }));
        };

        let password = keystore::read_password(self.operator_password_file.as_deref())?;
        let operator = keystore::load(&operator_keystore, &password)?;
        ensure!(
            operator.address() == self.operator,
            "{} holds the key of {}, not of the operator {}",
            operator_keystore.display(),
            operator.address(),
            self.operator
        );
        let chain = Chain::connect(self.rpc_url, deployment, CancellationToken::new()).await?;
        let journal = operator_keystore.with_extension("transactions.json");
        let receipt = Sender::open(&chain, operator, journal).await?.send(to, data, "register").await?;
        Ok(json!({ "transaction": receipt.transaction_hash }))
    }
}

/// An error with its causes, for people. A cause that the text before it tells already is not told twice.
pub fn said(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        before if before.contains(&cause) => text,
        before => format!("{before}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no such file").context("the password file p: no such file").context("cannot start");
        assert_eq!(said(&error), "cannot start: the password file p: no such file");
    }
}
