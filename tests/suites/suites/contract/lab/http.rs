//! Calls to an emulator; each reply of the API is judged by Neon's OpenAPI file at once. In: method, path, body. Out: the
//! reply, or what is wrong with its shape.

use std::sync::Once;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{KEY, Lab};
use crate::contract::openapi::Exchange;

/// A reply of the API.
#[derive(Debug)]
pub(in crate::contract) struct Reply {
    pub(in crate::contract) status: u16,
    pub(in crate::contract) headers: reqwest::header::HeaderMap,
    pub(in crate::contract) body: Value,
}

impl Reply {
    /// The body, if the status is the expected one.
    pub(in crate::contract) fn expect(self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// An error of that status, with that in its message and the request id in body and header.
    pub(in crate::contract) fn expect_error(self, status: u16, part: &str) -> Result<()> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.body);
        let message = self.body["message"].as_str().unwrap_or_default();
        ensure!(message.contains(part), "{message:?} does not say {part:?}");
        let header = self.headers.get("x-neon-ret-request-id").context("x-neon-ret-request-id")?;
        ensure!(
            self.body["request_id"].as_str() == header.to_str().ok(),
            "request ids differ: {}",
            self.body
        );
        ensure!(self.body["code"].is_string(), "no code: {}", self.body);
        Ok(())
    }
}

/// A client whose TLS provider is ring, though nothing here speaks TLS over HTTP.
pub(in crate::contract) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("an HTTP client")
}

impl Lab {
    pub(in crate::contract) async fn get(&self, path: &str) -> Result<Reply> {
        self.call("GET", path, None).await
    }

    pub(in crate::contract) async fn post(&self, path: &str, body: Value) -> Result<Reply> {
        self.call("POST", path, Some(body)).await
    }

    pub(in crate::contract) async fn patch(&self, path: &str, body: Value) -> Result<Reply> {
        self.call("PATCH", path, Some(body)).await
    }

    pub(in crate::contract) async fn delete(&self, path: &str) -> Result<Reply> {
        self.call("DELETE", path, None).await
    }

    /// One call with the right key, judged.
    pub(in crate::contract) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply> {
        let reply = self.send(method, path, body.clone(), Some(KEY)).await?;
        let (path, query) =
            path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q.to_owned())));
        if let Some(judge) = &self.judge {
            let exchange = Exchange {
                method: method.to_owned(),
                path: path.to_owned(),
                query,
                request: body.unwrap_or_default(),
                status: reply.status,
                reply: reply.body.clone(),
                faults: Vec::new(),
            };
            let wrong = judge.judge(&exchange);
            ensure!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), reply.body);
        }
        Ok(reply)
    }

    /// One call with any key, or none; not judged. A body that is a string is sent as it is.
    pub(in crate::contract) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<Reply> {
        let mut request = self.client.request(method.parse()?, format!("{}{path}", self.api_url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        match body {
            Some(Value::String(text)) => {
                request = request.header("content-type", "application/json").body(text)
            }
            Some(body) => request = request.json(&body),
            None => {}
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Reply { status, headers, body })
    }

    /// One call to the control routes.
    pub(in crate::contract) async fn control(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let mut request =
            self.client.request(method.parse()?, format!("{}{path}", self.control_url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        ensure!(status.is_success(), "control {path}: {status}: {body}");
        Ok(body)
    }
}
