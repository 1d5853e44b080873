//! What the description of the API says beside the calls themselves, which stand at their functions.

use crate::error::ApiError;
use std::collections::BTreeMap;
use utoipa::{
    IntoParams, IntoResponses, Modify, OpenApi, PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ContentBuilder, ObjectBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::SchemaType,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// What the document begins with.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cuckoo coordinator",
        description = "Pictures and vectors, made by miners that stake on being right. Calls and errors are as OpenAI's clients expect them; answers hold a signed receipt."
    ),
    tags(
        (name = "work", description = "Asks for something, and waits for it"),
        (name = "tasks", description = "The same work without waiting, and what became of it"),
        (name = "network", description = "What anybody may know"),
        (name = "operators", description = "For those who run the coordinator")
    ),
    components(schemas(Receipt, Draw, Problem)),
    modifiers(&ApiKey)
)]
pub(super) struct Head;

/// The scheme that calls with an API key name.
struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("api_key", scheme);
    }
}

/// A header that makes it safe to try again.
pub(super) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Up to 255 bytes: the same key with the same body is the same task";
        let text = ObjectBuilder::new().schema_type(Type::String);
        let header = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        vec![header.description(Some(description)).schema(Some(text)).build()]
    }
}

/// The shape of a receipt, whose messages docs/protocol.md describes.
pub(super) struct Receipt;

impl PartialSchema for Receipt {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let signed = |description: &str| {
            let message = ObjectBuilder::new().schema_type(Type::Object);
            let signed = ObjectBuilder::new().schema_type(Type::Object).property("message", message);
            let signed = signed.property("signature", text("65 bytes in hex")).description(Some(description));
            signed.required("message").required("signature")
        };
        let receipt = ObjectBuilder::new().schema_type(Type::Object);
        let receipt = receipt.property("task", text("Of the task")).required("task");
        let receipt = receipt.property("request", text("Canonical bytes of the request, in hex")).required("request");
        let receipt = receipt.property("offer", signed("By the coordinator's node, EIP-712")).required("offer");
        receipt.property("result", signed("By the miner's node, EIP-712")).required("result").into()
    }
}

impl ToSchema for Receipt {}

/// The shape of a draw, which docs/protocol.md describes.
pub(super) struct Draw;

impl PartialSchema for Draw {
    fn schema() -> RefOr<Schema> {
        let object = || ObjectBuilder::new().schema_type(Type::Object);
        let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let number = |description: &str| ObjectBuilder::new().schema_type(Type::Integer).description(Some(description));
        let or_null = |kind| SchemaType::from_iter([kind, Type::Null]);
        let miner = || object().property("miner", text("Its operator")).required("miner");
        let candidate = miner().property("weight", text("CAI wei")).required("weight");
        let passed = miner().property("reason", text("absent, busy, model, price, tried or unaudited"));
        let secret = text("Of the day; null until that is over").schema_type(or_null(Type::String));
        let at = object().property("block", number("The newest one known")).required("block");
        let at = at.property("final_block", number("The newest final one")).required("final_block");
        let at = at.description(Some("Whose weights count: of each miner the smaller one"));
        let draw = object().property("sequence", number("Its number, from 0 on")).required("sequence");
        let draw = draw.property("day", number("Unix day whose secret was used")).required("day");
        let draw = draw.property("commitment", text("keccak256 of that secret")).required("commitment");
        let draw = draw.property("secret", secret).required("secret");
        let draw = draw.property("at", at.schema_type(or_null(Type::Object))).required("at");
        let draw = draw.property("chosen", text("The operator who got the task")).required("chosen");
        let candidates = ArrayBuilder::new().items(candidate).description(Some("Who could have, sorted by address"));
        let draw = draw.property("candidates", candidates).required("candidates");
        let passed = ArrayBuilder::new().items(passed.required("reason")).description(Some("Other active miners"));
        draw.property("passed_over", passed).required("passed_over").into()
    }
}

impl ToSchema for Draw {}

/// The shape of an error.
pub(super) struct Problem;

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let error = ObjectBuilder::new().schema_type(Type::Object);
        let error = error.property("message", text("A sentence that says what to do")).required("message");
        let error = error.property("type", text("Such as invalid_request_error")).required("type");
        let error = error.property("code", text("A stable word to match on")).required("code");
        let error = error.property("param", text("The field at fault"));
        ObjectBuilder::new().schema_type(Type::Object).property("error", error).required("error").into()
    }
}

impl ToSchema for Problem {}

impl IntoResponses for ApiError {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description("Why not").content("application/json", content).build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}
