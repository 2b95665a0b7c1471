//! Sends a request, as often as the policy allows, and decodes its answer.
//!
//! In: a [`Request`]. Out: the decoded body, or the last attempt's [`Error`]. Each attempt is reported to
//! `on_call`. It must not read an answer without bound, nor outlast the call's deadline.

use std::time::{Duration, Instant};

use backon::Retryable;
use reqwest::{
    StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap},
};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::{
    Client,
    call::{Call, CallStatus},
    error::Error,
    message,
    retry::{LONGEST_RETRY_AFTER, repeatable, wait},
    route::{Request, Route},
    scrub::scrub,
};

/// No answer that the client asks for comes near this.
const LARGEST_BODY: usize = 16 << 20;

struct Received {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// A request to the configured API.
    pub(super) fn request(&self, route: Route, arguments: &[&str]) -> Result<Request, Error> {
        Request::new(&self.inner.settings.base_url, route, arguments)
    }

    /// Sends it until it succeeds, may not be repeated, or has used up its attempts or its time: two
    /// attempts' worth, plus one `Retry-After` that is worth waiting for.
    pub(super) async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let settings = &self.inner.settings;
        let deadline = Instant::now() + 2 * settings.timeout + LONGEST_RETRY_AFTER;
        let request = &request;
        (|| self.attempt(request, deadline))
            .retry(settings.retries.schedule())
            .when(|error| repeatable(&request.route, error))
            .adjust(|error, scheduled| {
                let wait = wait(error, scheduled?);
                (Instant::now() + wait < deadline).then_some(wait)
            })
            .notify(|error, wait| {
                tracing::debug!(%error, wait_ms = wait.as_millis() as u64, "Neon call is repeated");
            })
            .await
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let time = self.inner.settings.timeout.min(deadline.saturating_duration_since(started));
        let received = self.exchange(request, time).await;
        let status = match &received {
            Ok(received) => CallStatus::Code(received.status.as_u16()),
            Err(error) if error.is_timeout() => CallStatus::Timeout,
            Err(_) => CallStatus::Transport,
        };
        let route = request.route;
        (self.inner.on_call)(&Call { route: route.name, status, elapsed: started.elapsed() });
        let received = received.map_err(|error| lost(&route, error))?;
        let key = self.inner.settings.api_key.expose_secret();
        let status = received.status.as_u16();
        if !received.status.is_success() {
            let answer = message::read(&route, status, &received.headers, &received.body, key);
            return Err(Error::from_answer(&route, answer));
        }
        serde_json::from_slice(&received.body).map_err(|error| Error::Decode {
            route: route.name,
            mutation: route.is_mutation(),
            status,
            truncated: error.is_eof(),
            problem: scrub(&without_values(&error.to_string()), key),
        })
    }

    /// One request, one whole answer.
    async fn exchange(&self, request: &Request, time: Duration) -> reqwest::Result<Received> {
        let mut builder = self
            .inner
            .http
            .request(request.method.clone(), request.url.clone())
            .header(ACCEPT, "application/json")
            .timeout(time);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_BODY {
                break; // what is left unread makes the JSON end too early, which is reported as such
            }
        }
        Ok(Received { status, headers, body })
    }
}

fn lost(route: &Route, error: reqwest::Error) -> Error {
    let (timeout, unsent) = (error.is_timeout(), error.is_connect());
    let source = error.without_url();
    match unsent {
        true => Error::Unreachable { route: route.name, source },
        false => {
            Error::NoAnswer { route: route.name, mutation: route.is_mutation(), timeout, source }
        }
    }
}

/// serde quotes the offending value, which may be a password: keep its words, not the quotation.
fn without_values(problem: &str) -> String {
    match (problem.find('"'), problem.rfind('"')) {
        (Some(first), Some(last)) if last > first => {
            format!("{}…{}", &problem[..first], &problem[last + 1..])
        }
        _ => problem.to_owned(),
    }
}
