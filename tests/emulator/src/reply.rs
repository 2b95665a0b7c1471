//! Replies: JSON with a status, or Neon's error body. In: a status and a message. Out: an axum response that carries
//! the error aside, so that the gate can put the request id into its body.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// What a handler gives back.
pub(crate) type Reply = Result<(StatusCode, Json<Value>), ApiError>;

pub(crate) fn ok(body: Value) -> Reply {
    Ok((StatusCode::OK, Json(body)))
}

pub(crate) fn created(body: Value) -> Reply {
    Ok((StatusCode::CREATED, Json(body)))
}

/// An error as Neon words it. `code` is empty in every recorded reply but one.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: "", message: message.into() }
    }

    pub(crate) fn invalid(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("invalid request: {what}"))
    }

    /// A body that does not decode, in the words of the recorded reply.
    pub(crate) fn body(what: impl std::fmt::Display) -> Self {
        Self::invalid(format!("decode application/json: invalid: {what}"))
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    pub(crate) fn exists(what: &str) -> Self {
        Self::new(StatusCode::CONFLICT, format!("{what} already exists"))
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(crate) fn locked() -> Self {
        let text = "project already has running conflicting operations, scheduling of new ones is prohibited";
        Self::new(StatusCode::LOCKED, text)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "supplied credentials do not pass authentication")
    }

    /// The body, with the id of the request it answers.
    pub(crate) fn json(&self, request_id: &str) -> Value {
        serde_json::json!({ "request_id": request_id, "code": self.code, "message": self.message })
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "Postgres refused");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
