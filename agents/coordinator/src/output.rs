//! Outputs as files: a picture's PNG, vectors' bytes.

use alloy::primitives::B256;
use cuckoo_inference::{Image, Output, Vectors};
use cuckoo_protocol::body::Body;
use std::io::Cursor;

/// Reads what `body` asks for from its file.
///
/// # Errors
/// Says what is wrong with the file.
pub fn read(body: &Body, file: &[u8]) -> Result<Output, String> {
    match body {
        Body::Image(body) => picture(file, body.width, body.height).map(Output::Image),
        Body::Style(body) => picture(file, body.width, body.height).map(Output::Image),
        Body::Embedding(body) => vectors(file, body.input.len(), body.dimensions as usize).map(Output::Vectors),
    }
}

/// Whether `file` is what `body` asks for and what a result commits to, as far as that can be told without the model.
///
/// # Errors
/// Says what is wrong with it.
pub fn check(body: &Body, file: &[u8], committed: B256) -> Result<(), String> {
    let hash = read(body, file)?.hash().map_err(|e| e.to_string())?;
    if hash == committed {
        return Ok(());
    }
    Err(format!("the output hashes to {hash}, the result commits to {committed}"))
}

/// Vectors: so many, of so many numbers each, all finite.
fn vectors(bytes: &[u8], count: usize, dimensions: usize) -> Result<Vectors, String> {
    let wanted = count * dimensions;
    let (values, rest) = bytes.as_chunks::<4>();
    if values.len() != wanted || !rest.is_empty() {
        return Err(format!("the output has {} bytes, not those of {wanted} f32", bytes.len()));
    }
    let values: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    if !values.iter().all(|value| value.is_finite()) {
        return Err("the output holds numbers that are not finite".to_owned());
    }
    Ok(Vectors { dimensions, values })
}

/// The picture in a PNG.
fn picture(png: &[u8], width: u32, height: u32) -> Result<Image, String> {
    let mut reader = image::ImageReader::with_format(Cursor::new(png), image::ImageFormat::Png);
    // A small file may claim a huge picture.
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(width);
    limits.max_image_height = Some(height);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| format!("the output is no PNG of {width}x{height}: {e}"))?;
    if (picture.width(), picture.height()) != (width, height) {
        return Err(format!("the output is {}x{}, not {width}x{height}", picture.width(), picture.height()));
    }
    let image::DynamicImage::ImageRgb8(picture) = picture else {
        return Err("the output must be 8-bit RGB without alpha".to_owned());
    };
    Ok(Image { width, height, rgb: picture.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuckoo_protocol::{body::EmbeddingBody, trace::bytes_hash};

    #[test]
    fn vectors_are_as_many_as_asked_for_finite_and_signed() {
        let body = EmbeddingBody { input: vec!["a".to_owned(), "b".to_owned()], dimensions: 3 }.into();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let honest = bytes(&[0.0, 1.0, 0.0, 0.6, 0.0, -0.8]);
        let signed = bytes_hash(&honest).unwrap();
        assert_eq!(check(&body, &honest, signed), Ok(()));

        let mut changed = honest.clone();
        changed[23] ^= 1;
        assert!(check(&body, &changed, signed).unwrap_err().contains("commits to"));
        for wrong in [&honest[..12], &honest[..23], &[], &[&honest[..], &[0; 4]].concat()] {
            let signed = bytes_hash(wrong).unwrap_or_default();
            assert!(check(&body, wrong, signed).unwrap_err().contains("not those of 6"));
        }
        for bad in [f32::NAN, f32::NEG_INFINITY] {
            let output = bytes(&[0.0, 1.0, 0.0, 0.6, bad, -0.8]);
            assert!(check(&body, &output, bytes_hash(&output).unwrap()).unwrap_err().contains("not finite"));
        }
    }
}
