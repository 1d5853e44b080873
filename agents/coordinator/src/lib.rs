//! `coordinator-agent`: takes apps' tasks, gives each to a miner drawn by stake, checks and keeps the results, and pays.
//!
//! | Module | Holds |
//! |---|---|
//! | [`task`] | the states of a task |
//! | [`dispatch`] | the queue, who is live, who can take what |
//! | [`coordinator`] | the shared state and the dispatch loop |
//! | [`session`] | nonces and tokens of the link |
//! | [`link`] | the miners' side of the HTTP server |
//! | [`api`] | the apps' side of it |
//! | [`store`] | SQLite |
//! | [`funding`] | keeps channels funded on chain |

pub mod api;
pub mod audit;
pub mod catalogue;
pub mod challenge;
pub mod cli;
pub mod config;
pub mod coordinator;
pub mod dispatch;
pub mod error;
pub mod funding;
mod input;
pub mod link;
mod output;
pub mod run;
pub mod session;
pub mod store;
pub mod task;
