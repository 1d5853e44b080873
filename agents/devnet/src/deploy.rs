//! Runs the deployment script.

use crate::{account, anvil::Anvil, process, toolchain::Toolchain};
use anyhow::{Context, Result};
use cuckoo_protocol::deployment::Deployment;
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::Duration,
};

/// A first run compiles the contracts.
const PATIENCE: Duration = Duration::from_secs(300);

/// Deploys every contract with `forge script`, which writes their addresses to `file`, and reads them from there.
///
/// # Errors
/// What forge printed, or if the file cannot be read.
pub async fn deploy(toolchain: &Toolchain, anvil: &Anvil, folder: &Path, file: &Path) -> Result<Deployment> {
    let treasury = account::signer(account::TREASURY)?.address();
    let mut command = Command::new(&toolchain.forge);
    command.current_dir(&toolchain.root).args(["script", "script/Deploy.s.sol", "--broadcast", "--unlocked"]);
    command.args(["--rpc-url", anvil.rpc_url.as_str(), "--sender", &treasury.to_string()]);
    // The script also reads these, which somebody may have exported for a testnet.
    command.env_remove("CONFIG").env_remove("TREASURY").env("DEPLOYMENT", file);
    // Each network keeps its own record of broadcasts.
    command.env("FOUNDRY_BROADCAST", folder.join("broadcast"));
    let parent = file.parent().context("the deployment file lies in no folder")?;
    fs::create_dir_all(parent)?;
    let _compiler = one_at_a_time(&toolchain.root)?;
    process::run("forge script script/Deploy.s.sol", command, PATIENCE).await?;
    let json = fs::read(file).with_context(|| format!("the script did not write {}", file.display()))?;
    serde_json::from_slice(&json).with_context(|| format!("{} is no deployment", file.display()))
}

/// Networks share the compiler's cache, so only one may compile at a time. Held until the file is dropped.
fn one_at_a_time(root: &Path) -> Result<File> {
    // Cargo may have been told to build elsewhere, so the folder need not be there.
    fs::create_dir_all(root.join("target"))?;
    let path = root.join("target/forge.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock()?;
    Ok(file)
}
