//! Whoever accuses brings drand's beacon itself: the programs as operators run them, over real contracts, with mirrors that are played.

mod ground;
#[path = "../../chain/tests/support/mod.rs"]
mod support;

use alloy::{
    primitives::{Address, B256},
    providers::Provider,
    rpc::types::Filter,
    signers::{k256::elliptic_curve::rand_core::OsRng, local::PrivateKeySigner},
};
use cuckoo_chain::disputes::{Docket, Following, Phase};
use cuckoo_coordinator::store::{ChallengeState, Store};
use cuckoo_protocol::{contracts::IDisputes, receipt::Receipt};
use ground::{LEASE, find_false, find_guilty, forget, logs, until};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Stdio, time::Duration};
use support::{
    Network,
    drand::{self, Drand},
    root,
    stage::{Stage, phase, warp},
};
use tempfile::TempDir;
use tokio::process::Command;

/// Seconds.
const COMMIT_WINDOW: u64 = 20;
const REVEAL_WINDOW: u64 = 10;
/// From the schedule of a beacon to its round, and a little more.
const BEACON: u64 = 3;
/// Some of a program's looks at the chain.
const A_WHILE: Duration = Duration::from_secs(3);

/// A network whose juries drand draws, and what a program needs to take part.
struct Ground {
    stage: Stage,
    following: Following,
    drand: Drand,
    folder: TempDir,
}

impl Ground {
    async fn new() -> Self {
        let patient = Network::start_with(|config| {
            drand::alter(config);
            // A busy machine needs more seconds than a development chain gives; all together must fit into two epochs.
            let times = json!({ "maxOfferLife": 10, "challengeWindow": 30, "answerWindow": 15, "rounds": 1,
                "seedWindow": 35, "commitWindow": COMMIT_WINDOW, "revealWindow": REVEAL_WINDOW });
            config["disputes"].as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        })
        .await;
        let drand = Drand::start(&patient.anvil).await;
        let stage = Stage::on(patient).await;
        let (following, folder) = (stage.follow().await, tempfile::tempdir().unwrap());
        Self { stage, following, drand, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `coordinator-agent` with a verb, the key of an account that has something to pay with, and two mirrors, the first of which lies.
    async fn program(&self, verb: &str, key: &PrivateKeySigner) -> Command {
        self.stage.network.grant(key.address(), 2_000).await;
        std::fs::write(self.file("deployment.json"), json!(self.stage.network.deployment).to_string()).unwrap();
        std::fs::write(self.file("password"), "a password").unwrap();
        let name = Some("key.json");
        PrivateKeySigner::encrypt_keystore(self.folder.path(), &mut OsRng, key.to_bytes(), "a password", name).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator-agent"));
        command.arg(verb).args(["--rpc-url", self.stage.network.anvil.url.as_str()]);
        for (flag, name) in
            [("--deployment", "deployment.json"), ("--password-file", "password"), ("--keystore", "key.json")]
        {
            command.arg(flag).arg(self.file(name));
        }
        for mirror in ["lying", "honest"] {
            command.args(["--drand-url", self.drand.mirror(mirror).as_str()]);
        }
        command.kill_on_drop(true);
        command
    }

    /// Answers the dispute once it is open, and has it judged when the jury is called; nobody here brings the beacon, or resolves.
    async fn play(&self) -> B256 {
        let id = self.challenged().await;
        self.stage.answer(id, &[0]).await;
        let reached = async |what: &str, so: fn(Phase) -> bool| {
            until(what, async || phase(&self.following.docket(), id).filter(|phase| so(*phase))).await
        };
        reached("it is answered", |phase| matches!(phase, Phase::Seed { .. })).await;
        assert!(self.brought_by().await.is_empty(), "nobody can have it yet");
        warp(&self.stage.network, BEACON).await;
        reached("the jury is called", |phase| matches!(phase, Phase::Jury { .. })).await;
        find_guilty(&self.stage, id, COMMIT_WINDOW, REVEAL_WINDOW).await;
        id
    }

    /// The id of the only dispute that there is, once it is.
    async fn challenged(&self) -> B256 {
        let challenged = async || logs::<IDisputes::Challenged>(&self.stage.network).await.pop();
        until("it is challenged", challenged).await.inner.id
    }

    /// Who has brought beacons.
    async fn brought_by(&self) -> Vec<Address> {
        let contracts = self.stage.network.deployment.contracts;
        let logs = self
            .stage
            .network
            .anvil
            .provider
            .get_logs(&Filter::new().address(contracts.randomness).from_block(0))
            .await;
        // Submitted(uint256 indexed round, address indexed caller, bytes32 value)
        logs.unwrap().iter().map(|log| Address::from_word(log.topics()[2])).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinators_agent_brings_the_beacon_of_its_challenge() {
    let ground = Ground::new().await;
    let data = ground.file("data");
    std::fs::create_dir(&data).unwrap();
    let node = ground.stage.coordinator.clone();
    let mut command = ground.program("run", &node).await;
    find_false(&ground.stage, &data).await;
    command.arg("--data-dir").arg(&data).args(["--listen", "127.0.0.1:0", "--audit-rate", "0"]);
    command.arg("--model").arg(root().join("models/cuckoo-tiny"));
    let _agent = command.stdout(Stdio::null()).spawn().unwrap();

    ground.play().await;
    assert_eq!(ground.brought_by().await, [node.address()]);
    let store = Store::open(&data).await.unwrap();
    let challenge = until("it ends", async || {
        ground.stage.network.anvil.mine(1).await;
        let challenge = store.challenge(LEASE).await.unwrap().unwrap();
        Some(challenge).filter(|challenge| ![ChallengeState::Due, ChallengeState::Open].contains(&challenge.state))
    })
    .await;
    assert_eq!(challenge.state, ChallengeState::Convicted);
    assert!(challenge.slashed.is_some_and(|slashed| !slashed.is_zero()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_receipt_brings_the_beacon_and_waits_for_the_end() {
    let ground = Ground::new().await;
    let key = PrivateKeySigner::random();
    let mut command = ground.program("challenge", &key).await;
    let accusation = ground.stage.accusation(0).await;
    let (offer, result, request) = (accusation.offer, accusation.result, accusation.request);
    let receipt = json!({ "cuckoo": Receipt { task: "task".to_owned(), request, offer, result } });
    std::fs::write(ground.file("receipt.json"), receipt.to_string()).unwrap();
    command.arg(ground.file("receipt.json")).args(["--transition", "0", "--wait"]);
    let mut program = command.stdout(Stdio::piped()).spawn().unwrap();

    // A challenge that is taken back is raised again.
    ground.challenged().await;
    forget::<IDisputes::Challenged>(&ground.stage.network).await;
    let id = ground.play().await;
    assert_eq!(ground.brought_by().await, [key.address()]);
    let ended = |docket: &Docket| docket.get(id).is_some_and(|dispute| !dispute.is_open());
    until("it is resolved", async || ended(&ground.following.docket()).then_some(())).await;
    tokio::time::sleep(A_WHILE).await;
    assert!(program.try_wait().unwrap().is_none(), "its end is not final");
    until("it ends", async || {
        ground.stage.network.anvil.mine(1).await;
        program.try_wait().unwrap()
    })
    .await;
    let output = program.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["dispute"], &told["outcome"]), (&json!(id), &json!("convicted")));
}
