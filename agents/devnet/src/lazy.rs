//! Checkers that do not check: what they say that states lead to was not computed. Only the output they draw, since they were not given it.

use crate::{operator::Operator, refusal::Refusal, rogue::Rogue, until};
use anyhow::{Context, Result};
use cuckoo_inference::{Device, Model, Package, State, runtime};
use cuckoo_protocol::{
    link::{Check, NOT_TRUSTED},
    message::Domain,
    request::Request,
    trace::{pack, unpack},
};
use std::{path::Path, time::Duration};
use tokio::time::sleep;

/// Between questions, as a miner's agent asks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a checker says in place of what it should compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// That all is as it was claimed: it hands back the states that it was given.
    AsGiven,
    /// That every step is false: it hands back other states.
    AllFalse,
}

/// What a lazy checker came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idled {
    /// Checks that it answered.
    pub answered: u32,
    /// Vouchers that it got for some of them.
    pub vouchers: u32,
}

/// A registered miner that only takes checks, and does not make them.
pub struct LazyChecker {
    rogue: Rogue,
    model: Model,
    domain: Domain,
    says: Says,
}

impl LazyChecker {
    /// With the model in `package`, logged in as soon as the coordinator knows the registration for final.
    ///
    /// # Errors
    /// If the model cannot be loaded, or the login is refused for another reason.
    pub async fn start(
        miner: &Operator,
        origin: &str,
        domain: Domain,
        package: &Path,
        onnxruntime: &Path,
        says: Says,
    ) -> Result<Self> {
        runtime::init(Some(onnxruntime))?;
        let model = Model::load(&Package::open(package)?, &Device::Cpu { threads: 1 })?;
        let mut rogue = Rogue::new(miner, origin, domain.clone())?;
        let model_id = model.manifest().model_id();
        until("the coordinator to know a new miner", Duration::from_secs(30), async || {
            match rogue.login(model_id, &domain).await {
                Ok(()) => Ok(Some(())),
                Err(error) => match error.downcast_ref::<Refusal>() {
                    Some(refusal) if ["not_registered", "understaked"].contains(&refusal.detail.code.as_str()) => {
                        Ok(None)
                    }
                    _ => Err(error),
                },
            }
        })
        .await?;
        Ok(Self { rogue, model, domain, says })
    }

    /// Answers checks until the coordinator wants no more of it.
    ///
    /// # Errors
    /// If anything else goes wrong.
    pub async fn idle(mut self) -> Result<Idled> {
        let mut idled = Idled::default();
        loop {
            let answer = match self.rogue.ask_for_check().await {
                Ok(answer) => answer,
                Err(error) => match error.downcast::<Refusal>() {
                    Ok(refusal) if refusal.detail.code == NOT_TRUSTED => return Ok(idled),
                    Ok(refusal) => return Err(refusal.into()),
                    Err(error) => return Err(error),
                },
            };
            if let Some(voucher) = answer.voucher {
                voucher.signer(&self.domain)?;
                idled.vouchers += 1;
            }
            if let Some(check) = answer.check {
                self.answer(&check).await?;
                idled.answered += 1;
            }
            sleep(INTERVAL).await;
        }
    }

    async fn answer(&mut self, check: &Check) -> Result<()> {
        let mut states =
            unpack(&self.rogue.check_states(&check.id).await?).context("the states are no packed trace")?;
        let output = self.finish(check, states.last().context("no states")?)?;
        if self.says == Says::AllFalse {
            states.iter_mut().skip(1).filter_map(|state| state.first_chunk_mut()).for_each(|number| {
                *number = (f32::from_le_bytes(*number) + 1.0).to_le_bytes();
            });
        }
        states.push(output);
        self.rogue.answer_check(&check.id, pack(&states)).await
    }

    /// The output's file.
    fn finish(&mut self, check: &Check, last: &[u8]) -> Result<Vec<u8>> {
        let body = Request::decode(&check.request)?.body()?;
        let mut run = self.model.open(&body)?;
        let last = State::from_bytes(&run.lengths(body.steps()), last)?;
        Ok(run.finish(&last)?.file()?)
    }
}
