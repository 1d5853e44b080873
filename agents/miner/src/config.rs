//! Settings of `miner-agent run` and `doctor`: a TOML file, then the environment, then flags; later ones win.

use alloy::{primitives::U256, signers::local::PrivateKeySigner};
use anyhow::{Context, Result, ensure};
use clap::Args;
use cuckoo_chain::{beacon::MIRRORS, command::read_deployment, keystore};
use cuckoo_inference::{Device, runtime::Feeding};
use cuckoo_protocol::{amount::parse_cai, deployment::Deployment};
use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// Slots that one miner may have; coordinators refuse more.
const MAX_SLOTS: u32 = 64;

/// Flags of `run` and `doctor`. Each may also stand in the environment as shown, several values with commas between, or in the
/// config file under its name with underscores, such as `rpc_url = ["http://127.0.0.1:8545"]`.
#[derive(Args, Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// TOML file with any of these settings, such as data_dir = "/var/lib/cuckoo"
    #[arg(long, value_name = "FILE", env = "CUCKOO_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// RPC URL of the chain; give several to fail over in this order
    #[arg(long, value_name = "URL", env = "CUCKOO_RPC_URL", hide_env_values = true, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rpc_url: Vec<Url>,
    /// The network's contracts: deployments/<chainid>.json
    #[arg(long, value_name = "FILE", env = "CUCKOO_DEPLOYMENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<PathBuf>,
    /// Encrypted keystore of the node key (see `key new`)
    #[arg(long, value_name = "FILE", env = "CUCKOO_KEYSTORE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore: Option<PathBuf>,
    /// File with the keystore's password; else CUCKOO_PASSWORD is read
    #[arg(long, value_name = "FILE", env = "CUCKOO_PASSWORD_FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Folder for results, vouchers, traces and the transaction journal; one agent's only
    #[arg(long, value_name = "DIR", env = "CUCKOO_DATA_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Folder of a model package to run. Repeatable
    #[arg(long, value_name = "DIR", env = "CUCKOO_MODEL", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<PathBuf>,
    /// What to compute on: cpu, cuda, or cuda:N for the GPU number N. There is no silent fallback [default: cpu]
    #[arg(long, value_name = "DEVICE", env = "CUCKOO_DEVICE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Processor threads of a slot, for --device cpu; 0 for one a core [default: 0]
    #[arg(long, value_name = "N", env = "CUCKOO_THREADS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else what tools/fetch-onnxruntime fetched]
    #[arg(long, value_name = "FILE", env = "CUCKOO_ONNXRUNTIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<PathBuf>,
    /// Least price to work for, in CAI a unit of the model: a megapixel-step (1,000,000 pixels drawn for one step), or a megabyte of text [default: 0]
    #[arg(long, value_name = "CAI", env = "CUCKOO_LEAST_PRICE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_price: Option<String>,
    /// Tasks to work on at once; each slot loads all models for itself [default: 1]
    #[arg(long, value_name = "N", env = "CUCKOO_SLOTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Tasks of one model, size, number of steps and scheduler that a slot draws as one batch, if it has so many at hand; it
    /// never waits for more. Best on a GPU [default: 1]
    #[arg(long, value_name = "N", env = "CUCKOO_BATCH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// MiB of GPU memory that each network of a slot's models may take [default: what the GPU has]
    #[arg(long, value_name = "MIB", env = "CUCKOO_GPU_MEMORY_MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_memory_mib: Option<u32>,
    /// Collect a coordinator's voucher on chain once so much of it is uncollected, in CAI [default: 1]
    #[arg(long, value_name = "CAI", env = "CUCKOO_COLLECT_AT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_at: Option<String>,
    /// CAI that a coordinator may owe beyond what its channel holds: above that nothing more is claimed from it until it has funded the
    /// channel. What is in work then comes on top [default: 100]
    #[arg(long, value_name = "CAI", env = "CUCKOO_CREDIT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
    /// Hours for which traces are kept after an offer's expiry; longer if a result can still be challenged then [default: 30]
    #[arg(long, value_name = "HOURS", env = "CUCKOO_TRACE_HOURS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_hours: Option<u32>,
    /// GiB of traces at which no more work is claimed; none that may still be asked for is dropped [default: 20]
    #[arg(long, value_name = "GIB", env = "CUCKOO_TRACE_CAP_GIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_cap_gib: Option<u32>,
    /// Do not serve on juries. A juror that is drawn earns a share of the jury fee and loses nothing by staying away
    #[arg(long, env = "CUCKOO_NO_JURY")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_jury: bool,
    /// Do not check other miners' work for coordinators that have it checked. It is paid like work, and computed beside the slots, with a
    /// copy of the model of its own
    #[arg(long, env = "CUCKOO_NO_CHECKS")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_checks: bool,
    /// URL below which a mirror of drand has the rounds that draw juries: URL/N. Several are tried in this order [default: evmnet's
    /// public mirrors]
    #[arg(long, value_name = "URL", env = "CUCKOO_DRAND_URL", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drand_url: Vec<Url>,
    /// Address to serve /metrics (Prometheus), /healthz and /readyz on [default: none]
    #[arg(long, value_name = "ADDR", env = "CUCKOO_METRICS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
}

/// All settings as they were written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    rpc_url: Vec<Url>,
    deployment: Option<PathBuf>,
    keystore: Option<PathBuf>,
    password_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    #[serde(default)]
    model: Vec<PathBuf>,
    device: String,
    threads: usize,
    onnxruntime: Option<PathBuf>,
    least_price: String,
    slots: u32,
    batch: u32,
    gpu_memory_mib: Option<u32>,
    collect_at: String,
    credit: String,
    trace_hours: u32,
    trace_cap_gib: u32,
    #[serde(default)]
    no_jury: bool,
    #[serde(default)]
    no_checks: bool,
    drand_url: Vec<Url>,
    metrics: Option<SocketAddr>,
}

/// Checked settings. What only `run` needs may be absent.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Settings {
    pub rpc_urls: Vec<Url>,
    deployment: Option<PathBuf>,
    keystore: Option<PathBuf>,
    password_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    pub models: Vec<PathBuf>,
    pub device: Device,
    pub onnxruntime: Option<PathBuf>,
    /// Wei a pricing unit.
    pub least_price: U256,
    pub slots: u32,
    /// Tasks that a slot may run at once.
    pub batch: u32,
    /// Wei.
    pub collect_at: U256,
    /// Wei.
    pub credit: U256,
    pub trace_seconds: u64,
    /// Bytes.
    pub trace_cap: u64,
    pub no_jury: bool,
    pub no_checks: bool,
    /// Never empty.
    pub drand_urls: Vec<Url>,
    pub metrics: Option<SocketAddr>,
}

impl Flags {
    /// Merges file, environment and flags; the environment is among the flags already.
    ///
    /// # Errors
    /// The first setting that is unknown or malformed.
    pub fn load(&self) -> Result<Settings> {
        let defaults = Self {
            device: Some("cpu".to_owned()),
            threads: Some(0),
            least_price: Some("0".to_owned()),
            slots: Some(1),
            batch: Some(1),
            collect_at: Some("1".to_owned()),
            credit: Some("100".to_owned()),
            trace_hours: Some(30),
            trace_cap_gib: Some(20),
            drand_url: MIRRORS.iter().filter_map(|url| url.parse().ok()).collect(),
            ..Self::default()
        };
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if let Some(path) = &self.config {
            ensure!(path.is_file(), "there is no config file {}", path.display());
            figment = figment.merge(Toml::file_exact(path));
        }
        let raw: Raw = figment.merge(Serialized::defaults(self)).extract().context("the settings cannot be used")?;
        raw.check()
    }
}

impl Raw {
    fn check(self) -> Result<Settings> {
        ensure!(!self.model.is_empty(), "--model is needed: the folder of a model package to run");
        ensure!(!self.drand_url.is_empty(), "--drand-url names no mirror: leave it away to use drand's public ones");
        ensure!((1..=MAX_SLOTS).contains(&self.slots), "--slots must lie between 1 and {MAX_SLOTS}");
        let most = MAX_SLOTS / self.slots;
        ensure!((1..=most).contains(&self.batch), "--batch must lie between 1 and {most} with --slots {}", self.slots);
        let amount = |flag: &str, text: &str| parse_cai(text).map_err(|e| anyhow::anyhow!("{flag}: {e}"));
        Ok(Settings {
            least_price: amount("--least-price", &self.least_price)?,
            collect_at: amount("--collect-at", &self.collect_at)?,
            credit: amount("--credit", &self.credit)?,
            device: device(&self.device, self.threads, self.gpu_memory_mib)?,
            rpc_urls: self.rpc_url,
            deployment: self.deployment,
            keystore: self.keystore,
            password_file: self.password_file,
            data_dir: self.data_dir,
            models: self.model,
            onnxruntime: self.onnxruntime,
            slots: self.slots,
            batch: self.batch,
            trace_seconds: u64::from(self.trace_hours) * 3600,
            trace_cap: u64::from(self.trace_cap_gib) << 30,
            no_jury: self.no_jury,
            no_checks: self.no_checks,
            drand_urls: self.drand_url,
            metrics: self.metrics,
        })
    }
}

impl Settings {
    /// The data folder.
    ///
    /// # Errors
    /// When none is set.
    pub fn data_dir(&self) -> Result<PathBuf> {
        self.data_dir.clone().context("--data-dir is needed: a folder for what must not be lost")
    }

    /// Reads the deployment file.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn deployment(&self) -> Result<Deployment> {
        let path = self.deployment.as_ref().context("--deployment is needed: deployments/<chainid>.json")?;
        read_deployment(path)
    }

    /// Opens the node's keystore.
    ///
    /// # Errors
    /// When it or its password is missing or wrong.
    pub fn node(&self) -> Result<PrivateKeySigner> {
        let path = self.keystore.as_ref().context("--keystore is needed: make one with `miner-agent key new`")?;
        let password = keystore::read_password(self.password_file.as_deref())?;
        Ok(keystore::load(path, &password)?)
    }
}

/// The device that `--device`, `--threads` and `--gpu-memory-mib` name.
pub(crate) fn device(name: &str, threads: usize, memory_mib: Option<u32>) -> Result<Device> {
    if name == "cpu" {
        ensure!(memory_mib.is_none(), "--gpu-memory-mib is for --device cuda");
        return Ok(Device::Cpu { threads });
    }
    let id = match name.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|id| id.parse().ok()),
        None => None,
    };
    let id: u8 = id.with_context(|| format!("--device {name:?} is unknown: want cpu, cuda or cuda:N"))?;
    ensure!(threads == 0, "--threads is for --device cpu");
    ensure!(memory_mib != Some(0), "--gpu-memory-mib must be more than 0");
    let memory_limit = memory_mib.map(|mib| (mib as usize) << 20);
    Ok(Device::Cuda { id: i32::from(id), memory_limit, feeding: Feeding::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use figment::Jail;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    fn load(arguments: &[&str]) -> Result<Settings> {
        Cli::try_parse_from([&["miner-agent"], arguments].concat())?.flags.load()
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "figment's own error type")]
    fn the_manuals_example_is_a_config() {
        let manual = include_str!("../../../docs/operators.md");
        let example = manual.split("```").find(|block| block.starts_with("toml\n# miner.toml")).unwrap();
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("miner.toml", example.trim_start_matches("toml"))?;
            let settings = load(&["--config", "miner.toml"]).unwrap();
            assert_eq!(settings.least_price, parse_cai("0.5").unwrap());
            assert!(settings.deployment().is_err_and(|e| format!("{e:#}").contains("deployments/1210.json")));
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "figment's own error type")]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("miner.toml", "slots = 2\ncollect_at = \"2\"\nleast_price = \"2\"\nmodel = [\"file\"]\n")?;
            let file = load(&["--config", "miner.toml"]).unwrap();
            assert_eq!((file.slots, file.models), (2, vec!["file".into()]));
            assert_eq!(file.collect_at, parse_cai("2").unwrap());
            assert_eq!(file.trace_seconds, 30 * 3600, "what is set nowhere has its default");

            jail.set_env("CUCKOO_COLLECT_AT", "3");
            jail.set_env("CUCKOO_LEAST_PRICE", "3");
            jail.set_env("CUCKOO_MODEL", "a,b");
            let mixed = load(&["--config", "miner.toml", "--least-price", "4", "--device", "cuda:1"]).unwrap();
            assert_eq!(mixed.slots, 2);
            assert_eq!(mixed.collect_at, parse_cai("3").unwrap());
            assert_eq!(mixed.least_price, parse_cai("4").unwrap());
            assert_eq!(mixed.models, [PathBuf::from("a"), "b".into()]);
            assert_eq!(mixed.device, Device::Cuda { id: 1, memory_limit: None, feeding: Feeding::default() });
            let limited = load(&["--model", "c", "--device", "cuda", "--gpu-memory-mib", "4096"]).unwrap();
            let four_gib = Device::Cuda { id: 0, memory_limit: Some(4 << 30), feeding: Feeding::default() };
            assert_eq!((limited.device, limited.batch), (four_gib, 1));
            assert_eq!(load(&["--model", "c"]).unwrap().models, [PathBuf::from("c")]);
            assert!(!mixed.no_jury);
            assert_eq!(mixed.drand_urls.len(), MIRRORS.len());
            jail.set_env("CUCKOO_DRAND_URL", "http://a/,http://b/rounds");
            let mirrors = load(&["--model", "c"]).unwrap().drand_urls;
            assert_eq!(mirrors.iter().map(Url::as_str).collect::<Vec<_>>(), ["http://a/", "http://b/rounds"]);
            assert!(load(&["--model", "c", "--no-jury"]).unwrap().no_jury);
            jail.create_file("absent.toml", "no_jury = true\nmodel = [\"file\"]\n")?;
            assert!(load(&["--config", "absent.toml"]).unwrap().no_jury);
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err, reason = "figment's own error type")]
    fn what_cannot_be_meant_is_refused_with_its_name() {
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("typo.toml", "slotz = 2\n")?;
            jail.create_file("silent.toml", "drand_url = []\n")?;
            for (arguments, named) in [
                (&["--model", "m", "--slots", "0"][..], "--slots"),
                (&["--model", "m", "--batch", "0"], "--batch"),
                (&["--model", "m", "--batch", "33", "--slots", "2"], "--batch must lie between 1 and 32"),
                (&["--model", "m", "--gpu-memory-mib", "1"], "--gpu-memory-mib is for --device cuda"),
                (&["--model", "m", "--device", "cuda", "--gpu-memory-mib", "0"], "--gpu-memory-mib"),
                (&["--model", "m", "--device", "gpu"], "--device"),
                (&["--model", "m", "--device", "cuda", "--threads", "2"], "--threads"),
                (&["--model", "m", "--least-price", "1e3"], "--least-price"),
                (&["--model", "m", "--config", "typo.toml"], "slotz"),
                (&["--model", "m", "--config", "none.toml"], "none.toml"),
                (&["--model", "m", "--config", "silent.toml"], "--drand-url"),
                (&[], "--model"),
            ] {
                let error = format!("{:#}", load(arguments).unwrap_err());
                assert!(error.contains(named), "{error}");
            }
            Ok(())
        });
    }
}
