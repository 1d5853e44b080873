//! From a finished result to its pay: submitted, audited if the coordinator wants to, and booked.

use super::{Session, SessionError};
use crate::{link::LinkError, metrics, store::Pending};
use cuckoo_protocol::{
    amount::format_cai,
    contracts::Voucher,
    link::{AuditNotice, ResultAnswer},
    message::Signed,
    trace::pack,
};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Between questions for the pay of audited results.
const PAY_INTERVAL: Duration = Duration::from_secs(2);

impl Session {
    /// Asks for the pay of audited results until `stop`; claims go on meanwhile.
    pub(super) async fn await_audits(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = sleep(PAY_INTERVAL) => {}
                () = stop.cancelled() => return,
            }
            let channel = self.link.channel();
            match self.workshop.store.awaits_audits(channel.payer, channel.payee).await {
                Ok(true) => {
                    if let Err(error) = self.submit_pending().await {
                        debug!(coordinator = %self.name(), "audited results are not paid yet: {error}");
                    }
                }
                Ok(false) => {}
                Err(error) => warn!("{error}"),
            }
        }
    }

    /// Submits all that this coordinator has not accepted yet, and sees to the pay of what is being audited.
    pub(super) async fn submit_pending(&self) -> Result<(), SessionError> {
        let _turn = self.submitting.lock().await;
        let channel = self.link.channel();
        for pending in self.workshop.store.pending(channel.payer, channel.payee).await? {
            let mut answer = self.ask(&pending).await;
            if answer.as_ref().is_err_and(LinkError::is_unauthorised) {
                self.login().await?;
                answer = self.ask(&pending).await;
            }
            match answer {
                Ok(ResultAnswer::Voucher(voucher)) => self.book(&pending, voucher).await?,
                Ok(ResultAnswer::Audit(notice)) => self.open_trace(&pending, notice).await?,
                Err(error) if error.is_final() => {
                    let what =
                        if pending.audit.is_some() { "the result is not paid" } else { "the result was not taken" };
                    warn!(coordinator = %self.name(), lease = pending.lease, "{what}: {error}");
                    metrics::declined("refused_result");
                    self.workshop.store.give_up(pending.offer_hash()).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Submits a result, or asks for its pay if it was accepted before.
    async fn ask(&self, pending: &Pending) -> Result<ResultAnswer, LinkError> {
        match pending.audit {
            None => self.link.submit(&pending.lease, &pending.submission).await,
            Some(_) => self.link.pay(&pending.lease).await,
        }
    }

    /// Books a result's pay. Until there is a voucher that binds somebody, the result stays pending.
    async fn book(&self, pending: &Pending, voucher: Signed<Voucher>) -> Result<(), SessionError> {
        self.link.channel().check(self.link.domain(), &voucher)?;
        let booked = self.workshop.store.accept(pending.offer_hash(), &voucher).await?;
        self.workshop.credit.promise(voucher.message.payer, voucher.message.cumulative);
        self.workshop.earned.notify_one();
        self.trust(booked).await?;
        metrics::done();
        let (earned, total) = (format_cai(pending.price), format_cai(voucher.message.cumulative));
        info!(coordinator = %self.name(), lease = pending.lease, earned, total, "paid by voucher");
        Ok(())
    }

    /// Hands over the trace that an audit asks for. The result stays pending until it is paid.
    async fn open_trace(&self, pending: &Pending, notice: AuditNotice) -> Result<(), SessionError> {
        if pending.audit != Some(notice.deadline) {
            info!(coordinator = %self.name(), lease = pending.lease, "accepted, to be audited before it is paid");
            self.workshop.store.audited(pending.offer_hash(), notice.deadline).await?;
        }
        if notice.received {
            return Ok(());
        }
        let Some(states) = self.workshop.store.trace(pending.offer_hash()).await? else {
            warn!(coordinator = %self.name(), lease = pending.lease, "the trace that an audit asks for is gone: --trace-hours is too short");
            return Ok(());
        };
        match self.link.open_trace(&pending.lease, pack(&states)).await {
            Ok(_) => info!(coordinator = %self.name(), lease = pending.lease, "trace handed over"),
            Err(error) if error.is_final() => {
                warn!(coordinator = %self.name(), lease = pending.lease, "the trace was not taken: {error}");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
