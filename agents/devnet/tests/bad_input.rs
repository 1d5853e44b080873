//! Bad input gets a clear error, and loses nothing.

use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    app::{App, prompt},
    network::Network,
    plan::Plan,
    refusal::Refusal,
    toolchain::Toolchain,
    until,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What a coordinator may be sent: a request, the status and code that it answers, and the field that it blames.
type Case = (&'static str, Vec<u8>, u16, &'static str, Option<&'static str>);

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_loses_nothing() -> Result<()> {
    let plan = Plan::private(&Toolchain::find()?, "bad-input")?;
    let model = plan.model.clone();
    let mut network = Network::up(plan).await?;

    // A task in work while all of this arrives.
    let held = network.app.submit(&prompt(&model, "a yellow fish")).await?.id;

    let with = |field: &str, value: Value| {
        let mut request = prompt(&model, "a red apple");
        request[field] = value;
        request.to_string().into_bytes()
    };
    let mut nameless = prompt(&model, "");
    if let Some(fields) = nameless.as_object_mut() {
        fields.remove("prompt");
    }
    let cases: Vec<Case> = vec![
        ("an unknown model", with("model", json!("dall-e-3")), 404, "model_not_found", Some("model")),
        ("an impossible size", with("size", json!("512x512")), 422, "impossible_request", Some("size")),
        ("a size that is none", with("size", json!("big")), 422, "impossible_request", Some("size")),
        ("no steps", with("steps", json!(0)), 422, "impossible_request", Some("steps")),
        ("too many steps", with("steps", json!(1000)), 422, "impossible_request", Some("steps")),
        ("an unknown sampler", with("scheduler", json!("magic")), 422, "impossible_request", Some("scheduler")),
        ("too much guidance", with("guidance", json!(1e9)), 422, "impossible_request", Some("guidance")),
        ("a prompt too long", with("prompt", json!("x".repeat(3000))), 422, "impossible_request", Some("prompt")),
        ("two pictures", with("n", json!(2)), 422, "impossible_request", Some("n")),
        ("no prompt", nameless.to_string().into_bytes(), 400, "malformed", None),
        ("a prompt that is a number", with("prompt", json!(5)), 400, "malformed", None),
        ("half a body", br#"{"prompt": "a red"#.to_vec(), 400, "malformed", None),
        ("no JSON", b"\xff\xfe\x00".to_vec(), 400, "malformed", None),
        ("no body", Vec::new(), 400, "malformed", None),
    ];
    for path in ["/v1/images/generations", "/v1/tasks"] {
        for (what, body, status, code, field) in &cases {
            let refusal = refused(&network.app, Method::POST, path, Some(body.clone())).await;
            let refusal =
                refusal.and_then(|refusal| refusal.is(*status, code)).with_context(|| format!("{path}: {what}"))?;
            ensure!(refusal.detail.message.len() > 10, "{path}: {what} gets no sentence: {refusal}");
            if field.is_some() {
                ensure!(refusal.detail.param.as_deref() == *field, "{path}: {what} blames {:?}", refusal.detail.param);
            }
        }
        let oversized = prompt(&model, &"x".repeat(100_000)).to_string().into_bytes();
        refused(&network.app, Method::POST, path, Some(oversized)).await?.is(413, "too_large")?;
    }
    for (method, path) in [(Method::GET, "/v1/tasks/nonsense"), (Method::GET, "/v1/tasks/nonsense/receipt")] {
        let refusal = refused(&network.app, method, path, None).await?;
        ensure!(refusal.status.as_u16() == 404, "{path}: {refusal}");
    }
    refused(&network.app, Method::GET, "/v1/pictures", None).await?.is(404, "not_found")?;
    refused(&network.app, Method::DELETE, "/v1/models", None).await?.is(405, "method_not_allowed")?;
    let stranger = App::new(network.coordinator_url(), "ck_wrong".to_owned())?;
    let refusal = Refusal::expect("a wrong key", stranger.generate(&prompt(&model, "a red apple")).await)?;
    refusal.is(401, "invalid_api_key")?;

    // Nothing of it was lost or broke anything.
    network.check()?;
    until("the task that was held to end", Duration::from_secs(30), async || {
        Ok((network.app.task(&held).await?.status == "done").then_some(()))
    })
    .await?;
    network.expectation.check("a yellow fish", &network.app.picture(&held).await?)?;
    let after = network.app.generate(&prompt(&model, "a red apple")).await?;
    network.expectation.check("a red apple", &after)?;
    network.stop().await
}

async fn refused(app: &App, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Refusal> {
    let (status, answer) = app.call(method, path, body).await?;
    ensure!(!status.is_success(), "it was accepted: {}", String::from_utf8_lossy(&answer));
    Refusal::expect("it", Err::<(), _>(Refusal::read(status, &answer)))
}
