//! The canonical bytes of a request, whose keccak256 an offer names.

use crate::{body::Body, trace::blob_root};
use alloy::{
    primitives::{B256, Bytes, keccak256},
    sol_types::{
        SolType,
        sol_data::{self, FixedBytes, Uint},
    },
};

/// Layout version of [`Request`].
pub const VERSION: u8 = 1;

/// Largest encoded request.
pub const MAX_BYTES: usize = 16 * 1024;

/// Flag: the request must not be made public, so its result cannot be disputed.
pub const NON_DISPUTABLE: u8 = 1;

/// What a miner is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which model runs.
    pub model_id: B256,
    /// Random, so that a request's hash tells nothing about its prompt.
    pub salt: B256,
    /// States that the trace must have: N + 1.
    pub states: u32,
    /// Zero or [`NON_DISPUTABLE`].
    pub flags: u8,
    /// Root over input pictures; zero if there is none.
    pub blob_root: B256,
    /// RFC 8785 JSON.
    pub body: Vec<u8>,
}

/// Why request bytes were refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RequestError {
    /// More than [`MAX_BYTES`].
    #[error("the request has {0} bytes, at most {MAX_BYTES} are allowed")]
    TooLarge(usize),
    /// Not the one encoding of a request.
    #[error("the request's bytes are not in canonical form: {0}")]
    Malformed(String),
}

/// Version, modelId, salt, states, flags, blobRoot, body.
type Encoded = (Uint<8>, FixedBytes<32>, FixedBytes<32>, Uint<32>, Uint<8>, FixedBytes<32>, sol_data::Bytes);

impl Request {
    /// A request of a model, with the input pictures in `blob`, which is empty if there are none.
    pub fn new(model_id: B256, salt: B256, body: &Body, blob: &[u8], disputable: bool) -> Self {
        Self {
            model_id,
            salt,
            states: body.states(),
            flags: if disputable { 0 } else { NON_DISPUTABLE },
            blob_root: blob_root(blob),
            body: body.canonical(),
        }
    }

    /// `abi.encode(uint8 version, bytes32 modelId, bytes32 salt, uint32 states, uint8 flags, bytes32 blobRoot, bytes body)`.
    ///
    /// # Errors
    /// [`RequestError::TooLarge`].
    pub fn encode(&self) -> Result<Vec<u8>, RequestError> {
        let body = Bytes::copy_from_slice(&self.body);
        let fields = (VERSION, self.model_id, self.salt, self.states, self.flags, self.blob_root, body);
        let bytes = Encoded::abi_encode_params(&fields);
        if bytes.len() > MAX_BYTES { Err(RequestError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads what [`Request::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_BYTES {
            return Err(RequestError::TooLarge(bytes.len()));
        }
        let malformed = |e: &dyn ToString| RequestError::Malformed(e.to_string());
        let (version, model_id, salt, states, flags, blob_root, body) =
            Encoded::abi_decode_params_validate(bytes).map_err(|e| malformed(&e))?;
        if version != VERSION {
            return Err(malformed(&format!("version {version}, not {VERSION}")));
        }
        if flags & !NON_DISPUTABLE != 0 {
            return Err(malformed(&format!("unknown flags {flags:#x}")));
        }
        let request = Self { model_id, salt, states, flags, blob_root, body: body.to_vec() };
        if request.encode()? != bytes {
            return Err(malformed(&"it would be encoded otherwise"));
        }
        Ok(request)
    }

    /// What the model is asked for. Whether it can do that says [`crate::manifest::Manifest::check`].
    ///
    /// # Errors
    /// [`RequestError::Malformed`] if it is no body, not canonical, or disagrees with `states`.
    pub fn body(&self) -> Result<Body, RequestError> {
        let body: Body = serde_json::from_slice(&self.body).map_err(|e| RequestError::Malformed(e.to_string()))?;
        if body.canonical() != self.body {
            return Err(RequestError::Malformed("the body is not RFC 8785 JSON".to_owned()));
        }
        if body.states() != self.states {
            let text = format!("{} states for {} steps", self.states, body.steps());
            return Err(RequestError::Malformed(text));
        }
        if (body.blob_bytes() == 0) != self.blob_root.is_zero() {
            let text = format!("blobRoot {} for {} bytes of input pictures", self.blob_root, body.blob_bytes());
            return Err(RequestError::Malformed(text));
        }
        Ok(body)
    }
}

/// keccak256 of a request's bytes: `Offer.requestHash`.
pub fn hash(bytes: &[u8]) -> B256 {
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::ImageBody;

    fn body() -> Body {
        let body = ImageBody {
            prompt: "a red apple 🍎".to_owned(),
            negative_prompt: String::new(),
            width: 64,
            height: 64,
            steps: 20,
            guidance: "7.5".parse().unwrap(),
            seed: 42,
            scheduler: "ddim".to_owned(),
            strength: None,
        };
        body.into()
    }

    #[test]
    fn bytes_round_trip_and_have_one_form() {
        let request = Request::new(B256::repeat_byte(1), B256::repeat_byte(2), &body(), &[], false);
        let bytes = request.encode().unwrap();
        assert_eq!(Request::decode(&bytes).unwrap(), request);
        assert_eq!(request.body().unwrap(), body());

        let mut trailing = bytes.clone();
        trailing.extend([0u8; 32]);
        assert!(Request::decode(&trailing).is_err());
        let mut other_version = bytes.clone();
        other_version[31] = 2;
        assert!(Request::decode(&other_version).is_err());
        assert!(Request::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Request::decode(&[]).is_err());
        assert_eq!(Request::decode(&[0; MAX_BYTES + 1]), Err(RequestError::TooLarge(MAX_BYTES + 1)));
    }

    #[test]
    fn a_body_that_is_not_canonical_is_refused() {
        let mut request = Request::new(B256::ZERO, B256::ZERO, &body(), &[], true);
        request.body.insert(1, b' ');
        assert!(request.body().is_err());
        let mut request = Request::new(B256::ZERO, B256::ZERO, &body(), &[], true);
        request.states += 1;
        assert!(request.body().is_err());
    }

    #[test]
    fn an_input_picture_is_committed_to_where_there_is_one() {
        let Body::Image(plain) = body() else { panic!() };
        let with = Body::Image(ImageBody { strength: Some("0.5".parse().unwrap()), ..plain });
        let request = |body, blob: &[u8]| Request::new(B256::ZERO, B256::ZERO, body, blob, true);
        assert_eq!(request(&with, &[7; 64 * 64 * 3]).body().unwrap(), with);
        assert!(request(&with, &[]).body().is_err());
        assert!(request(&body(), &[7]).body().is_err());
    }

    #[test]
    fn the_body_is_sorted_json_without_space() {
        let text = String::from_utf8(body().canonical()).unwrap();
        assert_eq!(
            text,
            r#"{"guidance":"7.5","height":64,"negative_prompt":"","prompt":"a red apple 🍎","scheduler":"ddim","seed":42,"steps":20,"width":64}"#
        );
    }
}
