//! Requests to an API of `OpenAI`'s kind, below async-openai.
//!
//! In: a request that async-openai has built. Out: its answer, or a [`Fault`] that says whether and when to try again. No
//! hidden repetitions, no environment, no redirects, bounded bodies, and statuses judged before the crate logs a body.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use async_openai::{config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use futures::future::BoxFuture;
use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};

use super::Error;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Nobody waits longer than this because the API asked for it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// What an answer may weigh beside what is asked for, and a refusal in all.
const SMALL_BODY: usize = 64 * 1024;
/// As much of the API's own words as is shown.
const WORDS: usize = 300;
/// How APIs of this kind say that a prompt is longer than the model takes.
const TOO_LONG: [&str; 5] = [
    "context_length_exceeded",
    "context length",
    "context size",
    "maximum context",
    "too many tokens",
];

/// An attempt that failed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct Fault {
    pub(super) error: Error,
    /// The API asked not to be asked again before.
    pub(super) retry_after: Option<Duration>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None }
    }
}

/// What is wrong, out of what async-openai makes of it.
pub(super) fn fault(error: OpenAIError) -> Fault {
    match error {
        OpenAIError::Boxed(error) => match error.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(error) => Error::Unavailable(error.to_string()).into(),
        },
        OpenAIError::JSONDeserialize(error, _) => {
            Error::Unavailable(format!("it said something that is no answer ({error})")).into()
        }
        other => Error::Unavailable(other.to_string()).into(),
    }
}

/// Where the API is and what it asks for; unlike the crate's own, it reads nothing from the environment.
pub(super) struct Address {
    /// `embedding` or `chat`: the flags that it was configured by begin so.
    name: &'static str,
    root: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Address {
    pub(super) fn new(
        name: &'static str,
        url: &Url,
        key: Option<SecretString>,
    ) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https")
            || url.query().is_some()
            || !url.username().is_empty()
        {
            return Err(format!(
                "--{name}-url must look like https://host/v1, and the key goes into --{name}-key"
            ));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .map_err(|_| {
                    format!("--{name}-key holds characters that no key has: is there a line break in it?")
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let root = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { name, root, key: key.unwrap_or_default(), headers })
    }
}

impl Config for Address {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.root
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

/// Sends one request, once.
#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    name: &'static str,
    key: SecretString,
    body: Body,
}

/// What an answer is.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// One piece, of so many bytes more than a small one, which must be what was asked for.
    Whole { more: usize, check: fn(&[u8]) -> Result<(), String> },
    /// Events as they come, or one small piece.
    Events,
}

impl tower::Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = OpenAIError;
    type Future = BoxFuture<'static, Result<Response, OpenAIError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move {
            let sent = transport.send(request).await;
            sent.map_err(|fault| OpenAIError::Boxed(Box::new(fault)))
        })
    }
}

impl Transport {
    /// async-openai over it.
    pub(super) fn client(
        address: Address,
        body: Body,
    ) -> Result<async_openai::Client<Address>, String> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .build()
            .map_err(|error| format!("--{}-url: no HTTP client: {error}", address.name))?;
        let (name, key) = (address.name, address.key.clone());
        let transport = Self { http: http.clone(), name, key, body };
        Ok(async_openai::Client::build(http, address).with_http_service(transport))
    }

    async fn send(&self, request: HttpRequestFactory) -> Result<Response, Fault> {
        let request = request.build().await.map_err(fault)?;
        let sent = self.http.execute(request).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        if !status.is_success() {
            let body = self.read(response, SMALL_BODY).await?;
            return Err(Fault { error: self.judge(status, &body), retry_after });
        }
        let body = match self.body {
            Body::Events if is_stream(&response) => return Ok(response),
            Body::Events => self.read(response, SMALL_BODY).await?,
            Body::Whole { more, check } => {
                let body = self.read(response, SMALL_BODY + more).await?;
                check(&body).map_err(|words| {
                    Error::Unavailable(format!("{words}: is --{}-url right?", self.name))
                })?;
                body
            }
        };
        Ok(axum::http::Response::new(body).into())
    }

    /// What a status means: whether to try again, or who must do what.
    fn judge(&self, status: StatusCode, body: &[u8]) -> Error {
        let (said, name) = (self.words(body), self.name);
        let refused = |todo: String| Error::Refused(format!("{status}: {said} ({todo})"));
        match status.as_u16() {
            429 if said.contains("insufficient_quota") => {
                refused(format!("the account behind --{name}-key has no credit"))
            }
            408 | 425 | 429 | 500..=599 => Error::Unavailable(format!("{status}: {said}")),
            401 | 403 => refused(format!("check --{name}-key")),
            404 => refused(format!("check --{name}-url and --{name}-model")),
            300..=399 => refused(format!(
                "--{name}-url must be the address itself; redirects are not followed"
            )),
            _ if TOO_LONG.iter().any(|sign| said.to_lowercase().contains(sign)) => {
                Error::TooLong(said)
            }
            _ => refused(format!("check --{name}-model and the sizes it takes")),
        }
    }

    /// The API's own words, without the key, in one line of bounded length.
    fn words(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let parsed = serde_json::from_str::<serde_json::Value>(&text).ok();
        let error = parsed.as_ref().map(|body| &body["error"]);
        let said = error.and_then(|error| error["message"].as_str().or_else(|| error.as_str()));
        let field = |name: &str| error.and_then(|error| error[name].as_str()).unwrap_or_default();
        let mut words = format!("{} {} {}", said.unwrap_or(&text), field("code"), field("param"));
        let key = self.key.expose_secret();
        if !key.is_empty() {
            words = words.replace(key, "[key]");
        }
        let line: Vec<&str> = words
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        line.join(" ").chars().take(WORDS).collect()
    }

    async fn read(&self, mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > most {
                let words = format!("its answer is longer than {most} bytes");
                return Err(Error::Refused(words).into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The address is left out: whoever configured it knows it, and nobody else needs to.
    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let what = if error.is_connect() { "no connection" } else { "the connection broke" };
        Error::Unavailable(format!("{what}: {cause} (--{}-url)", self.name)).into()
    }
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            let left = date.as_second() - jiff::Timestamp::now().as_second();
            Duration::from_secs(u64::try_from(left).unwrap_or(0))
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}
