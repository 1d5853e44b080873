//! Settings of `coordinator-agent run`: a TOML file, then the environment, then flags; later ones win.

use alloy::primitives::{B256, U256};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use cuckoo_chain::beacon::MIRRORS;
use cuckoo_protocol::amount::parse_cai;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IntoDeserializer};
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf};
use url::Url;

/// Flags of `run`. Each may also stand in the config file under its name with underscores (`rpc_url = ["http://…"]`), or in the
/// environment with the prefix CUCKOO_ (`CUCKOO_DATA_DIR=/var/lib/cuckoo`, lists with commas).
#[derive(Args, Debug, Default, Serialize)]
pub struct Flags {
    /// TOML file with any of these settings
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// RPC URL of the chain; give several to fail over in this order
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rpc_url: Vec<Url>,
    /// The network's contracts, as the deployment script wrote them: deployments/<chainid>.json
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<PathBuf>,
    /// Encrypted keystore of the node key (see `key new`)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore: Option<PathBuf>,
    /// File with the keystore's password; else CUCKOO_PASSWORD is read
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<PathBuf>,
    /// Folder for the database, pictures and the transaction journal
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Address to serve apps and miners on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// URL under which miners reach this agent, as registered on chain; logins are bound to it [default: http://<listen>]
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Url>,
    /// Folder of a model to offer work for. Only its cuckoo.json is needed; the files beside it are what miners without the
    /// model can fetch. Repeatable
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model: Vec<PathBuf>,
    /// What a unit of a model pays, in CAI: a megapixel-step of a picture, a megabyte of text [default: 1]
    #[arg(long, value_name = "CAI")]
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    /// What a unit of one model pays instead, by the model's name. Repeatable; in the config file a table [prices], in the environment
    /// CUCKOO_PRICES={name="2"}
    #[arg(long = "model-price", value_name = "MODEL=CAI", value_parser = model_price)]
    #[serde(serialize_with = "as_table", skip_serializing_if = "Vec::is_empty")]
    prices: Vec<(String, String)>,
    /// CAI to keep ahead of what each working miner may collect on chain [default: 50]
    #[arg(long, value_name = "CAI")]
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_target: Option<String>,
    /// SHA-256 (hex) of an API key that apps may use (see `key api`). Repeatable; without any, only loopback may be listened on
    #[arg(long, value_name = "HEX")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    api_key_hash: Vec<String>,
    /// Seconds without a sign of life after which a task is offered to another miner [default: 30]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    /// Seconds for which an offer binds; a lease cannot outlive it [default: 600]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_seconds: Option<u64>,
    /// Tasks that may wait before apps are told to come back later [default: 1000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_limit: Option<usize>,
    /// Share of results, 0 to 1, whose whole computation is run again before they are paid; of newcomers more. 0 trusts all miners,
    /// and needs no ONNX Runtime [default: 0.05]
    #[arg(long, value_name = "SHARE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_rate: Option<f64>,
    /// Who runs audited results again: `local`, this agent, with the model and ONNX Runtime; or `miners`, of other operators than the
    /// one that is audited, paid like work [default: local]
    #[arg(long, value_name = "WHO", value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_by: Option<AuditBy>,
    /// CPU threads for audits [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_threads: Option<usize>,
    /// ONNX Runtime's shared library, for audits; else ORT_DYLIB_PATH is read
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    onnxruntime: Option<PathBuf>,
    /// URL below which a mirror of drand has the rounds that draw juries: URL/N. Several are tried in this order [default: evmnet's
    /// public mirrors]
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drand_url: Vec<Url>,
    /// Address to serve Prometheus metrics on [default: none]
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<SocketAddr>,
}

/// Who runs audited results again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum AuditBy {
    /// This agent.
    Local,
    /// Miners of other operators than the audited one.
    Miners,
}

/// All settings, before amounts and hashes are parsed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(deserialize_with = "one_or_many")]
    rpc_url: Vec<Url>,
    deployment: PathBuf,
    keystore: PathBuf,
    password_file: Option<PathBuf>,
    data_dir: PathBuf,
    listen: SocketAddr,
    origin: Option<Url>,
    #[serde(deserialize_with = "one_or_many")]
    model: Vec<PathBuf>,
    #[serde(deserialize_with = "amount_text")]
    price: String,
    #[serde(default)]
    prices: BTreeMap<String, Amount>,
    #[serde(deserialize_with = "amount_text")]
    channel_target: String,
    #[serde(default, deserialize_with = "one_or_many")]
    api_key_hash: Vec<String>,
    lease_seconds: u64,
    offer_seconds: u64,
    queue_limit: usize,
    audit_rate: f64,
    audit_by: AuditBy,
    audit_threads: usize,
    onnxruntime: Option<PathBuf>,
    #[serde(deserialize_with = "one_or_many")]
    drand_url: Vec<Url>,
    metrics: Option<SocketAddr>,
}

/// Lets a repeatable setting stand as one text with commas, which is how the environment gives it.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<String>),
        One(String),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(texts) => texts,
        OneOrMany::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
    };
    texts.into_iter().map(|text| T::deserialize(text.into_deserializer())).collect()
}

/// `MODEL=CAI`.
fn model_price(text: &str) -> Result<(String, String), String> {
    let (model, price) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is no price of a model: write MODEL=CAI"))?;
    Ok((model.to_owned(), price.to_owned()))
}

/// Flags in the form that the config file has.
fn as_table<S: Serializer>(prices: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(prices.iter().map(|(model, price)| (model, price)))
}

/// An amount as text. The environment makes a number of what looks like one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Text(String),
    Whole(u64),
    Number(f64),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

fn amount_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Amount::deserialize(deserializer).map(|amount| amount.to_string())
}

/// What is used where nothing was said.
#[derive(Serialize)]
struct Defaults {
    listen: &'static str,
    price: &'static str,
    channel_target: &'static str,
    lease_seconds: u64,
    offer_seconds: u64,
    queue_limit: usize,
    audit_rate: f64,
    audit_by: AuditBy,
    audit_threads: usize,
    drand_url: [&'static str; MIRRORS.len()],
}

/// Checked settings.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Config {
    pub rpc_urls: Vec<Url>,
    pub deployment: PathBuf,
    pub keystore: PathBuf,
    pub password_file: Option<PathBuf>,
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub origin: String,
    pub models: Vec<PathBuf>,
    /// Wei a pricing unit, of models that have no price of their own.
    pub price: U256,
    /// Wei a pricing unit, by the model's name.
    pub prices: BTreeMap<String, U256>,
    /// Wei.
    pub channel_target: U256,
    pub api_key_hashes: Vec<B256>,
    pub lease_seconds: u64,
    pub offer_seconds: u64,
    pub queue_limit: usize,
    /// 0 to 1; 0 means no audits.
    pub audit_rate: f64,
    pub audit_by: AuditBy,
    pub audit_threads: usize,
    pub onnxruntime: Option<PathBuf>,
    /// Never empty.
    pub drand_urls: Vec<Url>,
    pub metrics: Option<SocketAddr>,
}

impl Config {
    /// Whether a result cannot be audited if its request has input pictures: checkers are not given any, so a fake would be paid.
    pub fn checks_lack_pictures(&self) -> bool {
        self.audit_by == AuditBy::Miners && self.audit_rate > 0.0
    }
}

impl Flags {
    /// Merges file, environment and flags.
    ///
    /// # Errors
    /// The first setting that is missing or malformed, and where it came from.
    pub fn load(self) -> Result<Config> {
        let defaults = Defaults {
            listen: "127.0.0.1:8080",
            price: "1",
            channel_target: "50",
            lease_seconds: 30,
            offer_seconds: 600,
            queue_limit: 1000,
            audit_rate: 0.05,
            audit_by: AuditBy::Local,
            audit_threads: 1,
            drand_url: MIRRORS,
        };
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if let Some(path) = &self.config {
            ensure!(path.is_file(), "there is no config file {}", path.display());
            figment = figment.merge(Toml::file_exact(path));
        }
        // The password is the keystore's business, and must not end up in a dump of the settings.
        let environment = Env::prefixed("CUCKOO_").ignore(&["password"]);
        let raw: Raw = figment
            .merge(environment)
            .merge(Serialized::defaults(self))
            .extract()
            .context("the settings are incomplete: give each as a flag, in CUCKOO_<FLAG> or in the config file")?;
        raw.check()
    }
}

impl Raw {
    fn check(self) -> Result<Config> {
        ensure!(!self.rpc_url.is_empty(), "--rpc-url is needed: where the chain is");
        ensure!(!self.model.is_empty(), "--model is needed: the folder of a model to offer work for");
        if self.api_key_hash.is_empty() && !self.listen.ip().is_loopback() {
            bail!("--api-key-hash is needed when listening on {}: anybody could spend your CAI", self.listen);
        }
        ensure!(
            (1..=3600).contains(&self.lease_seconds) && self.lease_seconds <= self.offer_seconds,
            "--lease-seconds must lie between 1 and 3600 and not exceed --offer-seconds"
        );
        ensure!(!self.drand_url.is_empty(), "--drand-url names no mirror: leave it away to use drand's public ones");
        ensure!((0.0..=1.0).contains(&self.audit_rate), "--audit-rate must lie between 0 and 1");
        ensure!((1..=256).contains(&self.audit_threads), "--audit-threads must lie between 1 and 256");
        let amount = |flag: &str, text: &str| parse_cai(text).map_err(|e| anyhow::anyhow!("{flag}: {e}"));
        let priced = |(model, price): (&String, &Amount)| {
            Ok((model.clone(), amount(&format!("--model-price {model}"), &price.to_string())?))
        };
        let hash = |text: &String| {
            text.parse::<B256>().with_context(|| format!("--api-key-hash: {text:?} is no SHA-256 in hex"))
        };
        let origin = match self.origin {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("http://{}", self.listen),
        };
        Ok(Config {
            price: amount("--price", &self.price)?,
            prices: self.prices.iter().map(priced).collect::<Result<_>>()?,
            channel_target: amount("--channel-target", &self.channel_target)?,
            api_key_hashes: self.api_key_hash.iter().map(hash).collect::<Result<_>>()?,
            rpc_urls: self.rpc_url,
            deployment: self.deployment,
            keystore: self.keystore,
            password_file: self.password_file,
            data_dir: self.data_dir,
            listen: self.listen,
            origin,
            models: self.model,
            lease_seconds: self.lease_seconds,
            offer_seconds: self.offer_seconds,
            queue_limit: self.queue_limit,
            audit_rate: self.audit_rate,
            audit_by: self.audit_by,
            audit_threads: self.audit_threads,
            onnxruntime: self.onnxruntime,
            drand_urls: self.drand_url,
            metrics: self.metrics,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, FromArgMatches, Parser};
    use figment::Jail;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    const FILE: &str = r#"
        rpc_url = ["http://file:1", "http://file:2"]
        deployment = "d.json"
        keystore = "k.json"
        data_dir = "file"
        model = "m"
        price = "2"
        lease_seconds = 5
    "#;

    fn load(arguments: &[&str]) -> Result<Config> {
        let matches = Cli::command().get_matches_from([&["x", "--config", "c.toml"], arguments].concat());
        Cli::from_arg_matches(&matches).unwrap().flags.load()
    }

    #[test]
    #[allow(clippy::result_large_err)]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        Jail::expect_with(|jail| {
            jail.create_file("c.toml", FILE)?;
            let config = load(&[]).unwrap();
            assert_eq!((config.rpc_urls.len(), config.price, config.lease_seconds), (2, parse_cai("2").unwrap(), 5));
            assert_eq!(config.origin, "http://127.0.0.1:8080");

            assert_eq!(config.drand_urls.len(), MIRRORS.len());
            assert_eq!(config.audit_by, AuditBy::Local);
            assert_eq!(load(&["--audit-by", "miners"]).unwrap().audit_by, AuditBy::Miners);

            jail.set_env("CUCKOO_DRAND_URL", "http://a/,http://b/rounds");
            jail.set_env("CUCKOO_DATA_DIR", "environment");
            jail.set_env("CUCKOO_RPC_URL", "http://environment:1, http://environment:2");
            jail.set_env("CUCKOO_PASSWORD", "not a setting");
            let config = load(&["--data-dir", "flag"]).unwrap();
            assert_eq!(config.drand_urls.iter().map(Url::as_str).collect::<Vec<_>>(), ["http://a/", "http://b/rounds"]);
            assert_eq!((config.rpc_urls[1].as_str(), config.data_dir), ("http://environment:2/", "flag".into()));
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err)]
    fn a_model_may_have_a_price_of_its_own() {
        Jail::expect_with(|jail| {
            let cai = |text: &str| parse_cai(text).unwrap();
            jail.create_file("c.toml", &format!("{FILE}\n[prices]\n\"a.b\" = \"0.5\"\nc = 7"))?;
            let prices = |pairs: &[(&str, &str)]| -> BTreeMap<String, U256> {
                pairs.iter().map(|(model, price)| ((*model).to_owned(), cai(price))).collect()
            };
            assert_eq!(load(&[]).unwrap().prices, prices(&[("a.b", "0.5"), ("c", "7")]));
            let flags = load(&["--model-price", "c=9", "--model-price", "d=e=0.1"]).unwrap();
            assert_eq!(flags.prices, prices(&[("a.b", "0.5"), ("c", "9"), ("d=e", "0.1")]));
            jail.set_env("CUCKOO_PRICES", r#"{c="8"}"#);
            jail.set_env("CUCKOO_PRICE", "3");
            jail.set_env("CUCKOO_CHANNEL_TARGET", "0.25");
            let config = load(&[]).unwrap();
            assert_eq!(config.prices, prices(&[("a.b", "0.5"), ("c", "8")]));
            assert_eq!((config.price, config.channel_target), (cai("3"), cai("0.25")));
            Ok(())
        });
    }

    #[test]
    #[allow(clippy::result_large_err)]
    fn bad_settings_are_refused_with_what_to_do() {
        Jail::expect_with(|jail| {
            jail.create_file("c.toml", FILE)?;
            for (arguments, says) in [
                (&["--price", "cheap"][..], "--price"),
                (&["--model-price", "a=cheap"], "--model-price a"),
                (&["--listen", "0.0.0.0:8080"], "--api-key-hash is needed"),
                (&["--api-key-hash", "secret"], "--api-key-hash"),
                (&["--lease-seconds", "900"], "--lease-seconds"),
                (&["--audit-rate", "5"], "--audit-rate"),
                (&["--audit-rate", "nan"], "--audit-rate"),
            ] {
                let error = format!("{:#}", load(arguments).unwrap_err());
                assert!(error.contains(says), "{error}");
            }
            jail.create_file("c.toml", &format!("{FILE}\nsilly = 1"))?;
            assert!(format!("{:#}", load(&[]).unwrap_err()).contains("silly"));
            jail.create_file("c.toml", "price = \"1\"")?;
            assert!(format!("{:#}", load(&[]).unwrap_err()).contains("rpc_url"));
            Ok(())
        });
    }
}
