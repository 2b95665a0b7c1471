//! What a request can end with, other than well.
//!
//! In: whatever went wrong. Out: a status, a name and words for a person, as a page for browsers or as JSON
//! `{"error", "message"}` for scripts. What only an operator should know goes to the log, never into the answer.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{documents, models, tenants};

/// The end of a request that did not go well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing of that name, or it is somebody else's: the two look the same.
    #[error("There is nothing here. It may have been deleted, or the link is wrong.")]
    NotFound,
    /// The address is there, but not for this method.
    #[error("This address cannot be opened like that. Go back and try again from there.")]
    Method,
    /// Nobody is signed in.
    #[error("Sign in first.")]
    SignedOut,
    /// The person may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// What was sent cannot be used.
    #[error("{words}")]
    Invalid {
        /// A name from a fixed set.
        code: &'static str,
        /// What is wrong and what to do.
        words: String,
    },
    /// More than a body may hold.
    #[error("{0}")]
    TooLarge(String),
    /// Something that only works in another state, such as renaming what is being deleted.
    #[error("{0}")]
    Conflict(String),
    /// Too much in too short a time.
    #[error("That was a lot at once. Try again in {seconds} seconds.")]
    TooMany {
        /// When it may be tried again.
        seconds: u64,
    },
    /// Something that this app depends on does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// Our own fault: the log has it.
    #[error(
        "Something went wrong on our side. Try again; if it stays, tell whoever runs this app."
    )]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Our own fault.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// Something in what was sent.
    pub fn invalid(code: &'static str, words: impl Into<String>) -> Self {
        Self::Invalid { code, words: words.into() }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Invalid { code: _, words: _ } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooMany { seconds: _ } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A name from a fixed set: what scripts compare and metrics count.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::SignedOut => "signed_out",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid { code, words: _ } => code,
            Self::TooLarge(_) => "too_large",
            Self::Conflict(_) => "conflict",
            Self::TooMany { seconds: _ } => "too_many",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            error if is_outage(&error) => {
                tracing::warn!(%error, "the main database does not answer");
                Self::Unavailable("Our database does not answer. Try again in a moment.".to_owned())
            }
            other => Self::internal(other),
        }
    }
}

/// The database is away, ending, starting, full, or busy with a lock.
fn is_outage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_))
        || code.is_some_and(|code| ["57P01", "57P02", "57P03", "53300", "55P03"].contains(&&*code))
}

impl From<tenants::Error> for Error {
    fn from(error: tenants::Error) -> Self {
        match error {
            tenants::Error::Preparing => {
                Self::Unavailable("Your database is still being prepared.".to_owned())
            }
            tenants::Error::Upgrading => Self::Unavailable(
                "Your database is being upgraded. Try again in a moment.".to_owned(),
            ),
            tenants::Error::Gone => Self::Unavailable(
                "Your database is gone. Whoever runs this app can bring it back for some days: tell them now."
                    .to_owned(),
            ),
            tenants::Error::Unreachable(ref source) => {
                tracing::warn!(%source, "a tenant's database does not answer");
                Self::Unavailable(
                    "Your database does not answer. Try again in a moment.".to_owned(),
                )
            }
            tenants::Error::Kubernetes(source) => {
                tracing::warn!(%source, "the Kubernetes API does not answer");
                Self::Unavailable(
                    "Your database cannot be looked up. Try again in a moment.".to_owned(),
                )
            }
            tenants::Error::Main(error) => error.into(),
        }
    }
}

impl From<models::Error> for Error {
    fn from(error: models::Error) -> Self {
        tracing::warn!(%error, "the embedding model failed");
        Self::Unavailable("The embedding model does not answer. Try again in a moment.".to_owned())
    }
}

impl From<documents::StoreError> for Error {
    fn from(error: documents::StoreError) -> Self {
        tracing::warn!(%error, "the file store failed");
        Self::Unavailable("The file store does not answer. Try again in a moment.".to_owned())
    }
}

/// What an answer carries until the router's outermost layer knows who asked: it makes a page or JSON of it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// The name.
    pub code: &'static str,
    /// The words.
    pub words: String,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(source) = &self {
            tracing::error!(error = %causes(source.as_ref()), "a request failed");
        }
        let failure = Failure { status: self.status(), code: self.code(), words: self.to_string() };
        let mut response = failure.status.into_response();
        if let Self::TooMany { seconds } = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(failure);
        response
    }
}

impl Failure {
    /// The answer for a script.
    pub fn json(&self) -> Response {
        (self.status, Json(json!({"error": self.code, "message": self.words}))).into_response()
    }
}

/// Whether whoever asks is a script, and not a person's browser that shows what it gets.
#[must_use]
pub fn wants_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    headers.get("x-requested-with").is_some_and(|value| value == "fetch")
        || !text(header::ACCEPT.as_str()).contains("text/html")
}

/// An error with everything that it stands on.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
