//! What a transition leads from and to.

use crate::error::InferenceError;
use std::fmt;

/// A state of a program: its tensors in manifest order, each in C order without a batch axis.
#[derive(Clone, PartialEq)]
pub struct State {
    tensors: Vec<Vec<f32>>,
}

impl State {
    /// A state of these tensors.
    pub fn new(tensors: Vec<Vec<f32>>) -> Self {
        Self { tensors }
    }

    /// Reads the canonical bytes of a state whose tensors have `lengths` values each.
    ///
    /// # Errors
    /// [`InferenceError::State`] if there are more or fewer bytes than that. Any bit pattern is a value.
    pub fn from_bytes(lengths: &[usize], bytes: &[u8]) -> Result<Self, InferenceError> {
        let expected = lengths.iter().sum::<usize>() * size_of::<f32>();
        if bytes.len() != expected {
            return Err(InferenceError::State { expected, found: bytes.len() });
        }
        let mut values = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
        Ok(Self { tensors: lengths.iter().map(|&length| values.by_ref().take(length).collect()).collect() })
    }

    /// The canonical bytes: tensors in manifest order, f32 little-endian. They are what a trace commits to.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.tensors.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// The tensors' values.
    pub fn tensors(&self) -> &[Vec<f32>] {
        &self.tensors
    }

    /// Whether no value is infinite or not a number.
    pub fn is_finite(&self) -> bool {
        self.tensors.iter().flatten().all(|value| value.is_finite())
    }

    /// Checks that the tensors have `lengths` values each.
    pub(crate) fn expect(&self, lengths: &[usize]) -> Result<(), InferenceError> {
        if self.tensors.iter().map(Vec::len).eq(lengths.iter().copied()) {
            return Ok(());
        }
        let bytes = |values: usize| values * size_of::<f32>();
        let found = bytes(self.tensors.iter().map(Vec::len).sum());
        Err(InferenceError::State { expected: bytes(lengths.iter().sum()), found })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<usize> = self.tensors.iter().map(Vec::len).collect();
        write!(f, "State {{ lengths: {lengths:?}, .. }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_little_endian_in_manifest_order() {
        let state = State::new(vec![vec![1.0, -2.0], vec![f32::from_bits(0x0102_0304)]]);
        let bytes = state.to_bytes();
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 4, 3, 2, 1]);
        assert_eq!(State::from_bytes(&[2, 1], &bytes).unwrap(), state);
        for wrong in [&bytes[..8], &[&bytes[..], &[0]].concat()] {
            assert!(matches!(State::from_bytes(&[2, 1], wrong), Err(InferenceError::State { expected: 12, .. })));
        }
    }

    #[test]
    fn one_bad_value_is_found() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!State::new(vec![vec![0.0; 3], vec![0.0, bad]]).is_finite());
        }
        assert!(State::new(vec![vec![f32::MAX, f32::MIN_POSITIVE]]).is_finite());
    }
}
