//! What is checked, and the comparison of an answer with it, for which no model is needed.

use super::super::check::{Finding, found};
use crate::{coordinator::Coordinator, output, store::AuditRecord};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result};
use axum::body::Bytes;
use cuckoo_inference::{Output, Successors, compare};
use cuckoo_protocol::{body::Body, manifest::Manifest, request::Request, trace::unpack};
use std::sync::Arc;

/// A trace with its output, as its miner committed to them.
#[derive(Debug)]
pub struct Subject {
    /// Of its model.
    pub manifest: Manifest,
    /// keccak256 of the manifest.
    pub model_id: B256,
    /// What was asked for.
    pub body: Body,
    /// Its canonical bytes.
    pub request: Vec<u8>,
    /// Canonical bytes of s₀…s_N.
    pub states: Vec<Vec<u8>>,
    /// The output.
    pub output: Output,
    /// Whose it is.
    pub miner: Address,
    /// Wei that the work costs, and so a check of it.
    pub price: U256,
    /// Wei a pricing unit.
    pub unit_price: U256,
    /// Of the offer, chain seconds.
    pub expiry: u64,
}

impl Subject {
    /// Reads all about an audit whose trace is here.
    pub(super) async fn load(coordinator: &Coordinator, audit: &AuditRecord) -> Result<Arc<Self>> {
        let store = &coordinator.store;
        let lease = store.lease(&audit.lease, coordinator.operator).await?.context("an audit has no lease")?;
        let task = store.task(&lease.task).await?.context("a lease has no task")?;
        let offered = coordinator.catalogue.get(task.model_id).context("its model is not offered any more")?;
        let packed = tokio::fs::read(store.trace_path(&audit.lease)).await.context("the trace is gone")?;
        let states = unpack(&packed).context("the trace on disk is damaged")?;
        let file = tokio::fs::read(store.output_path(&audit.lease)).await.context("the output is gone")?;
        let body = Request::decode(&task.request)?.body()?;
        Ok(Arc::new(Self {
            manifest: offered.manifest.clone(),
            model_id: task.model_id,
            output: output::read(&body, &file).map_err(anyhow::Error::msg)?,
            body,
            request: task.request,
            states,
            miner: audit.miner,
            price: task.price,
            unit_price: task.unit_price,
            expiry: lease.offer.message.expiry,
        }))
    }

    /// What is false of it if its states lead to what somebody says; [`None`] inside if nothing is. None if that is no answer about it.
    pub(super) fn judge(&self, led: &Successors) -> Option<Option<Finding>> {
        let deviations = compare(&self.manifest, &self.body, &self.states, &self.states, &self.output, led)?;
        Some(found(&self.manifest, &deviations, &self.output, led.output.as_ref()))
    }
}

/// Reads a packed answer about `body` and a trace of so many states: what they lead to, and the output's file if they lead that far.
pub(super) fn read_answer(body: &Body, states: usize, packed: &Bytes) -> Option<Successors> {
    let mut led = unpack(packed)?;
    let output = if led.len() > states { Some(output::read(body, &led.pop()?).ok()?) } else { None };
    (!led.is_empty() && led.len() <= states).then_some(Successors { states: led, output })
}
