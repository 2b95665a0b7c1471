//! Carrying out the action of a fault rule on an API call. In: a hit, the connection's switch, the reply so far. Out: go
//! on, end with this response, or commit later.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::Effects;
use crate::faults::{Action, Hit, delay};
use crate::listener::Switch;
use crate::reply::ApiError;

/// What happens next.
pub(super) enum Step {
    Go,
    End(Response),
    /// Commit after so many milliseconds, answer with this status now (none: never).
    Late(u64, Option<u16>),
}

/// Marks a response whose body must not be read ahead: it breaks on its way.
#[derive(Clone)]
pub(super) struct Broken;

pub(super) async fn act(
    hit: &Hit,
    switch: &Switch,
    effects: &mut Effects,
    reply: &mut Option<Response>,
) -> Step {
    match &hit.action {
        Action::Reply { status, body, headers } => {
            let mut response = replied(*status, body.as_ref());
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name), HeaderValue::try_from(value))
                {
                    response.headers_mut().insert(name, value);
                }
            }
            Step::End(response)
        }
        Action::Hold => {
            hit.hold().await;
            Step::Go
        }
        Action::Hang => Step::End(end_of_late(hit, switch, None).await),
        Action::Delay { millis, jitter } => {
            tokio::time::sleep(delay(*millis, *jitter)).await;
            Step::Go
        }
        Action::LateCommit { millis, status } => Step::Late(*millis, *status),
        Action::Reset | Action::Refuse => Step::End(reset(switch)),
        Action::Truncate { bytes } => match reply.take() {
            Some(response) => Step::End(truncated(response, *bytes).await),
            None => Step::End(reset(switch)),
        },
        Action::StaleList { millis } => {
            effects.list_lag = effects.list_lag.max(*millis);
            Step::Go
        }
        Action::Unavailable { project_ids } => {
            effects.unavailable.extend(project_ids.iter().cloned());
            Step::Go
        }
        Action::Operation(_) | Action::Cut { .. } | Action::Deny { .. } => Step::Go,
    }
}

/// An error at once, or none before the rule is released: then the connection ends.
pub(super) async fn end_of_late(hit: &Hit, switch: &Switch, status: Option<u16>) -> Response {
    match status {
        Some(status) => replied(status, None),
        None => {
            hit.hold().await;
            reset(switch)
        }
    }
}

fn reset(switch: &Switch) -> Response {
    switch.reset();
    StatusCode::OK.into_response()
}

fn replied(status: u16, body: Option<&Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        None => {
            let text = status.canonical_reason().unwrap_or("origin timed out").to_lowercase();
            ApiError::new(status, text).into_response()
        }
        Some(Value::String(text)) => {
            let kind = if text.trim_start().starts_with('<') {
                "text/html; charset=UTF-8"
            } else {
                "text/plain"
            };
            (status, [(header::CONTENT_TYPE, kind)], text.clone()).into_response()
        }
        Some(json) => (status, axum::Json(json.clone())).into_response(),
    }
}

/// The head and the first bytes of a reply; then the connection breaks.
async fn truncated(response: Response, keep: Option<usize>) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let keep = keep.unwrap_or(bytes.len() / 2).min(bytes.len());
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    parts.extensions.insert(Broken);
    let start = bytes.slice(..keep);
    // The pause lets the first part leave before the error takes the connection down.
    let stream = futures::stream::unfold(Some(start), |part| async move {
        match part {
            Some(part) if !part.is_empty() => Some((Ok(part), Some(Bytes::new()))),
            Some(_) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
            }
            None => None,
        }
    });
    Response::from_parts(parts, Body::from_stream(stream))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replies_are_html_text_or_json() {
        let html = replied(524, Some(&json!("<!DOCTYPE html><html></html>")));
        assert_eq!(html.status().as_u16(), 524);
        assert_eq!(html.headers()[header::CONTENT_TYPE], "text/html; charset=UTF-8");
        assert_eq!(
            replied(429, Some(&json!({"a": 1}))).headers()[header::CONTENT_TYPE],
            "application/json"
        );
        assert!(replied(503, None).extensions().get::<ApiError>().is_some());
    }
}
