//! A registered miner whose node is driven by hand, to show what the coordinator refuses.

use crate::{operator::Operator, refusal::Refusal};
use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result};
use cuckoo_protocol::{
    contracts::{Login, Result as TaskResult},
    link::{
        Capability, CheckAnswer, ClaimAnswer, ClaimRequest, Decline, LoginAnswer, LoginRequest, Nonce, PARK_SECONDS,
        ResultAnswer, ResultSubmission,
    },
    message::{Domain, Signed},
};
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Speaks the link as a miner's agent does, but says what it is told to.
pub struct Rogue {
    /// Its operator's address.
    pub operator: Address,
    /// Its node's key.
    pub node: PrivateKeySigner,
    domain: Domain,
    client: reqwest::Client,
    origin: String,
    token: String,
}

impl Rogue {
    /// The node of `miner` at the coordinator at `origin`, not logged in yet.
    ///
    /// # Errors
    /// If the node's keystore cannot be read.
    pub fn new(miner: &Operator, origin: &str, domain: Domain) -> Result<Self> {
        Self::with_key(miner.address(), miner.node.decrypt()?, origin, domain)
    }

    /// As [`Self::new`], with the node's key at hand.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn with_key(operator: Address, node: PrivateKeySigner, origin: &str, domain: Domain) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(PARK_SECONDS + 10)).no_proxy().build()?;
        Ok(Self { operator, node, domain, client, origin: origin.to_owned(), token: String::new() })
    }

    /// Logs in as able to run `model_id` at any price, one task at a time. `domain` is what the login is signed for.
    ///
    /// # Errors
    /// A [`Refusal`], or if no answer comes.
    pub async fn login(&mut self, model_id: B256, domain: &Domain) -> Result<()> {
        let nonce: Nonce = self.call(Method::GET, "nonce", None::<&()>).await?;
        let login = Login {
            miner: self.operator,
            coordinator: nonce.coordinator,
            coordinatorNode: nonce.coordinator_node,
            origin: self.origin.clone(),
            nonce: nonce.nonce,
        };
        let models = vec![Capability { model_id, least_price: U256::ZERO }];
        let request = LoginRequest { login: domain.sign(login, &self.node)?, models, slots: 1, voucher: None };
        let answer: LoginAnswer = self.call(Method::POST, "login", Some(&request)).await?;
        answer.session.verify(&self.domain, nonce.coordinator_node).context("the session")?;
        self.token = answer.token;
        Ok(())
    }

    /// Asks for a task; parks for up to [`PARK_SECONDS`].
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn claim(&self) -> Result<ClaimAnswer> {
        self.call(Method::POST, "claim", Some(&ClaimRequest {})).await
    }

    /// Submits `result` for the lease with `png` as its picture.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn submit(&self, lease: &str, result: Signed<TaskResult>, png: Vec<u8>) -> Result<serde_json::Value> {
        let submission = ResultSubmission { result, output: png };
        self.call(Method::POST, &format!("leases/{lease}/result"), Some(&submission)).await
    }

    /// Hands the packed trace of an audited result over.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn open_trace(&self, lease: &str, packed: Vec<u8>) -> Result<ResultAnswer> {
        let url = format!("{}/link/v1/leases/{lease}/trace", self.origin);
        let answer = self.client.post(url).bearer_auth(&self.token).body(packed).send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        if status.is_success() { Ok(serde_json::from_slice(&bytes)?) } else { Err(Refusal::read(status, &bytes)) }
    }

    /// Asks for a check of another miner's work.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn ask_for_check(&self) -> Result<CheckAnswer> {
        self.call(Method::POST, "checks", Some(&ClaimRequest {})).await
    }

    /// The packed states of a check.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn check_states(&self, check: &str) -> Result<Vec<u8>> {
        let (status, bytes) = self.send(Method::GET, &format!("checks/{check}"), None::<&()>).await?;
        if status.is_success() { Ok(bytes) } else { Err(Refusal::read(status, &bytes)) }
    }

    /// Hands over what it says that the states of a check lead to.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn answer_check(&self, check: &str, packed: Vec<u8>) -> Result<()> {
        let url = format!("{}/link/v1/checks/{check}", self.origin);
        let answer = self.client.post(url).bearer_auth(&self.token).body(packed).send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        if status.is_success() { Ok(()) } else { Err(Refusal::read(status, &bytes)) }
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn decline(&self, lease: &str) -> Result<()> {
        let body = Decline { reason: "busy".to_owned() };
        let path = format!("leases/{lease}/decline");
        let (status, bytes) = self.send(Method::POST, &path, Some(&body)).await?;
        if status.is_success() { Ok(()) } else { Err(Refusal::read(status, &bytes)) }
    }

    async fn call<B: Serialize, T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&B>) -> Result<T> {
        let (status, bytes) = self.send(method, path, body).await?;
        if !status.is_success() {
            return Err(Refusal::read(status, &bytes));
        }
        serde_json::from_slice(&bytes).with_context(|| format!("the answer of {path} is not what it should be"))
    }

    async fn send<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(reqwest::StatusCode, Vec<u8>)> {
        let mut request = self.client.request(method, format!("{}/link/v1/{path}", self.origin));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("no answer to {path}"))?;
        Ok((answer.status(), answer.bytes().await?.to_vec()))
    }
}
