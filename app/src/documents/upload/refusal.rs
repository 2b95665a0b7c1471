//! Why a file was not taken.
//!
//! In: what went wrong. Out: a status, a name that scripts compare, words that say what to do. For scripts as JSON, for a
//! plain form as a page.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    documents::StoreError,
    error::{Error, Failure},
    web::words,
};

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::documents) enum Refusal {
    /// All places are taken.
    #[error("You have {} here, and more cannot be kept. Delete one to make room.", words::count((*most).into(), "document", "documents"))]
    TooMany { most: u32 },
    #[error("The file is larger than {megabytes} MB, the limit here. Choose a smaller one.")]
    TooLarge { megabytes: u32 },
    /// The request is far above any limit of a file.
    #[error("The upload is far larger than the limit here. Choose a smaller file.")]
    TooLong,
    #[error("This is not a PDF, whatever its name says. Choose a PDF file.")]
    NotPdf,
    #[error("The file is empty. Choose another one.")]
    Empty,
    #[error(
        "No file came with the request. Choose a PDF file; scripts send it as the first multipart field, `file`."
    )]
    NoFile,
    #[error("Upload one file at a time.")]
    OneFile,
    #[error("Files are taken as multipart/form-data with one field, `file`.")]
    NotMultipart,
    /// The sender went away, or does not speak multipart.
    #[error("The upload broke off before its end. Try again.")]
    Broken,
    #[error("The upload stood still for too long. Try again on a better connection.")]
    Stalled,
    #[error("The document was deleted while it was on its way.")]
    Gone,
    #[error("You have this file already: \u{201c}{title}\u{201d}.")]
    Duplicate { id: Uuid, title: String },
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl Refusal {
    /// The status of the answer, and its name.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TooMany { most: _ } => (StatusCode::CONFLICT, "too_many_documents"),
            Self::TooLarge { megabytes: _ } | Self::TooLong => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            }
            Self::NotPdf => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_pdf"),
            Self::Empty => (StatusCode::UNPROCESSABLE_ENTITY, "empty"),
            Self::NoFile => (StatusCode::UNPROCESSABLE_ENTITY, "no_file"),
            Self::OneFile => (StatusCode::UNPROCESSABLE_ENTITY, "one_file"),
            Self::NotMultipart => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_multipart"),
            Self::Broken => (StatusCode::BAD_REQUEST, "broken_off"),
            Self::Stalled => (StatusCode::REQUEST_TIMEOUT, "stalled"),
            Self::Gone => (StatusCode::CONFLICT, "gone"),
            Self::Duplicate { id: _, title: _ } => (StatusCode::CONFLICT, "duplicate"),
            Self::Other(error) => (error.status(), error.code()),
        }
    }

    /// The answer; whether it is for a script, the caller knows.
    pub(in crate::documents) fn answer(self, json: bool) -> Response {
        let ((status, code), words) = (self.kind(), self.to_string());
        match self {
            Self::Duplicate { id, title } if json => {
                let body =
                    json!({"error": code, "message": words, "id": id.to_string(), "title": title});
                (status, Json(body)).into_response()
            }
            Self::Other(error) => error.into_response(),
            Self::TooMany { most: _ }
            | Self::TooLarge { megabytes: _ }
            | Self::TooLong
            | Self::NotPdf
            | Self::Empty
            | Self::NoFile
            | Self::OneFile
            | Self::NotMultipart
            | Self::Broken
            | Self::Stalled
            | Self::Gone
            | Self::Duplicate { id: _, title: _ } => {
                let mut response = status.into_response();
                response.extensions_mut().insert(Failure { status, code, words });
                response
            }
        }
    }
}
