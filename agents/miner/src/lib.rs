//! The miner's agent: logs in at coordinators, claims leases, runs the models, submits results, keeps and collects vouchers.

mod backoff;
pub mod cli;
pub mod collect;
pub mod config;
pub mod credit;
mod doctor;
mod draws;
pub mod duty;
pub mod fleet;
pub mod lease;
pub mod link;
pub mod metrics;
pub mod model;
mod run;
pub mod session;
pub mod slots;
pub mod standing;
pub mod store;
pub mod voucher;
pub mod workshop;
