//! Requests, traces and outputs as `test/vectors/encodings.json` publishes them; the contracts' tests check the same file.
//! `UPDATE_VECTORS=1 cargo test -p cuckoo-protocol --test encodings` writes it anew, which changes a format of the network.

use alloy::primitives::{B256, Bytes, hex, keccak256};
use cuckoo_protocol::{
    body::ImageBody,
    merkle::{self, Kind, leaf_of},
    request::{self, Request},
    trace::{CHUNK_BYTES, output_hash, state_root, trace_root},
};
use serde_json::{Value, json};
use std::{env, fs};

#[test]
fn encodings_are_those_that_were_published() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/encodings.json");
    let computed = json!({ "requests": requests(), "traces": traces(), "outputs": outputs() });
    if env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(path, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
    }
    let published: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(computed, published);
}

fn requests() -> Vec<Value> {
    let body = |prompt: &str, steps, seed| ImageBody {
        prompt: prompt.to_owned(),
        negative_prompt: "blur".to_owned(),
        width: 64,
        height: 64,
        steps,
        guidance: "7.5".parse().unwrap(),
        seed,
        scheduler: "ddim".to_owned(),
        strength: None,
    };
    [body("a red apple", 20, 42), body("\"quotes\" \\ \u{1}\u{7f} é 苹果 🍎", 1, (1 << 53) - 1)]
        .iter()
        .enumerate()
        .map(|(i, body)| {
            let request =
                Request::new(keccak256([i as u8]), keccak256([i as u8, 1]), &body.clone().into(), &[], i == 0);
            let bytes = request.encode().unwrap();
            json!({
                "modelId": request.model_id, "salt": request.salt, "states": request.states, "flags": request.flags,
                "blobRoot": request.blob_root, "body": hex::encode_prefixed(&request.body),
                "bytes": hex::encode_prefixed(&bytes), "hash": request::hash(&bytes),
            })
        })
        .collect()
}

/// Bytes that are easy to make anywhere: byte i is i × 7 + `start`, mod 251.
fn pattern(start: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 7 + start) % 251) as u8).collect()
}

fn traces() -> Vec<Value> {
    [(2, 100), (5, 4096), (3, 2 * CHUNK_BYTES + 5)]
        .into_iter()
        .map(|(count, length)| {
            let states: Vec<Vec<u8>> = (0..count).map(|start| pattern(start, length)).collect();
            let roots: Vec<B256> = states.iter().map(|state| state_root(state)).collect();
            // The last chunk of the last state, proven in two parts: chunk in state, state in trace.
            let last = &states[count - 1];
            let chunks: Vec<B256> =
                last.chunks(CHUNK_BYTES).enumerate().map(|(i, chunk)| leaf_of(Kind::Chunk, i, chunk)).collect();
            let leaves: Vec<B256> = roots
                .iter()
                .enumerate()
                .map(|(k, state_root)| merkle::leaf(Kind::State, k as u64, length as u64, *state_root))
                .collect();
            let chunk = last.chunks(CHUNK_BYTES).last().unwrap();
            json!({
                "states": count, "length": length, "stateRoots": roots, "root": trace_root(&states),
                "chunkIndex": chunks.len() - 1, "chunk": Bytes::copy_from_slice(chunk),
                "chunkProof": merkle::proof(&chunks, chunks.len() - 1).unwrap(),
                "stateProof": merkle::proof(&leaves, count - 1).unwrap(),
            })
        })
        .collect()
}

fn outputs() -> Vec<Value> {
    [(64, 64), (1, 1), (130, 70)]
        .into_iter()
        .map(|(width, height)| {
            let rgb = pattern(1, (width * height * 3) as usize);
            json!({ "width": width, "height": height, "hash": output_hash(width, height, &rgb).unwrap() })
        })
        .collect()
}
