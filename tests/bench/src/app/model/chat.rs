//! The chat model's part of the instrument: an answer of fifty words at once, or of ten words with a pause after each.
//!
//! In: requests as OpenAI's API takes them; all that counts of them is whether they want a stream. Out: the same answer to every
//! question, written before anybody asked; and, for an answer with pauses, the moments at which its words were sent. A request
//! for an answer in one piece comes from an app that rewrites a question: it gets its last question back.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

/// What it is called.
pub(super) const NAME: &str = "instrument-chat";
/// Words of an answer, and of one with pauses.
const WORDS: usize = 50;
const SLOW_WORDS: usize = 10;
/// Between two words.
pub(in crate::app) const PAUSE: Duration = Duration::from_millis(20);
/// What an app writes before the question that it wants rewritten.
const LAST: &str = "Last question: ";

/// How it answers, and what it has said.
pub(in crate::app) struct Chat {
    /// A whole answer, as it is sent.
    whole: Bytes,
    slow: AtomicBool,
    sent: Mutex<Vec<Instant>>,
}

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    stream: bool,
}

/// A request for an answer in one piece; others are not read any further.
#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

impl Chat {
    pub(super) fn new() -> Self {
        // A word as models write them, with its space before it; one citation among them.
        let word = |number: usize| match number {
            0 => "Words".to_owned(),
            20 => " [1]".to_owned(),
            _ => format!(" word{number}"),
        };
        let words: String = (0..WORDS).map(|number| event(&word(number), None)).collect();
        let whole = Bytes::from(words + &end());
        Self { whole, slow: AtomicBool::new(false), sent: Mutex::default() }
    }

    /// Whether it pauses after each word; one question at a time, then.
    pub(in crate::app) fn pause(&self, slow: bool) {
        self.slow.store(slow, Ordering::Relaxed);
    }

    /// When the words of the last answer with pauses were sent.
    pub(in crate::app) fn sent(&self) -> Vec<Instant> {
        self.moments().clone()
    }

    fn moments(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn answer(State(chat): State<Arc<Chat>>, body: Bytes) -> Response {
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !question.stream {
        return rewritten(&body);
    }
    let body = if chat.slow.load(Ordering::Relaxed) {
        slowly(chat)
    } else {
        Body::from(chat.whole.clone())
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn rewritten(body: &[u8]) -> Response {
    let Ok(Messages { messages }) = serde_json::from_slice(body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let last = messages.last().map(|message| message.content.as_str()).unwrap_or_default();
    let text = last.rsplit(LAST).next().unwrap_or_default();
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    Json(json!({"id": "1", "object": "chat.completion", "created": 0, "model": NAME, "choices": [choice]}))
        .into_response()
}

fn slowly(chat: Arc<Chat>) -> Body {
    chat.moments().clear();
    let words = stream::iter(0..SLOW_WORDS).then(move |number| {
        let chat = chat.clone();
        async move {
            if number > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let text = event(&format!(" word{number}"), None);
            chat.moments().push(Instant::now());
            text
        }
    });
    let all = words.chain(stream::once(async { end() }));
    Body::from_stream(all.map(|text| Ok::<_, Infallible>(Bytes::from(text))))
}

fn end() -> String {
    format!("{}data: [DONE]\n\n", event("", Some("stop")))
}

fn event(text: &str, finish_reason: Option<&str>) -> String {
    let delta: Value = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    let chunk = json!({
        "id": "1", "object": "chat.completion.chunk", "created": 0, "model": NAME, "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_its_words_and_why_it_ends() {
        let whole = String::from_utf8(Chat::new().whole.to_vec()).unwrap();
        assert_eq!(whole.matches("\"finish_reason\":null").count(), WORDS);
        assert_eq!(whole.matches("\"finish_reason\":\"stop\"").count(), 1);
        assert!(whole.ends_with("data: [DONE]\n\n"));
    }
}
