//! Agents that were started too early, with too little, or at the wrong place: each says what to do, and goes on if it can.

use anyhow::{Result, ensure};
use cuckoo_devnet::{
    account,
    agent::ChainFlags,
    anvil::free_port,
    app::prompt,
    network::Network,
    operator::cai,
    plan::Plan,
    process::{self, Process},
    refusal::Refusal,
    rogue::Rogue,
    toolchain::Toolchain,
    until,
};
use cuckoo_protocol::message::Domain;
use std::{fs, time::Duration};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream};

const PATIENCE: Duration = Duration::from_secs(40);

#[tokio::test]
async fn an_agent_that_cannot_work_says_what_to_do() -> Result<()> {
    let mut plan = Plan::private(&Toolchain::find()?, "misconfigured")?;
    plan.miners.truncate(1);
    let mut network = Network::up(plan).await?;

    refuses_a_wrong_chain(&network).await?;
    refuses_a_wrong_password(&network).await?;

    // A miner that runs before it is registered waits, says so, and begins when it is. Its chain is down at first, too.
    let site = &network.site;
    let miner = site.newcomer("early", account::FIRST_SPARE).await?;
    let (port, rpc_port) = (free_port()?, site.plan.rpc_port);
    let mut flags = site.miner_flags(&miner)?;
    flags.chain.rpc_url = format!("http://127.0.0.1:{port}").parse()?;
    let command = flags.command(&site.miner_program());
    let mut agent = Process::spawn("early", command, site.plan.folder.join("early.log"))?;
    says(&mut agent, &["does not answer", "trying again"]).await?;
    let forwarder = tokio::spawn(forward(port, rpc_port));
    says(&mut agent, &["not registered"]).await?;

    let stake = cai(20_001)?;
    site.treasury.grant(&[(miner.address(), stake)]).await?;
    miner.stake(stake).await?;
    miner.register(&site.miner_program(), &site.chain(), None).await?;
    is_live(&network, miner.address(), true).await?;

    // It loses its stake: the coordinator gives it nothing more, and the miner is told how much it needs.
    let shares = site.ledger().shares(miner.address()).await?;
    miner.wallet.undelegate(miner.address(), shares / alloy::primitives::U256::from(2)).await?;
    is_live(&network, miner.address(), false).await?;
    says(&mut agent, &["needs more than 20000"]).await?;
    let model_id = network.app.model_id(&site.plan.model).await?;
    let mut by_hand = Rogue::new(&miner, &network.coordinator_url(), site.domain())?;
    let outcome = by_hand.login(model_id, &site.domain()).await;
    Refusal::expect("a login without stake", outcome)?.is(401, "understaked")?;
    agent.stop(Duration::from_secs(60)).await?;
    forwarder.abort();

    // Whoever never registered, and whoever signs for another chain, cannot log in.
    let stranger = site.newcomer("stranger", account::FIRST_SPARE + 1).await?;
    let mut stranger = Rogue::new(&stranger, &network.coordinator_url(), site.domain())?;
    let outcome = stranger.login(model_id, &site.domain()).await;
    Refusal::expect("a login of a stranger", outcome)?.is(401, "not_registered")?;
    let known = &network.crew.miners[0];
    let mut known = Rogue::new(known, &network.coordinator_url(), site.domain())?;
    let elsewhere = Domain::new(1, site.deployment.contracts.registry);
    let outcome = known.login(model_id, &elsewhere).await;
    let refusal = Refusal::expect("a login for another chain", outcome)?;
    ensure!(refusal.status.as_u16() == 401 && ["wrong_signer", "wrong_chain"].contains(&refusal.detail.code.as_str()));

    // Through all of this the network served.
    let picture = network.app.generate(&prompt(&network.site.plan.model, "a red apple")).await?;
    network.expectation.check("a red apple", &picture)?;
    network.check()?;
    network.stop().await
}

/// A deployment file of another chain than the RPC's: both agents end at once, with one sentence.
async fn refuses_a_wrong_chain(network: &Network) -> Result<()> {
    let site = &network.site;
    let mut deployment = site.deployment.clone();
    deployment.chain_id = 1;
    let file = site.plan.folder.join("wrong-chain.json");
    fs::write(&file, serde_json::to_vec(&deployment)?)?;
    let chain = ChainFlags { deployment: file, ..site.chain() };

    let mut miner = site.miner_flags(&network.crew.miners[0])?;
    (miner.chain, miner.data) = (chain.clone(), site.plan.folder.join("data/wrong-chain-miner"));
    let mut coordinator = network.coordinator_flags().clone();
    (coordinator.chain, coordinator.data) = (chain, site.plan.folder.join("data/wrong-chain-coordinator"));
    coordinator.port = free_port()?;
    for command in [miner.command(&site.miner_program()), coordinator.command(&site.coordinator_program())] {
        let sentence = fails(command).await?;
        ensure!(sentence.contains("31337"), "the error does not name the RPC's chain: {sentence}");
    }
    Ok(())
}

async fn refuses_a_wrong_password(network: &Network) -> Result<()> {
    let site = &network.site;
    let mut miner = site.miner_flags(&network.crew.miners[0])?;
    miner.key.password_file = network.crew.coordinator.node.password_file.clone();
    miner.data = site.plan.folder.join("data/wrong-password");
    let sentence = fails(miner.command(&site.miner_program())).await?;
    ensure!(sentence.contains("password"), "{sentence}");
    Ok(())
}

/// Runs a command that must fail by itself, and gives what it said last.
async fn fails(command: std::process::Command) -> Result<String> {
    let output = process::output("the agent", command, PATIENCE).await?;
    let prose = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it exits with 0: {prose}");
    ensure!(!prose.contains("panicked"), "{prose}");
    Ok(prose.lines().last().unwrap_or_default().to_owned())
}

async fn says(agent: &mut Process, words: &[&str]) -> Result<()> {
    until(&format!("the log to say {words:?}"), PATIENCE, async || {
        agent.check()?;
        let log = agent.log();
        Ok(words.iter().all(|word| log.contains(word)).then_some(()))
    })
    .await
    .map_err(|error| error.context(agent.tail()))
}

async fn is_live(network: &Network, miner: alloy::primitives::Address, wanted: bool) -> Result<()> {
    until(&format!("live = {wanted} of {miner}"), PATIENCE, async || {
        let view = network.app.network().await?;
        let live = view.miners.iter().any(|view| view.operator == miner && view.live);
        Ok((live == wanted).then_some(()))
    })
    .await
}

/// A chain that comes up late: connections to `from` go on to `to`.
async fn forward(from: u16, to: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", from)).await?;
    loop {
        let (mut near, _) = listener.accept().await?;
        let mut far = TcpStream::connect(("127.0.0.1", to)).await?;
        tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
    }
}
