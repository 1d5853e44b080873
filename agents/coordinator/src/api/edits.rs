//! `POST /v1/images/edits`: a picture made of pictures, as OpenAI's clients call it. One picture and a prompt are drawn anew; two
//! pictures, and a model that restyles, give the first in the manner of the second.

use super::{
    App,
    images::{self, ImageAnswer, ImageRequest, Number},
    openapi::IdempotencyKey,
    submit::{Wish, impossible, model, submit},
    tasks::{done, items, receipt_of},
};
use crate::{
    catalogue::Offered,
    coordinator::Coordinator,
    error::ApiError,
    input::{self, Picture},
};
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Multipart, Request, State, multipart::MultipartError},
    http::{HeaderMap, StatusCode},
};
use cuckoo_protocol::{
    body::{Body, Decimal, Kind, StyleBody},
    manifest::{BodyError, Limits},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// Largest call, pictures and all: a PNG of a million pixels, even one that does not compress, stays below it.
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Pictures decoded at once, since each may take tens of megabytes.
static DECODING: Semaphore = Semaphore::const_new(2);

/// How much is drawn anew where nothing was said, as in diffusers.
const STRENGTH: &str = "0.8";

/// What an app asks for: OpenAI's form, and the fields of `POST /v1/images/generations`. Unknown fields are refused.
pub(super) struct EditRequest {
    /// All but what is about the pictures.
    ask: ImageRequest,
    strength: Option<Number>,
    /// Files, in the order in which they were sent.
    pictures: Vec<Bytes>,
}

/// Draws a picture from pictures, and waits for it.
#[utoipa::path(post, path = "/v1/images/edits", tag = "work", params(IdempotencyKey),
    request_body(content = EditRequest, content_type = "multipart/form-data"),
    responses((status = 200, description = "The picture", body = ImageAnswer), ApiError), security(("api_key" = [])))]
pub(super) async fn edit(
    State(coordinator): State<Arc<Coordinator>>,
    app: App,
    headers: HeaderMap,
    request: EditRequest,
) -> Result<Json<ImageAnswer>, ApiError> {
    let wish = request.wish(&coordinator).await?;
    let id = submit(&coordinator, &app, &headers, wish).await?;
    let task = done(&coordinator, &id).await?;
    let data = items(&coordinator, &task).await?;
    let cuckoo = receipt_of(&coordinator, &task).await?;
    Ok(Json(ImageAnswer::new(&task, data, cuckoo)))
}

impl PartialSchema for EditRequest {
    /// All fields of a generation, and those about the pictures.
    fn schema() -> RefOr<Schema> {
        let mut schema = ImageRequest::schema();
        if let RefOr::T(Schema::Object(form)) = &mut schema {
            let file = |description: &str| {
                let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
                ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).description(Some(description))
            };
            form.description = Some("As a form. Unknown fields are refused.".to_owned());
            form.required.clear();
            let image = file("PNG, JPEG or WebP, of one of the model's sizes.");
            form.properties.insert("image".to_owned(), image.into());
            let images = ArrayBuilder::new()
                .items(file("What to draw, and in whose manner."))
                .min_items(Some(2))
                .max_items(Some(2));
            form.properties.insert("image[]".to_owned(), images.into());
            let strength = ObjectBuilder::new()
                .schema_type(Type::Number)
                .description(Some("Above 0 to 1: how much is drawn anew."));
            form.properties.insert("strength".to_owned(), strength.into());
        }
        schema
    }
}

impl ToSchema for EditRequest {}

impl<S: Send + Sync> FromRequest<S> for EditRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut form = Multipart::from_request(request, state)
            .await
            .map_err(|error| malformed(format!("{error}: send multipart/form-data with the picture as `image`")))?;
        let (mut fields, mut pictures) = (Map::new(), Vec::new());
        while let Some(field) = form.next_field().await.map_err(unread)? {
            let name = field.name().unwrap_or_default().to_owned();
            match name.as_str() {
                // OpenAI's clients add the brackets to a list.
                "image" | "image[]" => pictures.push(field.bytes().await.map_err(unread)?),
                "mask" => {
                    let message = "models here draw the whole picture anew: leave the mask out";
                    return Err(impossible("mask", message.to_owned()));
                }
                _ => {
                    let value = value(&name, field.text().await.map_err(unread)?)?;
                    if fields.insert(name.clone(), value).is_some() {
                        return Err(malformed(format!("{name} is there twice")).param(name));
                    }
                }
            }
        }
        let strength = fields.remove("strength").map(|number| Number::Text(number.to_string()));
        fields.entry("prompt").or_insert_with(|| Value::String(String::new()));
        let ask = serde_json::from_value(Value::Object(fields)).map_err(|error| malformed(error.to_string()))?;
        Ok(Self { ask, strength, pictures })
    }
}

/// A form's text in the type that the field has.
fn value(name: &str, text: String) -> Result<Value, ApiError> {
    let wanted: (&str, fn(&Value) -> bool) = match name {
        "n" | "steps" | "seed" => ("a whole number", Value::is_u64),
        "guidance" | "strength" => ("a number", Value::is_number),
        "disputable" => ("true or false", Value::is_boolean),
        _ => return Ok(Value::String(text)),
    };
    let parsed = serde_json::from_str(&text).ok().filter(wanted.1);
    parsed.ok_or_else(|| malformed(format!("{name} must be {}, not {text:?}", wanted.0)).param(name))
}

fn malformed(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed", message)
}

fn unread(error: MultipartError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the pictures are larger than this call takes, {MAX_BYTES} bytes: scale them down");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).param("image");
    }
    malformed(error.body_text())
}

impl EditRequest {
    /// Reads the pictures, and checks all against the model that is named or that they call for.
    async fn wish<'a>(&self, coordinator: &'a Coordinator) -> Result<Wish<'a>, ApiError> {
        let offered = self.model(coordinator)?;
        let mut pictures = Vec::with_capacity(self.pictures.len());
        for file in self.files(offered)? {
            pictures.push(decode(file.clone()).await?);
        }
        let body = match pictures.as_slice() {
            [picture] => self.redrawn(offered, picture)?,
            [content, style] => self.restyled(offered, content, style)?,
            _ => return Err(malformed("the pictures were lost on the way".to_owned())),
        };
        let blob = pictures.into_iter().flat_map(|picture| picture.rgb).collect();
        let files: Vec<[u8; 32]> = self.pictures.iter().map(|file| Sha256::digest(file).into()).collect();
        let sent = serde_json::to_vec(&(&self.ask, &self.strength, files)).unwrap_or_default();
        Ok(Wish { offered, body, blob, disputable: self.ask.disputable.unwrap_or(true), sent })
    }

    /// The model that is named, or the first that makes something of so many pictures.
    fn model<'a>(&self, coordinator: &'a Coordinator) -> Result<&'a Offered, ApiError> {
        let name = self.ask.model.as_deref();
        let kind = if self.pictures.len() > 1 { Kind::Style } else { Kind::Image };
        let takes_pictures =
            |offered: &&Offered| matches!(&offered.manifest.limits, Limits::Image(limits) if limits.input_picture);
        let first = coordinator.catalogue.iter().find(takes_pictures).filter(|_| name.is_none() && kind == Kind::Image);
        first.map_or_else(|| model(coordinator, name, kind), Ok)
    }

    /// The pictures, if they are as many as the model takes.
    fn files(&self, offered: &Offered) -> Result<&[Bytes], ApiError> {
        let (manifest, count) = (&offered.manifest, self.pictures.len());
        let (wanted, words) = match manifest.kind() {
            Kind::Image => (1, "one picture, and a prompt"),
            Kind::Style => (2, "two pictures: first what to draw, then one in whose manner"),
            Kind::Embedding => {
                return Err(impossible("model", format!("{} makes embeddings: name one that draws", manifest.name)));
            }
        };
        if count == wanted {
            return Ok(&self.pictures);
        }
        Err(impossible("image", format!("{} takes {words}; {count} came as `image`", manifest.name)))
    }

    /// A picture drawn anew, with the model's defaults filled in.
    fn redrawn(&self, offered: &Offered, picture: &Picture) -> Result<Body, ApiError> {
        let mut body = images::body(offered, &self.ask)?;
        expect_size(images::size(&self.ask)?, picture)?;
        (body.width, body.height) = (picture.width, picture.height);
        let default = || STRENGTH.parse::<Decimal>();
        let strength = self.strength.as_ref().map_or_else(default, Number::decimal);
        body.strength = Some(strength.map_err(|error| impossible("strength", error.to_string()))?);
        let body = body.into();
        offered.manifest.check(&body).map_err(refused)?;
        Ok(body)
    }

    /// A picture in the manner of another.
    fn restyled(&self, offered: &Offered, content: &Picture, style: &Picture) -> Result<Body, ApiError> {
        images::check_form(&self.ask)?;
        let name = &offered.manifest.name;
        if let Some(field) = self.strength.as_ref().map(|_| "strength").or_else(|| self.ask.about_drawing()) {
            return Err(impossible(field, format!("{name} draws from pictures alone: leave out {field}")));
        }
        expect_size(images::size(&self.ask)?, content)?;
        let (&Picture { width, height, .. }, &Picture { width: style_width, height: style_height, .. }) =
            (content, style);
        let body = StyleBody { width, height, style_width, style_height }.into();
        offered.manifest.check(&body).map_err(refused)?;
        Ok(body)
    }
}

/// Pictures are never scaled here: what was sent is what the request commits to.
fn expect_size(asked: Option<(u32, u32)>, picture: &Picture) -> Result<(), ApiError> {
    let &Picture { width, height, .. } = picture;
    match asked {
        Some((w, h)) if (w, h) != (width, height) => {
            let message =
                format!("the picture is {width}x{height}, the size asked for {w}x{h}: scale it before sending");
            Err(impossible("image", message))
        }
        _ => Ok(()),
    }
}

/// What the model does not allow, said of the fields that this call has.
fn refused(error: BodyError) -> ApiError {
    match &error {
        BodyError::Picture { model } => {
            let message = format!(
                "{model} takes no picture: name a model whose limits have \"input_picture\", see GET /v1/models"
            );
            impossible("model", message)
        }
        BodyError::Size { .. } | BodyError::StyleSize { .. } => {
            impossible("image", format!("{error}: scale the picture before sending"))
        }
        _ => impossible(error.field(), error.to_string()),
    }
}

/// Decodes a file beside the threads that serve.
async fn decode(file: Bytes) -> Result<Picture, ApiError> {
    // The semaphore is never closed.
    let _turn = DECODING.acquire().await;
    let decoded = tokio::task::spawn_blocking(move || input::read(&file)).await;
    let decoded = decoded.map_err(|_| impossible("image", "the picture cannot be read".to_owned()))?;
    decoded.map_err(|error| impossible("image", format!("the picture: {error}")))
}
