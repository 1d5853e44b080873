//! Pictures that apps send, as the raw pixels that requests commit to.

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Most pixels of a side: no manifest allows more.
const MAX_SIDE: u32 = 4096;

/// Most bytes that decoding may take: four 16-bit channels of the largest picture that a model can be given, and as much to work with.
const MAX_DECODED_BYTES: u64 = 64 << 20;

/// A picture that came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Three bytes a pixel, rows from the top.
    pub rgb: Vec<u8>,
}

/// Why a file is not taken as a picture.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Of another format, or damaged.
    #[error("it is no picture that can be read: send PNG, JPEG or WebP ({0})")]
    Unreadable(String),
    /// Parts of it are not there.
    #[error("it has transparent parts: no model here fills them in, so send it without transparency")]
    Transparent,
    /// Too large for any model.
    #[error(
        "it has {width}x{height} pixels, no model takes sides of more than {MAX_SIDE}: scale it down before sending"
    )]
    Huge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// Reads a PNG, JPEG or WebP file. It is turned as its Exif data says, and never scaled: then whoever has the file has the pixels.
///
/// # Errors
/// [`InputError`].
pub fn read(file: &[u8]) -> Result<Picture, InputError> {
    let unreadable = |error: &dyn std::fmt::Display| InputError::Unreadable(error.to_string());
    let format = image::guess_format(file).map_err(|error| unreadable(&error))?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        return Err(unreadable(&format!("this is {format:?}")));
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    // A small file may claim a huge picture.
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE {
        return Err(InputError::Huge { width, height });
    }
    let orientation = decoder.orientation().map_err(|error| unreadable(&error))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(&error))?;
    picture.apply_orientation(orientation);
    if picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] != u8::MAX) {
        return Err(InputError::Transparent);
    }
    let rgb = picture.into_rgb8();
    Ok(Picture { width: rgb.width(), height: rgb.height(), rgb: rgb.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage, RgbaImage};

    fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn gradient() -> RgbImage {
        RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8 * 50, y as u8 * 80, 7]))
    }

    #[test]
    fn pixels_are_what_the_file_holds_row_by_row() {
        let wanted = Picture { width: 5, height: 3, rgb: gradient().into_raw() };
        assert_eq!(read(&file(gradient(), ImageFormat::Png)).unwrap(), wanted);
        assert_eq!(read(&file(gradient(), ImageFormat::WebP)).unwrap(), wanted);
        let opaque: RgbaImage = DynamicImage::from(gradient()).to_rgba8();
        assert_eq!(read(&file(opaque, ImageFormat::Png)).unwrap(), wanted);
        let grey = read(&file(GrayImage::from_pixel(2, 1, image::Luma([9])), ImageFormat::Png)).unwrap();
        assert_eq!(grey, Picture { width: 2, height: 1, rgb: vec![9; 6] });
        let lossy = read(&file(gradient(), ImageFormat::Jpeg)).unwrap();
        assert_eq!((lossy.width, lossy.height, lossy.rgb.len()), (5, 3, 45));
    }

    #[test]
    fn a_turned_photograph_is_set_upright() {
        // An Exif segment that says: turn by 90 degrees to the right.
        let exif = [&b"Exif\0\0MM\0*\0\0\0\x08\0\x01"[..], &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0], &[0, 0, 0, 0]]
            .concat();
        let plain = file(gradient(), ImageFormat::Jpeg);
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let turned = [&plain[..2], &[0xff, 0xe1], &length, &exif, &plain[2..]].concat();
        let (plain, turned) = (read(&plain).unwrap(), read(&turned).unwrap());
        assert_eq!((turned.width, turned.height), (3, 5));
        // The lower left corner has come to the upper left.
        assert_eq!(turned.rgb[..3], plain.rgb[2 * 15..2 * 15 + 3]);
    }

    #[test]
    fn what_is_no_whole_picture_is_refused_with_what_to_do() {
        let says = |file: &[u8]| read(file).unwrap_err().to_string();
        let png = file(gradient(), ImageFormat::Png);
        for wrong in [&b""[..], b"a red apple", b"GIF89a\x01\0\x01\0", &png[..png.len() / 2], &png[1..]] {
            assert!(says(wrong).contains("send PNG, JPEG or WebP"), "{}", says(wrong));
        }
        let hole = RgbaImage::from_pixel(4, 4, image::Rgba([1, 2, 3, 254]));
        assert!(says(&file(hole, ImageFormat::Png)).contains("without transparency"));
        assert!(says(&file(GrayImage::new(4097, 1), ImageFormat::Png)).contains("scale it down"));
        assert!(
            says(&file(image::ImageBuffer::<image::Rgba<u16>, _>::new(4096, 4096), ImageFormat::Png)).contains("send")
        );
    }
}
