//! The command lines of the agents.

use crate::{keystore::Keystore, process};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use url::Url;

/// An agent's binary.
#[derive(Clone, Debug)]
pub struct Program {
    /// What to call it.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

impl Program {
    /// A command line; settings in this program's own environment do not leak into it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CUCKOO_") {
                command.env_remove(name);
            }
        }
        command
    }
}

/// The chain as agents are told of it.
#[derive(Clone, Debug)]
pub struct ChainFlags {
    /// JSON-RPC endpoint.
    pub rpc_url: Url,
    /// Deployment file.
    pub deployment: PathBuf,
}

impl ChainFlags {
    fn add_to(&self, command: &mut Command) {
        command.args(["--rpc-url", self.rpc_url.as_str()]).arg("--deployment").arg(&self.deployment);
    }
}

fn add_key(command: &mut Command, key: &Keystore) {
    command.arg("--keystore").arg(&key.file).arg("--password-file").arg(&key.password_file);
}

/// `register`: the node consents and the operator sends.
#[derive(Debug)]
pub struct Registration<'a> {
    /// Of the role.
    pub program: &'a Program,
    /// Where.
    pub chain: &'a ChainFlags,
    /// Signs from then on.
    pub node: &'a Keystore,
    /// Owns the stake.
    pub operator: &'a Keystore,
    /// Of a coordinator.
    pub endpoint: Option<&'a Url>,
    /// Introduction.
    pub info: &'a str,
}

impl Registration<'_> {
    /// Sends it and waits until it is mined.
    ///
    /// # Errors
    /// The command's own sentence if it is refused.
    pub async fn send(&self) -> Result<()> {
        let mut command = self.program.command(&["register"]);
        self.chain.add_to(&mut command);
        add_key(&mut command, self.node);
        command.args(["--operator", &self.operator.address.to_string(), "--info", self.info]);
        command.arg("--operator-keystore").arg(&self.operator.file);
        command.arg("--operator-password-file").arg(&self.operator.password_file);
        if let Some(endpoint) = self.endpoint {
            command.args(["--endpoint", endpoint.as_str().trim_end_matches('/')]);
        }
        let name = format!("{} register", self.program.name);
        let output = process::output(&name, command, Duration::from_secs(120)).await?;
        if !output.status.success() {
            let prose = String::from_utf8_lossy(&output.stderr);
            bail!("{}", prose.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed and did not say why"));
        }
        let printed: Value = serde_json::from_slice(&output.stdout).context("`register` printed no JSON")?;
        ensure!(printed["transaction"].is_string(), "`register` named no transaction: {printed}");
        Ok(())
    }
}

/// `coordinator-agent run`.
#[derive(Clone, Debug)]
pub struct CoordinatorFlags {
    /// The chain.
    pub chain: ChainFlags,
    /// Of the node.
    pub key: Keystore,
    /// Everything it must not forget.
    pub data: PathBuf,
    /// Port of the loopback interface.
    pub port: u16,
    /// Model packages that it offers.
    pub model: PathBuf,
    /// CAI a unit of the model.
    pub price: String,
    /// CAI kept in each miner's channel.
    pub channel_target: String,
    /// Seconds after which a silent miner's task is given to another.
    pub lease_seconds: u32,
    /// Share of results that is audited.
    pub audit_rate: f64,
    /// ONNX Runtime's shared library, to audit by itself; None if other miners check.
    pub onnxruntime: Option<PathBuf>,
    /// SHA-256 of the app's key.
    pub api_key_hash: B256,
}

impl CoordinatorFlags {
    /// Base URL of both APIs.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The command line.
    pub fn command(&self, program: &Program) -> Command {
        let mut command = program.command(&["run"]);
        self.chain.add_to(&mut command);
        add_key(&mut command, &self.key);
        command.arg("--data-dir").arg(&self.data).arg("--model").arg(&self.model);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port), "--origin", &self.origin()]);
        command.args(["--price", &self.price, "--channel-target", &self.channel_target]);
        command.args(["--lease-seconds", &self.lease_seconds.to_string()]);
        command.args(["--audit-rate", &self.audit_rate.to_string()]);
        match &self.onnxruntime {
            Some(library) => command.arg("--onnxruntime").arg(library),
            None => command.args(["--audit-by", "miners"]),
        };
        command.args(["--api-key-hash", &format!("{:x}", self.api_key_hash)]);
        command
    }
}

/// `miner-agent run`.
#[derive(Clone, Debug)]
pub struct MinerFlags {
    /// The chain.
    pub chain: ChainFlags,
    /// Of the node.
    pub key: Keystore,
    /// Everything it must not forget.
    pub data: PathBuf,
    /// Model package that it runs.
    pub model: PathBuf,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
    /// Threads of a session.
    pub threads: u32,
    /// CAI uncollected that make it collect.
    pub collect_at: String,
    /// CAI that a coordinator may owe beyond what its channel holds.
    pub credit: String,
}

impl MinerFlags {
    /// The command line.
    pub fn command(&self, program: &Program) -> Command {
        let mut command = program.command(&["run", "--device", "cpu"]);
        self.chain.add_to(&mut command);
        add_key(&mut command, &self.key);
        command.arg("--data-dir").arg(&self.data).arg("--model").arg(&self.model);
        command.arg("--onnxruntime").arg(&self.onnxruntime);
        command.args(["--threads", &self.threads.to_string(), "--collect-at", &self.collect_at]);
        command.args(["--credit", &self.credit]);
        command
    }
}

/// The folder in which an agent keeps its data.
pub fn data_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join("data").join(name)
}

/// An address as a short word for people.
pub fn short(address: Address) -> String {
    let text = address.to_string();
    format!("{}…{}", &text[..6], &text[text.len() - 4..])
}
