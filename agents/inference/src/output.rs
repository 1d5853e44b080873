//! What a request becomes.

use crate::{error::InferenceError, image::Image};
use alloy::primitives::B256;
use cuckoo_protocol::trace;
use std::fmt;

/// The output of a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A picture.
    Image(Image),
    /// A vector for each text.
    Vectors(Vectors),
}

/// Vectors of one length.
#[derive(Clone, PartialEq)]
pub struct Vectors {
    /// Numbers in each.
    pub dimensions: usize,
    /// One vector after another.
    pub values: Vec<f32>,
}

impl Output {
    /// The root over the output, which the miner signs: over a picture's pixels, over other outputs' bytes.
    ///
    /// # Errors
    /// [`InferenceError::Image`] if a picture is not of its own size, [`InferenceError::Empty`] for no vectors.
    pub fn hash(&self) -> Result<B256, InferenceError> {
        match self {
            Self::Image(image) => {
                trace::output_hash(image.width, image.height, &image.rgb).ok_or_else(|| image.wrong_length())
            }
            Self::Vectors(vectors) => trace::bytes_hash(&vectors.to_bytes()).ok_or(InferenceError::Empty),
        }
    }

    /// The output as the file that is handed over: a picture's PNG, vectors' canonical bytes.
    ///
    /// # Errors
    /// As [`Image::png`].
    pub fn file(&self) -> Result<Vec<u8>, InferenceError> {
        match self {
            Self::Image(image) => image.png(),
            Self::Vectors(vectors) => Ok(vectors.to_bytes()),
        }
    }

    /// The picture, if it is one.
    pub fn image(&self) -> Option<&Image> {
        match self {
            Self::Image(image) => Some(image),
            Self::Vectors(_) => None,
        }
    }

    /// The vectors, if they are some.
    pub fn vectors(&self) -> Option<&Vectors> {
        match self {
            Self::Image(_) => None,
            Self::Vectors(vectors) => Some(vectors),
        }
    }

    /// What it is and how large, for messages.
    pub(crate) fn size(&self) -> String {
        match self {
            Self::Image(image) => format!("a picture of {}", image.size()),
            Self::Vectors(vectors) => format!("{vectors:?}"),
        }
    }
}

impl Vectors {
    /// The canonical bytes: f32 little-endian, one vector after another.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// The vectors one by one.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.dimensions.max(1))
    }
}

impl fmt::Debug for Vectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (values, dimensions) = (self.values.len(), self.dimensions);
        write!(f, "{values} numbers in vectors of {dimensions}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_committed_to_by_their_bytes() {
        let vectors = Vectors { dimensions: 2, values: vec![1.0, -2.0, 0.5, 0.0] };
        assert_eq!(vectors.iter().collect::<Vec<_>>(), [[1.0, -2.0], [0.5, 0.0]]);
        let output = Output::Vectors(vectors.clone());
        assert_eq!(output.file().unwrap()[..8], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(output.hash().unwrap(), trace::bytes_hash(&output.file().unwrap()).unwrap());
        let none = Output::Vectors(Vectors { values: vec![], ..vectors });
        assert!(matches!(none.hash(), Err(InferenceError::Empty)));
    }
}
