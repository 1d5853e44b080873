//! `miner-agent model fetch ID`: gets a package from a coordinator that offers work for it. Nobody is trusted: the modelId binds
//! the manifest, and the manifest every byte.

mod file;
mod source;

pub use source::{FetchError, Source};

use crate::link::Coordinator;
use alloy::primitives::B256;
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use cuckoo_chain::{Chain, command::read_deployment, view};
use cuckoo_inference::Package;
use cuckoo_protocol::{contracts::Role, manifest::Manifest};
use serde_json::json;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Arguments.
#[derive(Args)]
pub struct Fetch {
    /// modelId of the package: 0x and 64 hex digits, as GET /v1/models of a coordinator shows it
    #[arg(value_name = "ID")]
    id: B256,
    /// Folder to put the package in; must not exist [default: one in the working directory, named as the modelId]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Coordinator to fetch from; without, those registered on chain are asked in turn. Repeatable
    #[arg(long, value_name = "URL")]
    from: Vec<Url>,
    /// RPC URL of the chain; give several to fail over in this order
    #[arg(long, value_name = "URL", env = "CUCKOO_RPC_URL", hide_env_values = true, value_delimiter = ',')]
    rpc_url: Vec<Url>,
    /// The network's contracts: deployments/<chainid>.json
    #[arg(long, value_name = "FILE", env = "CUCKOO_DEPLOYMENT")]
    deployment: Option<PathBuf>,
    /// Refuse packages of more GiB than this
    #[arg(long, value_name = "GIB", default_value_t = 40)]
    limit_gib: u32,
}

impl Fetch {
    /// Fetches the package and prints where it is.
    ///
    /// # Errors
    /// Why none of the coordinators gave it.
    pub async fn execute(self) -> Result<ExitCode> {
        let to = self.to.clone().unwrap_or_else(|| self.id.to_string().into());
        let sources = if self.from.is_empty() { self.coordinators().await? } else { self.from.clone() };
        let manifest = fetch(self.id, &sources, &to, u64::from(self.limit_gib) << 30).await?;
        println!("{}", json!({ "model_id": self.id, "name": manifest.name, "dir": to.canonicalize().unwrap_or(to) }));
        Ok(ExitCode::SUCCESS)
    }

    /// The endpoints of the active coordinators, those with most stake first.
    async fn coordinators(&self) -> Result<Vec<Url>> {
        let deployment = self.deployment.as_ref().filter(|_| !self.rpc_url.is_empty());
        let deployment = deployment
            .context("give --from URL of a coordinator, or --rpc-url and --deployment to find them on chain")?;
        let shutdown = CancellationToken::new();
        let _guard = shutdown.clone().drop_guard();
        let chain = Chain::connect(self.rpc_url.clone(), read_deployment(deployment)?, shutdown.clone()).await?;
        let snapshot = view::follow(&chain, shutdown).await?.snapshot();
        let mut active: Vec<_> = snapshot.active(Role::Coordinator).collect();
        active.sort_by_key(|operator| std::cmp::Reverse(operator.weight));
        let reachable = |operator: &&cuckoo_chain::view::Operator| {
            Coordinator::new(operator.operator, operator.node, &operator.endpoint).ok().map(|known| known.endpoint)
        };
        let endpoints: Vec<Url> = active.iter().filter_map(reachable).collect();
        ensure!(!endpoints.is_empty(), "no coordinator is active on chain: give one with --from URL");
        Ok(endpoints)
    }
}

/// Fetches the package `id` into the folder `to` from the first of `sources` that gives it. What arrived before an interruption lies
/// beside it in `to`.part, and is not fetched again.
///
/// # Errors
/// Why each of the sources did not give it, or why it cannot be kept.
pub async fn fetch(id: B256, sources: &[Url], to: &Path, limit: u64) -> Result<Manifest> {
    ensure!(
        !to.exists(),
        "{} exists: check it with `miner-agent model check`, or name another with --to",
        to.display()
    );
    let name = to.file_name().with_context(|| format!("--to {} names no folder", to.display()))?;
    let part = to.with_file_name([name, "part".as_ref()].join(".".as_ref()));
    let cannot = || format!("cannot write {}", part.display());
    fs::create_dir_all(&part).with_context(cannot)?;
    let lock = File::open(&part).with_context(cannot)?;
    lock.try_lock().with_context(|| format!("{} is being fetched into already", part.display()))?;

    let mut failures = Vec::new();
    for source in sources {
        match Source::new(source.clone(), id, limit)?.fetch(&part).await {
            Ok(()) => {
                let folder = part.clone();
                let opened = tokio::task::spawn_blocking(move || Package::open(folder)).await?;
                let package = opened.map_err(|e| anyhow!("the package is whole, but of no use here: {e}"))?;
                fs::rename(&part, to)
                    .with_context(|| format!("cannot rename {} to {}", part.display(), to.display()))?;
                return Ok(package.manifest().clone());
            }
            Err(error @ FetchError::Disk { .. }) => return Err(anyhow!("{error}")),
            Err(error) => failures.push(format!("{source}: {error}")),
        }
    }
    bail!("no coordinator gave {id}: {}", failures.join("; "))
}
