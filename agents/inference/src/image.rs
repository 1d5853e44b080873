//! A picture, as programs draw it.

use crate::error::InferenceError;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// A picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Three bytes a pixel, rows from the top: width × height × 3.
    pub rgb: Vec<u8>,
}

impl Image {
    /// The picture as a PNG file. Its bytes may differ between versions: only `rgb` is committed to.
    ///
    /// # Errors
    /// [`InferenceError::Image`] if `rgb` does not have the length that it must have.
    pub fn png(&self) -> Result<Vec<u8>, InferenceError> {
        if self.rgb.len() as u64 != u64::from(self.width) * u64::from(self.height) * 3 {
            return Err(self.wrong_length());
        }
        let mut file = Vec::new();
        PngEncoder::new(&mut file).write_image(&self.rgb, self.width, self.height, ExtendedColorType::Rgb8)?;
        Ok(file)
    }

    /// The error for an `rgb` that is too short or too long.
    pub(crate) fn wrong_length(&self) -> InferenceError {
        InferenceError::Image { expected: self.size(), found: format!("one of {} bytes", self.rgb.len()) }
    }

    /// Such as `64x64`.
    pub(crate) fn size(&self) -> String {
        format!("{}x{}", self.width, self.height)
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image {{ {}, .. }}", self.size())
    }
}
