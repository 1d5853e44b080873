//! Sessions at one coordinator: a login that proves both sides to each other, renewed before it ends.

use super::{
    Coordinator,
    client::{Client, LinkError, parse},
};
use crate::voucher::{Channel, VoucherError};
use alloy::{
    primitives::{Address, U256, keccak256},
    signers::local::PrivateKeySigner,
};
use cuckoo_protocol::{
    contracts::{Login, Voucher},
    deployment::Deployment,
    link::{
        Capability, CheckAnswer, ClaimAnswer, ClaimRequest, Decline, LeaseEvent, LoginAnswer, LoginRequest, Nonce,
        ResultAnswer, ResultSubmission,
    },
    message::{Domain, SignatureError, Signed},
};
use serde::Serialize;
use tokio::sync::Mutex;

/// Largest trace to be checked, in bytes, as coordinators take them.
const MAX_TRACE: usize = 256 * 1024 * 1024;

/// Who this miner is.
#[derive(Clone, Debug)]
pub struct Miner {
    /// Its operator.
    pub operator: Address,
    /// Its node's key.
    pub node: PrivateKeySigner,
    /// Models that it runs.
    pub models: Vec<Capability>,
    /// Leases that it works on at once.
    pub slots: u32,
}

/// Why a coordinator is not who the chain says, or does not want to be held to it.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It could not be asked, or said no.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It works on another network.
    #[error("it works on chain {theirs}, this miner on {ours}")]
    Chain {
        /// EIP-155 chain id.
        theirs: u64,
        /// EIP-155 chain id.
        ours: u64,
    },
    /// It works with another deployment.
    #[error("it works with the Registry {theirs}, this miner with {ours}")]
    Registry {
        /// Contract.
        theirs: Address,
        /// Contract.
        ours: Address,
    },
    /// Another coordinator answers at this endpoint.
    #[error("it says that it is coordinator {0}, which did not register this endpoint")]
    Coordinator(Address),
    /// Its key is not, or not yet, the registered one.
    #[error("it signs with node {0}, which is not the registered one")]
    Node(Address),
    /// The session is signed by another key.
    #[error("its session is not signed by its node: {0}")]
    Signature(#[from] SignatureError),
    /// The session answers another login.
    #[error("its session is bound to another login")]
    Replayed,
    /// The session is for another token.
    #[error("its session is bound to another token")]
    Token,
    /// The session cannot be used.
    #[error("its session has expired already: check both clocks")]
    Expired,
    /// The voucher that came with the login is no good.
    #[error(transparent)]
    Voucher(#[from] VoucherError),
    /// The highest voucher could not be read or kept.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// A session's token and when to replace it.
struct Active {
    token: String,
    /// Chain seconds.
    renew_at: u64,
}

/// A coordinator, logged in at when need be.
pub struct Link {
    coordinator: Coordinator,
    client: Client,
    deployment: Deployment,
    domain: Domain,
    miner: Miner,
    /// Locked while logging in, so that concurrent calls share one login.
    active: Mutex<Option<Active>>,
}

impl Link {
    /// A link that has not logged in yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(coordinator: Coordinator, deployment: Deployment, miner: Miner) -> Result<Self, reqwest::Error> {
        let client = Client::new(coordinator.endpoint.clone())?;
        let domain = Domain::new(deployment.chain_id, deployment.contracts.registry);
        Ok(Self { coordinator, client, deployment, domain, miner, active: Mutex::new(None) })
    }

    /// Whom it goes to.
    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The channel that this link earns in.
    pub fn channel(&self) -> Channel {
        Channel { payer: self.coordinator.operator, payer_node: self.coordinator.node, payee: self.miner.operator }
    }

    /// Whether a session is open at `now` (chain seconds) and not yet to be renewed.
    pub async fn is_open(&self, now: u64) -> bool {
        self.active.lock().await.as_ref().is_some_and(|active| now < active.renew_at)
    }

    /// Ends the session on this side.
    pub async fn close(&self) {
        *self.active.lock().await = None;
    }

    /// Logs in unless a session is open at `now` (chain seconds), showing the voucher `held`.
    /// Returns the coordinator's voucher if there was a login and one came with it; it is checked.
    ///
    /// # Errors
    /// [`LoginError`]; no token of a coordinator that did not prove itself is ever used.
    pub async fn login(&self, now: u64, held: Option<Signed<Voucher>>) -> Result<Option<Signed<Voucher>>, LoginError> {
        let mut active = self.active.lock().await;
        if active.as_ref().is_some_and(|active| now < active.renew_at) {
            return Ok(None);
        }
        let nonce: Nonce = parse(&self.client.get(&["nonce"], None).await?)?;
        self.check_nonce(&nonce)?;
        let login = self.sign(Login {
            miner: self.miner.operator,
            coordinator: self.coordinator.operator,
            coordinatorNode: self.coordinator.node,
            origin: self.coordinator.origin(),
            nonce: nonce.nonce,
        })?;
        let shown = held.as_ref().map_or(U256::ZERO, |voucher| voucher.message.cumulative);
        let (models, slots) = (self.miner.models.clone(), self.miner.slots);
        let request = LoginRequest { login: login.clone(), models, slots, voucher: held };
        let answer: LoginAnswer = parse(&self.client.post(&["login"], None, &request).await?)?;
        self.check_answer(&login, &answer, shown, now)?;
        // Well before its end, so that no lease outlives its session.
        let renew_at = now + (answer.session.message.expiry - now) * 3 / 4;
        *active = Some(Active { token: answer.token, renew_at });
        Ok(answer.voucher)
    }

    fn check_nonce(&self, nonce: &Nonce) -> Result<(), LoginError> {
        let registry = self.deployment.contracts.registry;
        if nonce.chain_id != self.deployment.chain_id {
            return Err(LoginError::Chain { theirs: nonce.chain_id, ours: self.deployment.chain_id });
        }
        if nonce.registry != registry {
            return Err(LoginError::Registry { theirs: nonce.registry, ours: registry });
        }
        if nonce.coordinator != self.coordinator.operator {
            return Err(LoginError::Coordinator(nonce.coordinator));
        }
        if nonce.coordinator_node != self.coordinator.node {
            return Err(LoginError::Node(nonce.coordinator_node));
        }
        Ok(())
    }

    fn check_answer(
        &self,
        login: &Signed<Login>,
        answer: &LoginAnswer,
        shown: U256,
        now: u64,
    ) -> Result<(), LoginError> {
        let session = &answer.session.message;
        if session.loginHash != self.domain.digest(&login.message) {
            return Err(LoginError::Replayed);
        }
        if session.tokenHash != keccak256(&answer.token) {
            return Err(LoginError::Token);
        }
        if session.expiry <= now {
            return Err(LoginError::Expired);
        }
        answer.session.verify(&self.domain, self.coordinator.node)?;
        let promised = match &answer.voucher {
            Some(voucher) => {
                self.channel().check(&self.domain, voucher)?;
                voucher.message.cumulative
            }
            None => U256::ZERO,
        };
        // The larger of both sides' wins: whoever answers with less denies its own signature.
        if promised < shown {
            return Err(VoucherError::Underpaid { promised, owed: shown }.into());
        }
        Ok(())
    }

    /// Asks for work; takes as long as the coordinator parks it.
    ///
    /// # Errors
    /// [`LinkError`]. Here and below, a 401 ends the session: log in and call again.
    pub async fn claim(&self) -> Result<ClaimAnswer, LinkError> {
        parse(&self.post(&["claim"], &ClaimRequest::default()).await?)
    }

    /// The input pictures that a lease's request comes with, at most `limit` bytes; they are not checked yet.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn blob(&self, lease: &str, limit: usize) -> Result<Vec<u8>, LinkError> {
        let token = self.token().await?;
        self.watch(&token, self.client.download(&["leases", lease, "blob"], Some(&token), limit).await).await
    }

    /// Says how far a lease's work has come.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::is_over`] if nobody waits for it any more.
    pub async fn event(&self, lease: &str, event: &LeaseEvent) -> Result<(), LinkError> {
        self.post(&["leases", lease, "events"], event).await.map(drop)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn decline(&self, lease: &str, reason: String) -> Result<(), LinkError> {
        self.post(&["leases", lease, "decline"], &Decline { reason }).await.map(drop)
    }

    /// Submits a result; a voucher in the answer is not checked yet.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn submit(&self, lease: &str, result: &ResultSubmission) -> Result<ResultAnswer, LinkError> {
        parse(&self.post(&["leases", lease, "result"], result).await?)
    }

    /// Asks for the pay of a result that was accepted; a voucher in the answer is not checked yet.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn pay(&self, lease: &str) -> Result<ResultAnswer, LinkError> {
        let token = self.token().await?;
        parse(&self.watch(&token, self.client.get(&["leases", lease, "pay"], Some(&token)).await).await?)
    }

    /// Hands the packed trace of a result over, which an audit asks for.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn open_trace(&self, lease: &str, packed: Vec<u8>) -> Result<ResultAnswer, LinkError> {
        let token = self.token().await?;
        parse(&self.watch(&token, self.client.upload(&["leases", lease, "trace"], Some(&token), packed).await).await?)
    }

    /// Asks for a check of another miner's work; a voucher in the answer is not checked yet.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn ask_for_check(&self) -> Result<CheckAnswer, LinkError> {
        parse(&self.post(&["checks"], &ClaimRequest::default()).await?)
    }

    /// The packed states of a check.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn check_states(&self, check: &str) -> Result<Vec<u8>, LinkError> {
        let token = self.token().await?;
        self.watch(&token, self.client.download(&["checks", check], Some(&token), MAX_TRACE).await).await
    }

    /// Hands over what the states of a check lead to.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn answer_check(&self, check: &str, packed: Vec<u8>) -> Result<(), LinkError> {
        let token = self.token().await?;
        self.watch(&token, self.client.upload(&["checks", check], Some(&token), packed).await).await.map(drop)
    }

    /// Gives a check back.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn decline_check(&self, check: &str, reason: String) -> Result<(), LinkError> {
        self.post(&["checks", check, "decline"], &Decline { reason }).await.map(drop)
    }

    async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Vec<u8>, LinkError> {
        let token = self.token().await?;
        self.watch(&token, self.client.post(path, Some(&token), body).await).await
    }

    /// The session's token.
    async fn token(&self) -> Result<String, LinkError> {
        let token = self.active.lock().await.as_ref().map(|active| active.token.clone());
        let message = "no session".to_owned();
        token.ok_or_else(|| LinkError::Refused { status: 401, code: String::new(), message })
    }

    /// Ends the session when an answer says that it is over.
    async fn watch(&self, token: &str, answer: Result<Vec<u8>, LinkError>) -> Result<Vec<u8>, LinkError> {
        if answer.as_ref().is_err_and(LinkError::is_unauthorised) {
            let mut active = self.active.lock().await;
            // Somebody else may have logged in meanwhile; that session stays.
            active.take_if(|active| active.token == token);
        }
        answer
    }

    /// Signs a message of the network with the miner's node.
    ///
    /// # Errors
    /// A local key does not fail.
    pub fn sign<M: alloy::sol_types::SolStruct>(&self, message: M) -> Result<Signed<M>, LoginError> {
        Ok(self.domain.sign(message, &self.miner.node).map_err(|e| LinkError::Malformed(e.to_string()))?)
    }

    /// The network's signing domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}
