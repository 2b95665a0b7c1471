//! What can go wrong with a call to Neon, and what the caller may conclude from it.
//!
//! In: an HTTP answer that is no success, or no answer at all. Out: one [`Error`] whose `category()` is a
//! metric label, whose `outcome_unknown()` says whether a change may have happened all the same, and whose
//! `retry_after()` is Neon's own wish. It must not show a secret (texts come scrubbed from [`super::message`])
//! nor repeat its source in its own text.

use std::{fmt, time::Duration};

use super::route::Route;

/// What Neon answered when it did not do what was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path as a template.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Neon's code, for example `PROJECTS_LIMIT_EXCEEDED`; mostly empty.
    pub code: String,
    /// Neon's message, or a short excerpt of whatever came instead; bounded, without secrets.
    pub message: String,
    /// What Neon's support wants to know.
    pub request_id: Option<String>,
    /// How long Neon wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the body was Neon's own error object, not the page of a proxy on the way.
    pub from_neon: bool,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.route, self.status, self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// A call to Neon that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401: the key is wrong, revoked or missing.
    #[error("Neon does not accept the API key: {0}")]
    Unauthorized(Box<Answer>),
    /// 403: the key may not do this.
    #[error("Neon does not allow this with this API key: {0}")]
    Forbidden(Box<Answer>),
    /// 404 or 410 where that is not an answer of its own, and any 404 that did not come from Neon itself.
    #[error("Neon does not know it: {0}")]
    NotFound(Box<Answer>),
    /// 409: something of that name is there already.
    #[error("Neon has a conflict: {0}")]
    Conflict(Box<Answer>),
    /// 423: other operations of the project are running; nothing was done. Also 422 where Neon says that a branch
    /// is not ready yet.
    #[error("Neon is still at work on it: {0}")]
    Locked(Box<Answer>),
    /// 429: too many requests; nothing was done.
    #[error("Neon asks for fewer requests: {0}")]
    RateLimited(Box<Answer>),
    /// 400, 412, 422 and the other 4xx (and a redirect): asking again as it is does not help.
    #[error("Neon refuses: {0}")]
    Refused(Box<Answer>),
    /// A limit of the plan is reached, projects above all.
    #[error("a limit of the Neon plan is reached: {0}")]
    LimitReached(Box<Answer>),
    /// 503, which promises that nothing was done, or another 5xx in answer to a read.
    #[error("Neon is not available: {0}")]
    Unavailable(Box<Answer>),
    /// 500, 502, 504, 524 in answer to a change: it may have happened.
    #[error("Neon may or may not have done it: {0}")]
    OutcomeUnknown(Box<Answer>),
    /// No connection could be made: nothing was sent.
    #[error("{route}: cannot connect to the Neon API")]
    Unreachable {
        /// Method and path as a template.
        route: &'static str,
        /// Why, without the URL.
        source: reqwest::Error,
    },
    /// The request went out, but no whole answer came back.
    #[error("{route}: {}", if *.timeout { "Neon did not answer in time" } else { "the connection broke before the answer was whole" })]
    NoAnswer {
        /// Method and path as a template.
        route: &'static str,
        /// Whether it was a change, which may then have happened.
        mutation: bool,
        /// Whether time ran out, rather than the connection breaking.
        timeout: bool,
        /// Why, without the URL.
        source: reqwest::Error,
    },
    /// A success whose body is not what the API promises.
    #[error("{route}: the answer {status} cannot be read: {problem}")]
    Decode {
        /// Method and path as a template.
        route: &'static str,
        /// Whether it was a change, which then has happened in all likelihood.
        mutation: bool,
        /// The HTTP status.
        status: u16,
        /// Whether the body ended too early.
        truncated: bool,
        /// What is wrong, without any value of the body.
        problem: String,
    },
    /// The client was asked for something that cannot be put into a request; nothing was sent.
    #[error("{what} is not usable in a request to Neon: `{value}`")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// Its value, bounded.
        value: String,
    },
    /// The settings cannot work.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    pub(super) fn settings(text: impl Into<String>) -> Self {
        Self::Settings(text.into())
    }

    /// Sorts an HTTP answer that is no success.
    pub(super) fn from_answer(route: &Route, answer: Answer) -> Self {
        let limited = is_plan_limit(&answer);
        let unready = answer.message.contains("not ready yet");
        let answer = Box::new(answer);
        match answer.status {
            401 => Self::Unauthorized(answer),
            423 => Self::Locked(answer),
            422 if unready => Self::Locked(answer),
            429 => Self::RateLimited(answer),
            400..=499 if limited => Self::LimitReached(answer),
            403 => Self::Forbidden(answer),
            404 | 410 => Self::NotFound(answer),
            409 => Self::Conflict(answer),
            503 => Self::Unavailable(answer),
            // 408 is a proxy or a server that gave up waiting: as vague as a 504.
            408 | 500.. if route.is_mutation() => Self::OutcomeUnknown(answer),
            408 | 500.. => Self::Unavailable(answer),
            _ => Self::Refused(answer),
        }
    }

    /// The answer, where there was one that said no.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Unauthorized(answer)
            | Self::Forbidden(answer)
            | Self::NotFound(answer)
            | Self::Conflict(answer)
            | Self::Locked(answer)
            | Self::RateLimited(answer)
            | Self::Refused(answer)
            | Self::LimitReached(answer)
            | Self::Unavailable(answer)
            | Self::OutcomeUnknown(answer) => Some(answer),
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Decode { .. }
            | Self::Argument { .. }
            | Self::Settings(_) => None,
        }
    }

    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Decode { status, .. } => Some(*status),
            other => other.answer().map(|answer| answer.status),
        }
    }

    /// How long Neon wants to be left alone, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.answer().and_then(|answer| answer.retry_after)
    }

    /// Metric label and event reason: one of a dozen words.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Locked(_) => "locked",
            Self::RateLimited(_) => "rate_limited",
            Self::LimitReached(_) => "limit_reached",
            Self::Refused(_) | Self::Argument { .. } => "refused",
            Self::Unavailable(_) | Self::Unreachable { .. } => "unavailable",
            Self::NoAnswer { mutation: false, .. } => "unavailable",
            Self::NoAnswer { mutation: true, .. } | Self::OutcomeUnknown(_) => "unknown_outcome",
            Self::Decode { .. } => "decode",
            Self::Settings(_) => "settings",
        }
    }

    /// Whether a change may have happened although the call failed: look before asking again.
    pub fn outcome_unknown(&self) -> bool {
        matches!(
            self,
            Self::OutcomeUnknown(_)
                | Self::NoAnswer { mutation: true, .. }
                | Self::Decode { mutation: true, .. }
        )
    }

    /// Whether Neon itself says that the thing asked for is gone. A 404 page of a proxy, or of a wrong base
    /// URL, is not that: it would make every tenant look deleted.
    pub fn is_gone(&self) -> bool {
        let Self::NotFound(answer) = self else {
            return false;
        };
        let wrong_key = answer.message.contains("not allowed for organization API keys");
        answer.status == 410 || (answer.from_neon && !wrong_key)
    }
}

/// Neon's code, where it gives one, else the message that this limit has been seen with.
fn is_plan_limit(answer: &Answer) -> bool {
    answer.code.ends_with("LIMIT_EXCEEDED") || answer.message.contains("projects limit exceeded")
}
