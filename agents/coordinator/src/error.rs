//! Errors as callers see them.

use crate::store::StoreError;
use axum::{
    Json,
    extract::{
        FromRequest, Request,
        rejection::{BytesRejection, JsonRejection},
    },
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use cuckoo_protocol::link::{ErrorBody, ErrorDetail};
use serde::de::DeserializeOwned;

/// An error with its status, a stable code, and a sentence that says what to do.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: Option<String>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// An error of the caller.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), param: None, retry_after: None }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, field: impl Into<String>) -> Self {
        self.param = Some(field.into());
        self
    }

    /// Says when to come back, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 404 for a path's id.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} {id}"))
    }

    /// 404 for a path that leads nowhere.
    pub async fn unknown_path(uri: Uri) -> Self {
        let message = format!("there is nothing at {}; GET /openapi.json describes what there is", uri.path());
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405 for a path that is called in another way.
    pub async fn wrong_method(method: Method, uri: Uri) -> Self {
        let message = format!("{} does not take {method}; the Allow header says what it takes", uri.path());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        // The cause is the operator's business; the caller learns that retrying is safe.
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the coordinator failed; nothing was lost, try again")
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<alloy::signers::Error> for ApiError {
    fn from(error: alloy::signers::Error) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        metrics::counter!("cuckoo_errors_total", "code" => self.code).increment(1);
        let detail =
            ErrorDetail { message: self.message, kind: kind.to_owned(), code: self.code.to_owned(), param: self.param };
        let mut response = (self.status, Json(ErrorBody { error: detail })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body, refused in the form of [`ApiError`].
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(cause))) => {
                let status = cause.status();
                if status == StatusCode::PAYLOAD_TOO_LARGE {
                    Err(ApiError::new(
                        status,
                        "too_large",
                        "the body is larger than this call takes: shorten the prompt",
                    ))
                } else {
                    Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed", cause.body_text()))
                }
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "malformed",
                "this call takes JSON: send it with Content-Type: application/json",
            )),
            Err(rejection) => Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed", rejection.body_text())),
        }
    }
}
