//! What an app asked for, and the states it goes through. The only place that knows which move is allowed.

use std::{fmt, str::FromStr};

/// Miners that a task is offered to before it fails; never the same one twice.
pub const MAX_TRIES: usize = 3;

/// State of a task.
///
/// ```text
/// Queued ──lease──▶ Leased ──result──▶ Done
///   ▲  │             │  │
///   │  └──cancel─────│──┴─▶ Cancelled
///   └──lease over────┴─────▶ Failed   (no tries left, or nobody took it in time)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for a miner.
    Queued,
    /// A miner works on it.
    Leased,
    /// A result was accepted and paid.
    Done,
    /// No miner finished it.
    Failed,
    /// The app took it back.
    Cancelled,
}

impl Status {
    /// Whether nothing changes it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Its one spelling in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Queued, Self::Leased, Self::Done, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no status of a task"))
    }
}
