//! The protocol of the scripted chat model. In: requests as OpenAI's chat completions take them. Out: what the test decided, and
//! a note of how each answer ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Asked, ChatModel, End, Fate, Play, Shared, content, locked};

/// Serves until the test ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let routes = Router::new().route("/v1/chat/completions", post(chat)).with_state(shared);
    let _ = axum::serve(listener, routes).await;
}

async fn chat(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = key.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let asked = Asked::new(body, key);
    locked(&shared.asked).push(asked.clone());
    let prompt = asked.prompt();
    let question = last_message(&asked);
    let play = locked(&shared.plays).iter().find(|(text, _)| question.contains(text)).cloned();
    let play = play.map_or(Play::Ignore, |(_, play)| play);
    let (texts, end, pause) = match play {
        Play::Refuse(status, retry_after) => return refusal(status, "refused", retry_after),
        Play::Ignore => return std::future::pending().await,
        Play::AtMost(most, _) if prompt.chars().count() > most => {
            return refusal(400, "context_length_exceeded", None);
        }
        Play::AtMost(_, texts) => (texts, End::Finish("stop"), None),
        Play::Answer(texts, end) => (texts, end, None),
        Play::Slow(pause, texts) => (texts, End::Finish("stop"), Some(pause)),
    };
    if asked.is_answer() {
        return answer(shared, asked, texts, end, pause);
    }
    let rewritten = locked(&shared.rewritten).clone();
    let last_words = || question.trim().lines().last().unwrap_or_default().to_owned();
    let rewritten = rewritten.unwrap_or_else(last_words);
    let message = json!({"role": "assistant", "content": rewritten});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    axum::Json(json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": ChatModel::NAME, "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}))
    .into_response()
}

fn last_message(asked: &Asked) -> String {
    let last = asked.body["messages"].as_array().and_then(|all| all.last());
    last.map(|message| content(&message["content"])).unwrap_or_default()
}

/// A refusal in OpenAI's form; only for `context_length_exceeded` the code matters.
fn refusal(status: u16, code: &str, retry_after: Option<u32>) -> Response {
    let words = match code {
        "context_length_exceeded" => "This model's maximum context length is 4096 tokens.",
        _ => "No.",
    };
    let error =
        json!({"message": words, "type": "invalid_request_error", "param": null, "code": code});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let mut response = (status, axum::Json(json!({ "error": error }))).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Notes that the app went away, unless the end was reached before.
struct Watched(Asked);

impl Drop for Watched {
    fn drop(&mut self) {
        if self.0.fate() == Fate::Running {
            self.0.set(Fate::Abandoned);
        }
    }
}

type Piece = Result<Bytes, io::Error>;

fn answer(
    shared: Arc<Shared>,
    asked: Asked,
    texts: Vec<String>,
    end: End,
    pause: Option<Duration>,
) -> Response {
    let watched = Watched(asked);
    let count = texts.len();
    let gate = shared.gate.subscribe();
    let texts = stream::iter(texts.into_iter().enumerate()).then({
        let gate = gate.clone();
        move |(number, text)| {
            let mut gate = gate.clone();
            async move {
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
                let _ = gate.wait_for(|open| *open > number).await;
                Piece::Ok(event(&chunk(json!({"content": text}), None).to_string()))
            }
        }
    });
    let last = stream::once(async move {
        let mut gate = gate;
        let _ = gate.wait_for(|open| *open > count).await;
        if matches!(end, End::Hang) {
            std::future::pending::<()>().await;
        }
        // Whatever comes now is the end: the app may go.
        watched.0.set(Fate::Whole);
        // Whoever yields lets go out what was written before.
        tokio::task::yield_now().await;
        stream::iter(ending(end))
    })
    .flatten();
    let role = chunk(json!({"role": "assistant", "content": ""}), None);
    let role = stream::iter([Piece::Ok(event(&role.to_string()))]);
    let body: BoxStream<'static, Piece> = role.chain(texts).chain(last).boxed();
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

fn ending(end: End) -> Vec<Piece> {
    let finish = |reason: &str| Ok(event(&chunk(json!({}), Some(reason)).to_string()));
    let done = || Ok(event("[DONE]"));
    match end {
        End::Finish(reason) => vec![finish(reason), done()],
        End::Data(data) => vec![Ok(event(&data)), finish("stop"), done()],
        End::Cut => vec![Err(io::Error::other("cut"))],
        End::Silent | End::Hang => Vec::new(),
    }
}

fn chunk(delta: Value, reason: Option<&str>) -> Value {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": ChatModel::NAME, "choices": [choice]})
}

fn event(data: &str) -> Bytes {
    format!("data: {data}\n\n").into()
}
