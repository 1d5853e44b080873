//! An app: a client of the coordinator's API.

use crate::refusal::Refusal;
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use cuckoo_protocol::receipt::Receipt;
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// A client with one key.
#[derive(Clone)]
pub struct App {
    client: reqwest::Client,
    url: String,
    api_key: String,
}

/// A finished task: the picture and the proof of who drew it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// PNG.
    pub png: Vec<u8>,
    /// Both signed messages.
    pub receipt: Receipt,
}

/// A finished embedding task.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// As the answer has them: lists of numbers, or base64.
    pub embeddings: Vec<Value>,
    /// What was paid for.
    pub tokens: u64,
    /// Both signed messages.
    pub receipt: Receipt,
}

/// `GET /v1/network`: what is used of it here.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct NetworkView {
    pub chain_id: u64,
    pub coordinator: Address,
    pub node: Address,
    pub stale: bool,
    pub miners: Vec<MinerView>,
}

/// A registered miner as the coordinator sees it.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct MinerView {
    pub operator: Address,
    pub node: Address,
    #[serde(with = "cuckoo_protocol::amount::wei")]
    pub weight: U256,
    pub live: bool,
    pub busy: u32,
    pub served: u64,
}

/// `GET /v1/tasks/{id}`: what is used of it here.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct TaskView {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub miner: Option<Address>,
    #[serde(default)]
    pub error: Option<Value>,
}

/// One of `GET /v1/challenges`: what is used of it here.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct ChallengeView {
    pub task: String,
    pub miner: Address,
    pub transition: u32,
    pub reason: String,
    pub status: String,
    pub dispute: Option<B256>,
    #[serde(default)]
    pub slashed: Option<String>,
}

/// `GET /v1/models`: what is used of it here.
#[derive(Debug, Deserialize)]
struct ModelList {
    data: Vec<ModelView>,
}

#[derive(Debug, Deserialize)]
struct ModelView {
    id: String,
    model_id: B256,
}

#[derive(Deserialize)]
struct Images {
    data: Vec<Image>,
    cuckoo: Receipt,
}

impl Images {
    /// The one picture that there should be.
    fn only(self) -> Result<Picture> {
        let [image] = self.data.as_slice() else { bail!("{} pictures came, not one", self.data.len()) };
        let png = BASE64_STANDARD.decode(&image.b64_json).context("b64_json is no base64")?;
        Ok(Picture { png, receipt: self.cuckoo })
    }
}

#[derive(Deserialize)]
struct Embeddings {
    object: String,
    data: Vec<Embedding>,
    usage: Usage,
    cuckoo: Receipt,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Value,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
}

#[derive(Deserialize)]
struct Image {
    b64_json: String,
}

impl App {
    /// A client of the coordinator at `url`.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn new(url: String, api_key: String) -> Result<Self> {
        // A picture may wait in a queue; nothing here waits longer than this.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(120)).no_proxy().build()?;
        Ok(Self { client, url, api_key })
    }

    /// Calls the API and gives status and body.
    ///
    /// # Errors
    /// If no answer comes.
    pub async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<(StatusCode, Vec<u8>)> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.api_key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.with_context(|| format!("no answer to {path}"))?;
        Ok((answer.status(), answer.bytes().await?.to_vec()))
    }

    /// Draws a picture: `POST /v1/images/generations`.
    ///
    /// # Errors
    /// A [`Refusal`], or if the answer is not what it should be.
    pub async fn generate(&self, request: &Value) -> Result<Picture> {
        let path = "/v1/images/generations";
        self.json::<Images>(Method::POST, path, Some(request)).await?.only()
    }

    /// Has a picture made of pictures, PNG files in order: `POST /v1/images/edits`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn edit(&self, pictures: &[Vec<u8>], fields: &[(&'static str, String)]) -> Result<Picture> {
        let mut form = Form::new();
        for (name, value) in fields {
            form = form.text(*name, value.clone());
        }
        for (at, picture) in pictures.iter().enumerate() {
            let name = if pictures.len() == 1 { "image" } else { "image[]" };
            form = form.part(name, Part::bytes(picture.clone()).file_name(format!("{at}.png")));
        }
        let url = format!("{}/v1/images/edits", self.url);
        let answer = self.client.post(url).bearer_auth(&self.api_key).multipart(form).send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        if !status.is_success() {
            return Err(Refusal::read(status, &bytes));
        }
        serde_json::from_slice::<Images>(&bytes).context("the answer is not what it should be")?.only()
    }

    /// Embeds texts: `POST /v1/embeddings`.
    ///
    /// # Errors
    /// As [`Self::generate`], also if the vectors come in another order.
    pub async fn embed(&self, request: &Value) -> Result<Vectors> {
        let answer: Embeddings = self.json(Method::POST, "/v1/embeddings", Some(request)).await?;
        let in_order = answer.data.iter().enumerate().all(|(at, item)| item.index == at);
        ensure!(in_order && answer.object == "list", "the vectors are not in order");
        let embeddings = answer.data.into_iter().map(|item| item.embedding).collect();
        Ok(Vectors { embeddings, tokens: answer.usage.prompt_tokens, receipt: answer.cuckoo })
    }

    /// Hands in a task and does not wait for it: `POST /v1/tasks`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn submit(&self, request: &Value) -> Result<TaskView> {
        self.json(Method::POST, "/v1/tasks", Some(request)).await
    }

    /// A task's state: `GET /v1/tasks/{id}`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn task(&self, id: &str) -> Result<TaskView> {
        self.json(Method::GET, &format!("/v1/tasks/{id}"), None).await
    }

    /// A finished task's picture, from `GET /v1/tasks/{id}` and `GET /v1/tasks/{id}/receipt`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn picture(&self, id: &str) -> Result<Picture> {
        #[derive(Deserialize)]
        struct Done {
            data: Vec<Image>,
        }
        let done: Done = self.json(Method::GET, &format!("/v1/tasks/{id}"), None).await?;
        let image = done.data.first().context("the task has no picture")?;
        let png = BASE64_STANDARD.decode(&image.b64_json).context("b64_json is no base64")?;
        let receipt = self.json(Method::GET, &format!("/v1/tasks/{id}/receipt"), None).await?;
        Ok(Picture { png, receipt })
    }

    /// The miners: `GET /v1/network`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn network(&self) -> Result<NetworkView> {
        self.json(Method::GET, "/v1/network", None).await
    }

    /// Results that audits found false: `GET /v1/challenges`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub async fn challenges(&self) -> Result<Vec<ChallengeView>> {
        self.json(Method::GET, "/v1/challenges", None).await
    }

    /// The modelId of a model that the coordinator offers: `GET /v1/models`.
    ///
    /// # Errors
    /// If it offers none of that name.
    pub async fn model_id(&self, name: &str) -> Result<B256> {
        let list: ModelList = self.json(Method::GET, "/v1/models", None).await?;
        let model = list.data.iter().find(|model| model.id == name);
        model.map(|model| model.model_id).with_context(|| format!("the coordinator does not offer {name}"))
    }

    /// Whether the coordinator takes tasks: `GET /readyz`.
    pub async fn ready(&self) -> bool {
        self.call(Method::GET, "/readyz", None).await.is_ok_and(|(status, _)| status == StatusCode::OK)
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T> {
        let body = body.map(serde_json::to_vec).transpose()?;
        let (status, bytes) = self.call(method, path, body).await?;
        if !status.is_success() {
            return Err(Refusal::read(status, &bytes));
        }
        serde_json::from_slice(&bytes).with_context(|| format!("the answer of {path} is not what it should be"))
    }
}

/// A request for a picture at the model's defaults.
pub fn prompt(model: &str, prompt: &str) -> Value {
    json!({ "model": model, "prompt": prompt, "n": 1, "response_format": "b64_json" })
}
