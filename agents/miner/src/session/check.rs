//! Checks of other miners' audited traces: beside the slots, one at a time. There is no verdict to give: the answer is what each state
//! leads to.

use super::{LONG_PAUSE, Session, SessionError};
use crate::{
    duty::{Bench, BenchError},
    link::LinkError,
    metrics,
};
use alloy::primitives::B256;
use cuckoo_protocol::{
    amount::format_cai,
    body::Body,
    link::{Check, NOT_TRUSTED},
    request::Request,
    trace::{pack, unpack},
};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Between questions for a check; coordinators leave out miners that ask less often than every eight seconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// For a coordinator that was let down: it does not change its mind.
const DISTRUSTED: Duration = Duration::from_secs(3600);

impl Session {
    /// Makes the checks that this coordinator asks for, until `stop`.
    pub(super) async fn make_checks(&self, stop: &CancellationToken) {
        let Some(bench) = &self.workshop.checking else { return };
        let mut pause = INTERVAL;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            let checked = tokio::select! {
                checked = self.make_check(bench) => checked,
                () = stop.cancelled() => return,
            };
            pause = match checked {
                Ok(()) => INTERVAL,
                Err(SessionError::Link(LinkError::Refused { code, message, .. })) if code == NOT_TRUSTED => {
                    warn!(coordinator = %self.name(), "no more checks for it: {message}");
                    DISTRUSTED
                }
                // It checks by itself, or is of a version that does.
                Err(SessionError::Link(LinkError::Refused { status: 404, .. })) => LONG_PAUSE,
                Err(error) => {
                    debug!(coordinator = %self.name(), "no check: {error}");
                    error.pause().max(INTERVAL)
                }
            };
        }
    }

    /// Asks for a check, and makes it if there is one.
    async fn make_check(&self, bench: &Bench) -> Result<(), SessionError> {
        // The loops that work log in.
        if !self.link.is_open((self.workshop.clock)()).await {
            return Ok(());
        }
        self.expect_cover()?;
        let answer = self.link.ask_for_check().await?;
        if let Some(voucher) = answer.voucher {
            let channel = self.link.channel();
            channel.check(self.link.domain(), &voucher)?;
            let settled = self.workshop.store.settle(&channel, Some(&voucher)).await?;
            self.workshop.credit.promise(channel.payer, voucher.message.cumulative);
            self.workshop.earned.notify_one();
            info!(coordinator = %self.name(), total = format_cai(voucher.message.cumulative), "checks paid by voucher");
            self.trust(settled).await?;
        }
        let Some(check) = answer.check else { return Ok(()) };
        let (model, body) = match self.accept_check(&check) {
            Ok(accepted) => accepted,
            Err(why) => return self.decline_check(&check, why).await,
        };
        let Some(states) = unpack(&self.link.check_states(&check.id).await?) else {
            return self.decline_check(&check, "the states cannot be read".to_owned()).await;
        };
        info!(coordinator = %self.name(), check = check.id, price = format_cai(check.price), "checking");
        let led = match bench.run(model, move |model| model.successors(&body, &states)).await {
            Ok(led) => led,
            Err(error @ BenchError::Dead) => return self.decline_check(&check, error.to_string()).await,
            Err(error) => {
                warn!(coordinator = %self.name(), check = check.id, "the check cannot be made: {error}");
                return self.decline_check(&check, "the model cannot be run on this miner".to_owned()).await;
            }
        };
        let mut parts = led.states;
        match led.output.map(|output| output.file()).transpose() {
            Ok(file) => parts.extend(file),
            Err(error) => return self.decline_check(&check, error.to_string()).await,
        }
        self.link.answer_check(&check.id, pack(&parts)).await?;
        metrics::check("answered");
        Ok(())
    }

    /// What is to be run, if it is worth it.
    fn accept_check(&self, check: &Check) -> Result<(B256, Body), String> {
        let request = Request::decode(&check.request).map_err(|e| e.to_string())?;
        let manifest = self.workshop.models.get(&request.model_id);
        let manifest = manifest.ok_or_else(|| format!("this miner does not run model {}", request.model_id))?;
        if !request.blob_root.is_zero() {
            return Err("the request has input pictures, which no check carries".to_owned());
        }
        let body = request.body().map_err(|e| e.to_string())?;
        manifest.check(&body).map_err(|e| e.to_string())?;
        let least = manifest.price(&body, self.workshop.least_price);
        if check.price < least {
            return Err(format!("the check pays {} wei, this miner wants at least {least}", check.price));
        }
        Ok((request.model_id, body))
    }

    async fn decline_check(&self, check: &Check, why: String) -> Result<(), SessionError> {
        info!(coordinator = %self.name(), check = check.id, "check declined: {why}");
        metrics::check("declined");
        Ok(self.link.decline_check(&check.id, why).await?)
    }
}
