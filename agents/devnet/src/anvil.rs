//! The development chain.

use crate::{account::MNEMONIC, process::Process, toolchain::Toolchain, until};
use alloy::{
    eips::BlockId,
    providers::{DynProvider, Provider, ProviderBuilder},
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{net::TcpListener, path::Path, process::Command, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// EIP-155 id of every development chain.
pub const CHAIN_ID: u64 = 31337;

/// Between two blocks of a chain whose pace is set.
const BLOCK_PAUSE: Duration = Duration::from_millis(150);

/// A running anvil that mines blocks by the clock and finalises each two blocks later.
#[derive(Debug)]
pub struct Anvil {
    /// Its JSON-RPC endpoint.
    pub rpc_url: Url,
    process: Process,
}

impl Anvil {
    /// Starts a chain on `port` of the loopback interface that mines a block a second.
    ///
    /// # Errors
    /// If anvil ends or does not answer in time.
    pub async fn start(toolchain: &Toolchain, folder: &Path, port: u16) -> Result<Self> {
        Self::start_with(toolchain, folder, port, "1").await
    }

    /// As [`Self::start`], with a block each `seconds`, a decimal number.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(toolchain: &Toolchain, folder: &Path, port: u16, seconds: &str) -> Result<Self> {
        let mut command = Command::new(&toolchain.anvil);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--chain-id", &CHAIN_ID.to_string()]);
        // Two slots of a block each make a block final; by default 64 would.
        command.args(["--block-time", seconds, "--slots-in-an-epoch", "1", "--mnemonic", MNEMONIC, "--silent"]);
        let process = Process::spawn("anvil", command, folder.join("anvil.log"))?;
        let mut anvil = Self { rpc_url: format!("http://127.0.0.1:{port}").parse()?, process };
        let provider = anvil.provider();
        until("anvil to answer", Duration::from_secs(30), async || {
            anvil.process.check()?;
            Ok(provider.get_chain_id().await.ok())
        })
        .await?;
        Ok(anvil)
    }

    /// Reads the chain.
    pub fn provider(&self) -> DynProvider {
        ProviderBuilder::new().connect_http(self.rpc_url.clone()).erased()
    }

    /// Moves the chain's time ahead.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn leap(&self, time: Duration) -> Result<()> {
        let provider = self.provider();
        provider.raw_request::<_, Value>("evm_increaseTime".into(), json!([time.as_secs()])).await?;
        // Two more make the first one final.
        provider.raw_request::<_, Value>("anvil_mine".into(), json!(["0x3"])).await?;
        Ok(())
    }

    /// Has the chain's seconds last `second` from now on, as long as what is returned is kept, and its time stand still while `waits` says
    /// so of it (chain seconds). Blocks come one after another: anvil's own clock queues them when the machine is busy, each with the
    /// transactions of the moment at which it was due, so that a new transaction waits for all of them.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn pace(
        &self,
        second: Duration,
        waits: impl Fn(u64) -> bool + Send + 'static,
    ) -> Result<AbortOnDropHandle<()>> {
        let provider = self.provider();
        provider.raw_request::<_, Value>("evm_setIntervalMining".into(), json!([0])).await?;
        provider.raw_request::<_, Value>("anvil_setBlockTimestampInterval".into(), json!([0])).await?;
        let head = provider.get_block(BlockId::latest()).await?.context("the chain has no block")?;
        let (mut time, mut begun) = (head.header.timestamp, Instant::now());
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(BLOCK_PAUSE).await;
                if begun.elapsed() >= second && !waits(time) {
                    (time, begun) = (time + 1, Instant::now());
                    // A second that is missed is made up for by the next one, which is a later time.
                    let _ = provider.raw_request::<_, Value>("evm_setNextBlockTimestamp".into(), json!([time])).await;
                }
                // If the chain is gone, whoever uses it says so.
                let _ = provider.raw_request::<_, Value>("evm_mine".into(), json!([])).await;
            }
        })))
    }

    /// Fails if the chain has ended by itself.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Ends the chain.
    ///
    /// # Errors
    /// If it has ended by itself, or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop(Duration::from_secs(10)).await
    }
}

/// A port of the loopback interface that nothing listens on.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Fails if something listens on `port`: a client would talk to that instead.
///
/// # Errors
/// Says what most likely holds it.
pub fn check_free(port: u16, suspect: &str) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!("port {port} is held by {suspect}"),
        Err(error) => Err(error).with_context(|| format!("cannot listen on port {port}")),
    }
}
