//! Miners that cheat: registered and staked like any other, with the real model at hand, and each with its own way to save work or fool.
//!
//! | Module | Holds |
//! |---|---|
//! | `cheat` | the ways to cheat |
//! | `forger` | makes up results |
//! | `biased` | how far a picture can be steered within the tolerance |
//! | `defence` | opens false traces on chain, so that a jury judges them |
//! | `juror` | sits on juries without judging |

mod biased;
mod cheat;
pub mod defence;
mod forger;
mod juror;

pub use cheat::Cheat;
pub use forger::{Forger, Forgery, draw};
pub use juror::{Hostile, Hostility};

use crate::{operator::Operator, refusal::Refusal, rogue::Rogue, site::Site, until};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use cuckoo_chain::{
    Chain, Sender,
    disputes::{self, Court, Following},
};
use cuckoo_inference::{Package, runtime};
use cuckoo_protocol::{
    body::Body,
    contracts::Result as TaskResult,
    link::{ClaimAnswer, Lease},
    message::Domain,
    request::Request,
    trace::{pack, trace_root},
};
use defence::{Promptness, Traces, defend};
use std::{path::Path, time::Duration};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A cheating miner.
pub struct Adversary {
    /// Speaks the link.
    pub rogue: Rogue,
    forger: Forger,
    /// Whether it hands over traces that audits ask for.
    opens: bool,
    domain: Domain,
    traces: Traces,
    defence: Option<AbortOnDropHandle<()>>,
}

/// What an adversary has delivered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Who.
    pub miner: Address,
    /// Digest of its result.
    pub result: B256,
    /// Id of its lease.
    pub lease: String,
}

impl Adversary {
    /// A cheating miner with the model in `package`, not logged in yet.
    ///
    /// # Errors
    /// If the model cannot be loaded, or the node's key not read.
    pub fn new(
        miner: &Operator,
        origin: &str,
        domain: Domain,
        package: &Path,
        onnxruntime: &Path,
        cheat: Cheat,
        opens: bool,
    ) -> Result<Self> {
        runtime::init(Some(onnxruntime))?;
        let forger = Forger::new(&Package::open(package)?, cheat)?;
        Ok(Self::of(Rogue::new(miner, origin, domain.clone())?, forger, opens, domain))
    }

    /// A cheating miner with a forger that may have worked for another before.
    pub fn of(rogue: Rogue, forger: Forger, opens: bool, domain: Domain) -> Self {
        Self { rogue, forger, opens, domain, traces: Traces::default(), defence: None }
    }

    /// The forger, for another miner, and the defence, which goes on until it is dropped.
    pub fn retire(self) -> (Forger, Option<AbortOnDropHandle<()>>) {
        (self.forger, self.defence)
    }

    /// Logs in as soon as the coordinator knows the registration for final.
    ///
    /// # Errors
    /// If that does not happen in time, or the login is refused for another reason.
    pub async fn login(&mut self) -> Result<()> {
        let (model_id, domain) = (self.forger.model().manifest().model_id(), self.domain.clone());
        until("the coordinator to know a new miner", Duration::from_secs(30), async || {
            match self.rogue.login(model_id, &domain).await {
                Ok(()) => Ok(Some(())),
                Err(error) => match error.downcast_ref::<Refusal>() {
                    Some(refusal) if ["not_registered", "understaked"].contains(&refusal.detail.code.as_str()) => {
                        Ok(None)
                    }
                    _ => Err(error),
                },
            }
        })
        .await
    }

    /// Answers from now on whatever it is accused of, from its false traces, for as long as it lives: juries judge it then. Without,
    /// it is convicted because it does not answer.
    ///
    /// # Errors
    /// If the chain cannot be reached, or the journal of its transactions not be written.
    pub async fn defend(&mut self, site: &Site) -> Result<()> {
        let chain = Chain::connect(vec![site.anvil.rpc_url.clone()], site.deployment.clone(), CancellationToken::new());
        let chain = chain.await?;
        let me = self.rogue.operator;
        let journal = site.plan.folder.join("data").join(me.to_string()).join("transactions.json");
        let court = Court::new(chain.clone(), Sender::open(&chain, self.rogue.node.clone(), journal).await?);
        let following = disputes::follow(&chain, CancellationToken::new()).await?;
        self.defend_before(court, following, Promptness::InTime);
        Ok(())
    }

    /// As [`Self::defend`], with a connection that is there already.
    pub fn defend_before(&mut self, court: Court, following: Following, promptness: Promptness) {
        let defence = defend(court, following, self.rogue.operator, self.traces.clone(), promptness);
        self.defence = Some(AbortOnDropHandle::new(tokio::spawn(defence)));
    }

    /// Claims until it is given a task, cheats at it, and delivers.
    ///
    /// # Errors
    /// If the forgery is refused: nothing that can be seen without running the model gives it away.
    pub async fn deliver(&mut self) -> Result<Delivered> {
        let lease = loop {
            match self.rogue.claim().await? {
                ClaimAnswer::Lease(lease) => break *lease,
                ClaimAnswer::Skipped(_) => {}
            }
        };
        let forgery = self.forge(&lease)?;
        let result = TaskResult {
            offerHash: self.domain.digest(&lease.offer.message),
            traceRoot: trace_root(&forgery.states),
            states: u32::try_from(forgery.states.len())?,
            outputHash: forgery.output.hash()?,
        };
        let digest = self.domain.digest(&result);
        let signed = self.domain.sign(result, &self.rogue.node)?;
        let answer = self.rogue.submit(&lease.id, signed, forgery.output.file()?).await?;
        if answer.get("audit").is_some() && self.opens {
            self.rogue.open_trace(&lease.id, pack(&forgery.states)).await.context("handing the trace over")?;
        }
        self.traces.keep(forgery.states);
        Ok(Delivered { miner: self.rogue.operator, result: digest, lease: lease.id })
    }

    /// Makes up a result for a lease.
    ///
    /// # Errors
    /// If the request is not for a picture, or the model fails.
    pub fn forge(&mut self, lease: &Lease) -> Result<Forgery> {
        let Body::Image(body) = Request::decode(&lease.request)?.body()? else {
            anyhow::bail!("adversaries draw pictures only");
        };
        self.forger.forge(&body)
    }
}
