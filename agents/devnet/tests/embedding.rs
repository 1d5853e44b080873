//! Texts become vectors with the real programs: the ones that the model makes on this machine, signed and paid for.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use cuckoo_devnet::{
    network::Network,
    plan::{MinerPlan, Plan},
    refusal::Refusal,
    toolchain::Toolchain,
    until,
};
use cuckoo_inference::{Device, Model, Output, Package, runtime};
use cuckoo_protocol::{
    body::{Body, EmbeddingBody, TEXT_OVERHEAD},
    trace::bytes_hash,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{ops::ControlFlow, time::Duration};

const TEXTS: [&str; 3] = ["A cuckoo lays its eggs in the nests of other birds.", "猫 🐦", "Stocks fell."];

#[tokio::test]
async fn texts_become_the_vectors_that_the_model_makes_here() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let miners = MinerPlan::unequal_three()[..1].to_vec();
    let plan = Plan { model: "minilm".to_owned(), miners, ..Plan::private(&toolchain, "embedding")? };
    let mut network = Network::up(plan).await?;
    let local = embed_here(&toolchain, &TEXTS)?;

    // In base64 the bytes are the very ones that the miner signed.
    let answer = network.app.embed(&json!({ "input": TEXTS, "encoding_format": "base64" })).await?;
    let (body, earned) = network.expectation.check_receipt(&answer.receipt)?;
    let Body::Embedding(EmbeddingBody { input, dimensions: 384 }) = body else { anyhow::bail!("{body:?}") };
    ensure!(input == TEXTS, "the request has other texts: {input:?}");
    let text = |value: &Value| BASE64_STANDARD.decode(value.as_str().context("no base64")?).context("no base64");
    let bytes = answer.embeddings.iter().map(text).collect::<Result<Vec<_>>>()?.concat();
    ensure!(bytes_hash(&bytes) == Some(answer.receipt.result.message.outputHash), "not what the miner signed");
    ensure!(answer.receipt.result.message.states == 2);
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    ensure!(values.len() == local.len());
    let error = values.iter().zip(&local).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(error <= 1e-5, "the vectors are off by {error:e}");
    let paid_for = TEXTS.iter().map(|text| text.len() as u64 + u64::from(TEXT_OVERHEAD)).sum::<u64>();
    ensure!(answer.tokens == paid_for && !earned.price.is_zero(), "{answer:?}");

    // A text alone, as numbers, is the same vector.
    let alone = network.app.embed(&json!({ "model": "minilm", "input": TEXTS[2] })).await?;
    let numbers: Vec<f32> = serde_json::from_value(alone.embeddings[0].clone())?;
    ensure!(alone.embeddings.len() == 1 && numbers == values[2 * 384..], "another vector for a text alone");

    // Without waiting.
    let task = network.app.submit(&json!({ "input": [TEXTS[2]], "dimensions": 384 })).await?;
    let data = until("the task to end", Duration::from_secs(30), async || {
        let (_, answer) = network.app.call(Method::GET, &format!("/v1/tasks/{}", task.id), None).await?;
        Ok(serde_json::from_slice::<Value>(&answer)?.get("data").cloned())
    })
    .await?;
    ensure!(serde_json::from_value::<Vec<f32>>(data[0]["embedding"].clone())? == numbers, "{data}");

    for (what, path, request, status, code, param) in [
        ("nothing", "/v1/embeddings", json!({ "input": [] }), 422, "impossible_request", Some("input")),
        ("an empty text", "/v1/embeddings", json!({ "input": ["a", ""] }), 422, "impossible_request", Some("input")),
        (
            "a long text",
            "/v1/embeddings",
            json!({ "input": "x".repeat(2001) }),
            422,
            "impossible_request",
            Some("input"),
        ),
        (
            "long texts",
            "/v1/embeddings",
            json!({ "input": vec!["x".repeat(2000); 9] }),
            422,
            "impossible_request",
            Some("input"),
        ),
        ("token numbers", "/v1/embeddings", json!({ "input": [1, 2] }), 400, "malformed", None),
        ("no input", "/v1/embeddings", json!({ "model": "minilm" }), 400, "malformed", None),
        (
            "another length",
            "/v1/embeddings",
            json!({ "input": "a", "dimensions": 64 }),
            422,
            "impossible_request",
            Some("dimensions"),
        ),
        ("hex", "/v1/embeddings", json!({ "input": "a", "encoding_format": "hex" }), 400, "malformed", None),
        ("an unknown field", "/v1/embeddings", json!({ "input": "a", "truncate": true }), 400, "malformed", None),
        (
            "another model",
            "/v1/embeddings",
            json!({ "input": "a", "model": "ada" }),
            404,
            "model_not_found",
            Some("model"),
        ),
        (
            "base64 later",
            "/v1/tasks",
            json!({ "input": "a", "encoding_format": "base64" }),
            422,
            "impossible_request",
            Some("encoding_format"),
        ),
        ("a picture", "/v1/images/generations", json!({ "prompt": "a cat" }), 404, "model_not_found", Some("model")),
        (
            "a picture of text",
            "/v1/images/generations",
            json!({ "prompt": "a cat", "model": "minilm" }),
            422,
            "impossible_request",
            Some("model"),
        ),
    ] {
        let (found, answer) = network.app.call(Method::POST, path, Some(request.to_string().into_bytes())).await?;
        ensure!(!found.is_success(), "{what} was accepted");
        let refusal = Refusal::expect(what, Err::<(), _>(Refusal::read(found, &answer)))?.is(status, code)?;
        ensure!(refusal.detail.param.as_deref() == param, "{what} blames {:?}", refusal.detail.param);
    }
    network.check()?;
    network.stop().await
}

/// The vectors that the fetched model makes without any network, one after another.
fn embed_here(toolchain: &Toolchain, texts: &[&str]) -> Result<Vec<f32>> {
    runtime::init(Some(&toolchain.onnxruntime))?;
    let package = Package::open(toolchain.model("minilm")?)?;
    let mut model = Model::load(&package, &Device::Cpu { threads: 1 })?;
    let body = package.manifest().embedding_body(texts.iter().map(ToString::to_string).collect())?;
    let generation = model.generate(&body.into(), &[], &mut |_, _| ControlFlow::Continue(()))?;
    let Output::Vectors(vectors) = generation.output else { anyhow::bail!("no vectors") };
    Ok(vectors.values)
}
