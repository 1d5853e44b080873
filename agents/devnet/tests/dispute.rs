//! A false accusation, with the real programs: the accused answers, the jurors judge and are paid, and none needs a human, however often
//! they are killed.

use alloy::{
    eips::BlockId,
    network::EthereumWallet,
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Filter, Log, TransactionRequest},
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_devnet::{
    account, anvil::Anvil, app::prompt, network::Network, plan::Plan, site::Site, stock, toolchain::Toolchain, until,
};
use cuckoo_protocol::{
    contracts::{
        ICAI,
        IDisputes::{self, Phase, Verdict},
    },
    deployment::Deployment,
    dispute::no_tile,
    manifest::Manifest,
    receipt::Receipt,
    request::Request,
};
use serde_json::json;
use std::{fs, time::Duration};

const PATIENCE: Duration = Duration::from_secs(90);
const NATIVE: &str = "0x56bc75e2d63100000";

#[tokio::test]
async fn accused_and_jurors_need_no_human_and_survive_kill_9() -> Result<()> {
    let plan = Plan::private(&Toolchain::find()?, "dispute")?;
    let toolchain = Toolchain::find()?;
    let lock = plan.prepare(&toolchain)?;
    let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
    let site = Site::deploy(plan, toolchain, anvil, lock).await?;
    let crew = site.enrol().await?;
    govern(&site).await?;
    let mut network = Network::start(site, crew).await?;

    let picture = network.app.generate(&prompt(&network.site.plan.model, "a red apple")).await?;
    let accused = picture.receipt.offer.message.miner;
    let at = network.crew.miners.iter().position(|miner| miner.address() == accused).context("a stranger's picture")?;
    network.miners[at].kill();
    let id = accuse(&network, &picture.receipt, 1).await?;
    network.miners[at] = network.site.start_miner(&network.crew.miners[at])?;

    // Both other miners commit; they are killed before they can reveal.
    let (provider, deployment) = (network.site.anvil.provider(), network.site.deployment.clone());
    until("both jurors to commit", PATIENCE, async || {
        let committed = events::<IDisputes::Committed>(&provider, &deployment, id).await?;
        Ok((committed.len() == 2).then_some(()))
    })
    .await
    .map_err(|error| error.context(network.miners.iter().map(|miner| miner.tail()).collect::<Vec<_>>().join("\n\n")))?;
    for juror in (0..network.miners.len()).filter(|juror| *juror != at) {
        network.miners[juror].kill();
        network.miners[juror] = network.site.start_miner(&network.crew.miners[juror])?;
    }
    let contract = IDisputes::new(deployment.contracts.disputes, &provider);
    until("the dispute to end", PATIENCE, async || {
        let phase = contract.dispute(id).call().await?.phase;
        Ok(matches!(phase, Phase::Convicted | Phase::Acquitted | Phase::Drawn).then_some(()))
    })
    .await?;
    let dispute = contract.dispute(id).call().await?;
    ensure!(dispute.phase == Phase::Acquitted, "{dispute:?}");
    let revealed = events::<IDisputes::Revealed>(&provider, &deployment, id).await?;
    ensure!(revealed.len() == 2 && revealed.iter().all(|vote| vote.verdict == Verdict::Innocent), "{revealed:?}");
    // The accuser's bond is the accused's, for its answer; of the fee nothing comes back.
    let bond = contract.parameters(U256::from(dispute.version)).call().await?.bond;
    let resolved = events::<IDisputes::Resolved>(&provider, &deployment, id).await?;
    let [end] = resolved.as_slice() else { bail!("it ended {} times", resolved.len()) };
    ensure!(end.toAccused >= U256::from(bond) && end.toChallenger.is_zero() && end.slashed.is_zero(), "{end:?}");
    until("both jurors to be paid", PATIENCE, async || {
        let claimed = events::<IDisputes::Claimed>(&provider, &deployment, id).await?;
        Ok((claimed.len() == 2).then_some(()))
    })
    .await?;
    network.wait_live().await?;
    network.stop().await
}

#[tokio::test]
async fn an_accused_opens_the_picture_that_its_request_came_with() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let model = stock::painter(&toolchain, "dispute-input")?.to_string_lossy().into_owned();
    let plan = Plan { model, ..Plan::private(&toolchain, "dispute-input")? };
    let lock = plan.prepare(&toolchain)?;
    let anvil = Anvil::start(&toolchain, &plan.folder, plan.rpc_port).await?;
    let site = Site::deploy(plan, toolchain, anvil, lock).await?;
    let crew = site.enrol().await?;
    govern(&site).await?;
    let network = Network::start(site, crew).await?;

    let picture = network.app.edit(&[stock::picture(7)?], &[("prompt", "a red apple".to_owned())]).await?;
    let request = Request::decode(&picture.receipt.request)?;
    ensure!(!request.blob_root.is_zero());
    // That the first state does not follow from the picture: both are opened, in two chunks each, and the jurors compare.
    let id = accuse(&network, &picture.receipt, 0).await?;
    let (provider, deployment) = (network.site.anvil.provider(), network.site.deployment.clone());
    let contract = IDisputes::new(deployment.contracts.disputes, &provider);
    until("the dispute to end", PATIENCE, async || {
        let phase = contract.dispute(id).call().await?.phase;
        Ok(matches!(phase, Phase::Convicted | Phase::Acquitted | Phase::Drawn).then_some(()))
    })
    .await
    .map_err(|error| error.context(network.miners.iter().map(|miner| miner.tail()).collect::<Vec<_>>().join("\n\n")))?;
    let dispute = contract.dispute(id).call().await?;
    ensure!(dispute.phase == Phase::Acquitted, "{dispute:?}");
    let revealed = events::<IDisputes::Revealed>(&provider, &deployment, id).await?;
    ensure!(revealed.len() == 2 && revealed.iter().all(|vote| vote.verdict == Verdict::Innocent), "{revealed:?}");
    network.stop().await
}

/// Lists the model, lets two jurors suffice, and lets the epochs pass after which stake counts on juries.
async fn govern(site: &Site) -> Result<()> {
    let (provider, contracts) = (site.anvil.provider(), site.deployment.contracts);
    let manifest = Manifest::parse(&fs::read(site.toolchain.model(&site.plan.model)?.join("cuckoo.json"))?)?;
    let contract = IDisputes::new(contracts.disputes, &provider);
    let parameters_ = IDisputes::Parameters {
        minJurors: 2,
        answerWindow: 20,
        seedWindow: 8,
        commitWindow: 20,
        revealWindow: 20,
        rounds: 1,
        ..contract.parameters(U256::ZERO).call().await?
    };
    let calls = [
        IDisputes::setModelCall { modelId: manifest.model_id(), listed: true }.abi_encode(),
        IDisputes::setParametersCall { parameters_ }.abi_encode(),
    ];
    let rpc = async |method: &'static str, params| {
        provider.raw_request::<_, serde_json::Value>(method.into(), params).await.with_context(|| method)
    };
    rpc("anvil_impersonateAccount", json!([contracts.timelock])).await?;
    rpc("anvil_setBalance", json!([contracts.timelock, NATIVE])).await?;
    for call in calls {
        let request = TransactionRequest::default().from(contracts.timelock).to(contracts.disputes).input(call.into());
        let hash: B256 = serde_json::from_value(rpc("eth_sendTransaction", json!([request])).await?)?;
        until("the owner's transaction", PATIENCE, async || {
            let receipt = provider.get_transaction_receipt(hash).await?;
            ensure!(receipt.as_ref().is_none_or(|receipt| receipt.status()), "the owner's transaction failed");
            Ok(receipt.map(drop))
        })
        .await?;
    }
    rpc("evm_increaseTime", json!([180])).await?;
    rpc("anvil_mine", json!(["0x3"])).await.map(drop)
}

/// Accuses a transition of a result, with the treasury's CAI.
async fn accuse(network: &Network, receipt: &Receipt, transition: u32) -> Result<B256> {
    let (site, contracts) = (&network.site, network.site.deployment.contracts);
    let provider = ProviderBuilder::new()
        .wallet(EthereumWallet::from(account::signer(account::TREASURY)?))
        .connect_http(site.anvil.rpc_url.clone());
    let amount = U256::from(10).pow(U256::from(21));
    let cai = ICAI::new(contracts.cai, &provider);
    ensure!(cai.approve(contracts.disputes, amount).send().await?.get_receipt().await?.status());
    let contract = IDisputes::new(contracts.disputes, &provider);
    // An offer that binds for longer than the network's disputes allow can be disputed only near its end.
    let life = u64::from(contract.parameters(contract.currentVersion().call().await?).call().await?.maxOfferLife);
    let now = provider.get_block(BlockId::latest()).await?.context("no block")?.header.timestamp;
    let early = receipt.offer.message.expiry.saturating_sub(now + life);
    if early > 0 {
        provider.raw_request::<_, serde_json::Value>("evm_increaseTime".into(), json!([early + 1])).await?;
        provider.raw_request::<_, serde_json::Value>("anvil_mine".into(), json!(["0x1"])).await?;
    }
    let challenge = contract.challenge(
        receipt.offer.message.clone(),
        receipt.result.message.clone(),
        receipt.offer.signature_bytes().into(),
        receipt.result.signature_bytes().into(),
        receipt.request.clone(),
        U256::from(transition),
        no_tile(),
    );
    let mined = challenge.send().await?.get_receipt().await?;
    ensure!(mined.status(), "the challenge failed");
    let opened = mined.logs().iter().find_map(|log: &Log| log.log_decode::<IDisputes::Challenged>().ok());
    Ok(opened.context("no dispute was opened")?.inner.data.id)
}

async fn events<E: SolEvent>(provider: &DynProvider, deployment: &Deployment, id: B256) -> Result<Vec<E>> {
    let address: Address = deployment.contracts.disputes;
    let filter = Filter::new().address(address).event_signature(E::SIGNATURE_HASH).topic1(id);
    let logs = provider.get_logs(&filter.from_block(deployment.block)).await?;
    Ok(logs.iter().filter_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data).collect())
}
