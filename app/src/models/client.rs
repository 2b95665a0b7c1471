//! One request to the embedding API, by async-openai.
//!
//! In: texts. Out: vectors, or a [`Fault`] that says whether and when to try again. The transport below async-openai is ours:
//! no hidden repetitions, no environment, no redirects, bounded bodies, and statuses judged before the crate logs a body.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use async_openai::{config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use futures::future::BoxFuture;
use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Error, answer::Answer};
use crate::args::ModelArgs;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Nobody waits longer than this because the API asked for it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// What an answer may weigh beside its vectors, and a refusal in all.
const SMALL_BODY: usize = 64 * 1024;
/// What one number of a vector may weigh.
const NUMBER_BYTES: usize = 32;
/// A model that gives longer vectors than configured is to be heard before it is refused.
const MOST_DIMENSIONS: usize = 16_384;
/// As much of the API's own words as is shown.
const WORDS: usize = 300;

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

/// The API.
pub(super) struct Client {
    client: async_openai::Client<Address>,
    model: String,
    dimensions: i32,
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<i32>,
}

impl Client {
    pub(super) fn new(args: &ModelArgs) -> Result<Self, String> {
        let address = Address::new(&args.embedding_url, args.embedding_key.clone())?;
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .build()
            .map_err(|error| format!("--embedding-url: no HTTP client: {error}"))?;
        let most = SMALL_BODY + args.embedding_batch as usize * MOST_DIMENSIONS * NUMBER_BYTES;
        let transport = Transport { http: http.clone(), key: address.key.clone(), most };
        Ok(Self {
            client: async_openai::Client::build(http, address).with_http_service(transport),
            model: args.embedding_model.clone(),
            dimensions: args.embedding_dimensions,
        })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn dimensions(&self) -> i32 {
        self.dimensions
    }

    pub(super) async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Fault> {
        let question = Question {
            model: &self.model,
            input: texts,
            encoding_format: "float",
            dimensions: takes_dimensions(&self.model).then_some(self.dimensions),
        };
        let answer: Answer = self.client.embeddings().create_byot(question).await.map_err(fault)?;
        Ok(answer.vectors(texts.len(), self.dimensions)?)
    }
}

/// Only these models can be asked for shorter vectors; servers of others refuse the word.
fn takes_dimensions(model: &str) -> bool {
    model.rsplit('/').next().is_some_and(|name| name.starts_with("text-embedding-3"))
}

fn fault(error: OpenAIError) -> Fault {
    match error {
        OpenAIError::Boxed(error) => match error.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(error) => Error::Unavailable(error.to_string()).into(),
        },
        other => Error::Unavailable(other.to_string()).into(),
    }
}

/// Where the API is and what it asks for; unlike the crate's own, it reads nothing from the environment.
struct Address {
    root: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Address {
    fn new(url: &Url, key: Option<SecretString>) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https")
            || url.query().is_some()
            || !url.username().is_empty()
        {
            return Err("--embedding-url must look like https://host/v1, and the key goes into --embedding-key".to_owned());
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .map_err(|_| {
                    "--embedding-key holds characters that no key has: is there a line break in it?"
                        .to_owned()
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let root = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { root, key: key.unwrap_or_default(), headers })
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
struct Transport {
    http: reqwest::Client,
    key: SecretString,
    most: usize,
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
    async fn send(&self, request: HttpRequestFactory) -> Result<Response, Fault> {
        let request = request.build().await.map_err(fault)?;
        let response =
            self.http.execute(request).await.map_err(|error| unreachable_words(&error))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let most = if status.is_success() { self.most } else { SMALL_BODY };
        let body = read(response, most).await?;
        if !status.is_success() {
            let error = self.judge(status, &body);
            return Err(Fault { error, retry_after });
        }
        // Parsed once more by async-openai, which would write a body that it cannot read to the log.
        if let Err(error) = serde_json::from_slice::<Answer>(&body) {
            let words = format!(
                "it answered something else than vectors ({error}): is --embedding-url right?"
            );
            return Err(Error::Unavailable(words).into());
        }
        Ok(axum::http::Response::new(body).into())
    }

    /// What a status means: whether to try again, or who must do what.
    fn judge(&self, status: StatusCode, body: &[u8]) -> Error {
        let said = self.words(body);
        let refused = |todo: &str| Error::Refused(format!("{status}: {said} ({todo})"));
        match status.as_u16() {
            429 if said.contains("insufficient_quota") => {
                refused("the account behind --embedding-key has no credit")
            }
            408 | 425 | 429 | 500..=599 => Error::Unavailable(format!("{status}: {said}")),
            401 | 403 => refused("check --embedding-key"),
            404 => refused("check --embedding-url and --embedding-model"),
            300..=399 => {
                refused("--embedding-url must be the address itself; redirects are not followed")
            }
            _ => refused("check --embedding-model and the sizes it takes"),
        }
    }

    /// The API's own words, without the key, in one line of bounded length.
    fn words(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let parsed = serde_json::from_str::<serde_json::Value>(&text).ok();
        let error = parsed.as_ref().map(|body| &body["error"]);
        let said = error.and_then(|error| error["message"].as_str().or_else(|| error.as_str()));
        let code = error.and_then(|error| error["code"].as_str()).unwrap_or_default();
        let mut words = format!("{} {code}", said.unwrap_or(&text));
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
}

async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_words(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Error::Refused(format!("its answer is longer than {most} bytes")).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address is left out: whoever configured it knows it, and nobody else needs to.
fn unreachable_words(error: &reqwest::Error) -> Fault {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    Error::Unavailable(format!("{what}: {cause} (--embedding-url)")).into()
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
