//! What a number was when epochs began.

use std::collections::BTreeMap;

/// Epochs of change that are remembered.
const MEMORY: usize = 8;

/// The value after each epoch in which it changed: all of them.
#[derive(Clone, Debug)]
pub struct History<T>(BTreeMap<u64, T>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Default> History<T> {
    /// The number changed to `value` in `epoch`.
    pub fn record(&mut self, epoch: u64, value: T) {
        self.0.insert(epoch, value);
    }

    /// The value when `epoch` began: that of the last change before. None if it changed in more epochs since than are remembered.
    pub fn at_start_of(&self, epoch: u64) -> Option<T> {
        if self.0.range(epoch..).count() > MEMORY {
            return None;
        }
        Some(self.ever_at_start_of(epoch))
    }

    /// The same with the memory of the model, which forgets nothing.
    pub fn ever_at_start_of(&self, epoch: u64) -> T {
        self.0.range(..epoch).next_back().map(|(_, value)| *value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_changes_are_remembered() {
        let mut history = History::default();
        for epoch in 1..=8 {
            history.record(epoch * 10, epoch);
        }
        assert_eq!(history.at_start_of(5), Some(0));
        assert_eq!((history.at_start_of(10), history.at_start_of(11)), (Some(0), Some(1)));
        history.record(90, 9);
        assert_eq!((history.at_start_of(10), history.at_start_of(11)), (None, Some(1)));
        assert_eq!((history.at_start_of(90), history.at_start_of(91)), (Some(8), Some(9)));
    }
}
