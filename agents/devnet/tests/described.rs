//! What `/openapi.json` says of the API is what the API does.

use anyhow::{Context, Result, ensure};
use cuckoo_devnet::{
    app::{App, prompt},
    network::Network,
    plan::{MinerPlan, Plan},
    toolchain::Toolchain,
    until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn the_api_is_as_it_is_described() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let miners = MinerPlan::unequal_three()[..1].to_vec();
    let plan = Plan { audit_rate: 1.0, miners, ..Plan::private(&toolchain, "described")? };
    let model = plan.model.clone();
    let mut network = Network::up(plan).await?;
    let description = Description::read(&network.app).await?;

    let ask = prompt(&model, "a red apple");
    let picture = description.check(&network.app, "POST", "/v1/images/generations", "", Some(&ask)).await?;
    let task = picture["cuckoo"]["task"].as_str().context("no task")?.to_owned();
    let audited = until("the audit to pass", Duration::from_secs(30), async || {
        let answer = description.check(&network.app, "GET", "/v1/tasks/{id}", &task, None).await?;
        Ok((answer["audit"] == "passed").then_some(answer))
    });
    ensure!(audited.await?["data"].is_array());
    description.check(&network.app, "GET", "/v1/tasks/{id}/receipt", &task, None).await?;
    let later = description.check(&network.app, "POST", "/v1/tasks", "", Some(&ask)).await?;
    let id = later["id"].as_str().context("no id")?;
    description.check(&network.app, "DELETE", "/v1/tasks/{id}", id, None).await?;
    for path in ["/v1/models", "/v1/network", "/v1/challenges"] {
        description.check(&network.app, "GET", path, "", None).await?;
    }
    description.check(&network.app, "GET", "/v1/draws/{sequence}", "0", None).await?;

    // Errors, and that what is said to need a key does, and nothing else.
    description.check(&network.app, "POST", "/v1/images/generations", "", Some(&json!({ "model": model }))).await?;
    description.check(&network.app, "POST", "/v1/embeddings", "", Some(&json!({ "input": "a" }))).await?;
    description.check(&network.app, "GET", "/v1/tasks/{id}", "nonsense", None).await?;
    let stranger = App::new(network.coordinator_url(), "ck_wrong".to_owned())?;
    let mut calls = Vec::new();
    for (path, methods) in description.0["paths"].as_object().context("no paths")? {
        for (method, call) in methods.as_object().context("no methods")? {
            let method: Method = method.to_uppercase().parse()?;
            let (status, _) =
                stranger.call(method.clone(), &path.replace("{id}", "1").replace("{sequence}", "0"), None).await?;
            let wants_key = call["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            ensure!(
                (status == StatusCode::UNAUTHORIZED) == wants_key,
                "{method} {path} answers {status} without a key"
            );
            calls.push(format!("{method} {path}"));
        }
    }
    calls.sort();
    ensure!(
        calls
            == [
                "DELETE /v1/tasks/{id}",
                "GET /healthz",
                "GET /readyz",
                "GET /v1/challenges",
                "GET /v1/draws/{sequence}",
                "GET /v1/models",
                "GET /v1/network",
                "GET /v1/tasks/{id}",
                "GET /v1/tasks/{id}/receipt",
                "POST /v1/embeddings",
                "POST /v1/images/edits",
                "POST /v1/images/generations",
                "POST /v1/tasks",
            ],
        "{calls:?}"
    );
    network.check()?;
    network.stop().await
}

/// `/openapi.json`, in which no object has fields that are not described.
struct Description(Value);

impl Description {
    async fn read(app: &App) -> Result<Self> {
        let (status, body) = app.call(Method::GET, "/openapi.json", None).await?;
        ensure!(status == StatusCode::OK);
        let mut document: Value = serde_json::from_slice(&body)?;
        close(&mut document["components"]["schemas"]);
        Ok(Self(document))
    }

    /// Calls, and holds body and answer against what is said of them.
    async fn check(&self, app: &App, method: &str, path: &str, id: &str, body: Option<&Value>) -> Result<Value> {
        let call = &self.0["paths"][path][method.to_lowercase()];
        ensure!(call.is_object(), "{method} {path} is not described");
        let bytes = body.map(serde_json::to_vec).transpose()?;
        let target = path.replace("{id}", id).replace("{sequence}", id);
        let (status, answer) = app.call(method.parse()?, &target, bytes).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let responses = &call["responses"];
        let response = responses.get(status.as_str()).unwrap_or(&responses["default"]);
        ensure!(
            status.is_success() == responses.get(status.as_str()).is_some(),
            "{method} {path} answers {status}: {answer}"
        );
        self.expect(&response["content"]["application/json"]["schema"], &answer)
            .with_context(|| format!("{method} {path}"))?;
        if let Some(body) = body.filter(|_| status.is_success()) {
            self.expect(&call["requestBody"]["content"]["application/json"]["schema"], body)?;
        }
        Ok(answer)
    }

    fn expect(&self, schema: &Value, value: &Value) -> Result<()> {
        ensure!(schema.is_object(), "there is no schema for {value}");
        self.fits(schema, value).map_err(|fault| anyhow::anyhow!("{fault} in {value}"))
    }

    /// Whether `value` is what `schema` says, for the words of JSON Schema that the description uses; any other is a fault.
    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let fields = schema.as_object().ok_or_else(|| format!("{schema} is no schema"))?;
        for (word, wanted) in fields {
            let list = || wanted.as_array().into_iter().flatten();
            let right = match word.as_str() {
                "description" | "format" | "minimum" => true,
                "$ref" => {
                    let target = wanted.as_str().and_then(|path| self.0.pointer(path.trim_start_matches('#')));
                    return self.fits(target.ok_or_else(|| format!("{wanted} leads nowhere"))?, value);
                }
                "type" if wanted.is_array() => list().any(|one| is(one, value)),
                "type" => is(wanted, value),
                "enum" => list().any(|one| one == value),
                "oneOf" => list().filter(|one| self.fits(one, value).is_ok()).count() == 1,
                "required" => list().all(|name| name.as_str().is_some_and(|name| value.get(name).is_some())),
                "items" => {
                    value.as_array().into_iter().flatten().try_for_each(|item| self.fits(wanted, item))?;
                    true
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().into_iter().flatten() {
                        value.get(name).map_or(Ok(()), |value| self.fits(schema, value))?;
                    }
                    true
                }
                "additionalProperties" => {
                    let known = |name: &String| schema["properties"].get(name).is_some();
                    value.as_object().is_none_or(|object| object.keys().all(known))
                }
                other => return Err(format!("{other} is not understood")),
            };
            if !right {
                return Err(format!("{value} is not as {word} wants it: {wanted}"));
            }
        }
        Ok(())
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

/// Forbids all fields that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && fields["type"] == "object" {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
