//! Connecting: what is waited for and what is refused.

mod support;

use alloy::{primitives::Address, providers::Provider};
use cuckoo_chain::{Chain, ChainError};
use std::time::Duration;
use support::{Anvil, Network, TIMING, wire::Wire};
use tokio_util::sync::CancellationToken;
use url::Url;

async fn refusal(network: &Network, urls: &[&Url]) -> ChainError {
    let urls = urls.iter().map(|&url| url.clone()).collect();
    let connecting = Chain::connect_with(urls, network.deployment.clone(), TIMING, CancellationToken::new());
    match tokio::time::timeout(Duration::from_secs(5), connecting).await.expect("it must not go on trying") {
        Err(e) => e,
        Ok(_) => panic!("it connected"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_chain_or_contracts_are_refused() {
    let mut network = Network::start().await;
    let elsewhere = Anvil::start(31338).await;
    assert!(matches!(refusal(&network, &[]).await, ChainError::NoUrl));
    // Whichever place it has in the list.
    for urls in [[&elsewhere.url, &network.anvil.url], [&network.anvil.url, &elsewhere.url]] {
        let refusal = refusal(&network, &urls).await;
        assert!(matches!(&refusal, ChainError::WrongChain { expected: 31337, actual: 31338, .. }), "{refusal}");
    }

    network.deployment.contracts.registry = Address::repeat_byte(9);
    let nothing = refusal(&network, &[&network.anvil.url]).await;
    assert!(nothing.to_string().contains("there is no contract"), "{nothing}");
    network.deployment.contracts.registry = network.deployment.contracts.staking;
    assert!(matches!(refusal(&network, &[&network.anvil.url]).await, ChainError::WrongRegistry { .. }));
    // A contract that answers everything with 1.
    let other = Address::repeat_byte(7);
    network.anvil.rpc("anvil_setCode", serde_json::json!([other, "0x60015f5260205ff3"])).await;
    network.deployment.contracts.registry = other;
    assert!(refusal(&network, &[&network.anvil.url]).await.to_string().contains("separator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rpc_that_is_down_is_waited_for() {
    let network = Network::start().await;
    let wire = Wire::new(&network.anvil.url, false).await;
    let connecting = tokio::spawn(Chain::connect_with(
        vec![wire.url.clone()],
        network.deployment.clone(),
        TIMING,
        CancellationToken::new(),
    ));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!connecting.is_finished());
    wire.mend();
    let chain = connecting.await.unwrap().unwrap();
    assert!(chain.now() > 1_600_000_000);

    let (shutdown, dead) = (CancellationToken::new(), Wire::new(&network.anvil.url, false).await);
    let urls = vec![dead.url.clone()];
    let connecting = tokio::spawn(Chain::connect_with(urls, network.deployment.clone(), TIMING, shutdown.clone()));
    shutdown.cancel();
    assert!(matches!(connecting.await.unwrap(), Err(ChainError::Shutdown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_url_on_the_wrong_chain_is_never_asked() {
    let network = Network::start().await;
    let elsewhere = Anvil::start(31338).await;
    let (first, second) = (Wire::new(&network.anvil.url, true).await, Wire::new(&elsewhere.url, false).await);
    // The second is down when its chain would be checked, and answers later.
    let chain = network.connect(&[&first.url, &second.url]).await;
    first.cut();
    second.mend();
    let error = chain.provider().get_block_number().await.unwrap_err();
    assert!(error.to_string().contains("is on chain 31338"), "{error}");
    // And when the first is back, it is asked again although it rests.
    first.mend();
    assert!(chain.provider().get_block_number().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_url_is_in_no_error() {
    let network = Network::start().await;
    let wire = Wire::new(&network.anvil.url, true).await;
    let url: Url = format!("http://user:hunter2@127.0.0.1:{}/?key=hunter2", wire.url.port().unwrap()).parse().unwrap();
    let chain = network.connect(&[&url]).await;
    wire.cut();
    let error = chain.provider().get_block_number().await.unwrap_err();
    let text = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(text.contains("127.0.0.1") && !text.contains("hunter2"), "{text}");
}
