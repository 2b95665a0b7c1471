//! A measuring instrument in the place of the models: it answers deterministic vectors, and words, at once.
//!
//! In: requests as OpenAI's API takes them, for the model `instrument-N`. Out: vectors of N dimensions, made of pieces that were
//! written as JSON and as base64 before, because this server shares the processors with what is measured. It knows nothing of
//! meaning, but its vectors lie in groups, as those of texts do. [`chat`] writes its answers.

pub(super) mod chat;

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;

use super::words::mix;

/// Numbers of a piece; dimensions are a multiple of it. Its bytes are a multiple of three, so that base64 of pieces can be put
/// together.
const LENGTH: usize = 96;
/// Different pieces.
const PIECES: usize = 256;

/// Texts are of so many kinds; those of one kind have this many of eight pieces in common. Vectors of real texts lie in
/// groups, too, and an index over vectors that have nothing in common at all is much slower.
const TOPICS: u64 = 32;
const SHARED: u64 = 5;

/// The server.
pub(super) struct Model {
    address: SocketAddr,
    pub(super) chat: Arc<chat::Chat>,
}

/// What its vectors are made of.
pub(super) struct Pieces(Vec<Piece>);

/// Numbers, and the same as each form of answer has them.
struct Piece {
    numbers: Vec<f32>,
    json: String,
    base64: String,
}

#[derive(Deserialize)]
struct Question {
    model: String,
    input: Vec<String>,
    #[serde(default)]
    encoding_format: Form,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Float,
    Base64,
}

impl Model {
    pub(super) async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // What it says leaves at once: a system that waits for more to send would be measured as the app's delay.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let vectors = axum::Router::new().route("/v1/embeddings", post(answer));
        let vectors = vectors.with_state(Arc::new(Pieces::new()));
        let chat = Arc::new(chat::Chat::new());
        let words = axum::Router::new().route("/v1/chat/completions", post(chat::answer));
        let router = vectors.merge(words.with_state(chat.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, chat })
    }

    /// Environment of an app that asks it for answers, too.
    pub(super) fn chat_settings(&self, dimensions: usize) -> Vec<(&'static str, String)> {
        let chat = [
            ("CHAT_URL", format!("http://{}/v1", self.address)),
            ("CHAT_KEY", "none".to_owned()),
            ("CHAT_MODEL", chat::NAME.to_owned()),
            // Vectors that mean nothing are never near enough; what is asked here is always answered.
            ("RELEVANCE_FLOOR", "0".to_owned()),
        ];
        self.settings(dimensions).into_iter().chain(chat).collect()
    }

    /// Environment of an app that asks it for vectors.
    pub(super) fn settings(&self, dimensions: usize) -> Vec<(&'static str, String)> {
        vec![
            ("EMBEDDING_URL", format!("http://{}/v1", self.address)),
            ("EMBEDDING_KEY", "none".to_owned()),
            ("EMBEDDING_MODEL", name(dimensions)),
            ("EMBEDDING_DIMENSIONS", dimensions.to_string()),
        ]
    }
}

/// What it is called when it gives so many dimensions.
pub(super) fn name(dimensions: usize) -> String {
    format!("instrument-{dimensions}")
}

impl Pieces {
    pub(super) fn new() -> Self {
        let piece = |piece: usize| {
            let number = |place: usize| {
                let bits = mix((piece * LENGTH + place) as u64) >> 40;
                (bits as f32 / (1_u64 << 23) as f32 - 1.0) * 0.05
            };
            let numbers: Vec<f32> = (0..LENGTH).map(number).collect();
            let words: Vec<String> = numbers.iter().map(f32::to_string).collect();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            Piece { numbers, json: words.join(","), base64: BASE64.encode(bytes) }
        };
        Self((0..PIECES).map(piece).collect())
    }

    /// The vector that it gives for a text.
    pub(super) fn vector(&self, text: &str, dimensions: usize) -> Vec<f32> {
        self.of(text, dimensions).flat_map(|piece| piece.numbers.clone()).collect()
    }

    fn write(&self, input: &str, dimensions: usize, form: Form, out: &mut String) {
        let pieces = self.of(input, dimensions);
        match form {
            Form::Float => {
                out.push('[');
                for (place, piece) in pieces.enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    out.push_str(&piece.json);
                }
                out.push(']');
            }
            Form::Base64 => {
                out.push('"');
                pieces.for_each(|piece| out.push_str(&piece.base64));
                out.push('"');
            }
        }
    }

    fn of(&self, text: &str, dimensions: usize) -> impl Iterator<Item = &Piece> {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let seed = hasher.finish();
        (0..dimensions / LENGTH).map(move |place| {
            let own = mix(seed.wrapping_add(place as u64));
            let shared = mix((seed % TOPICS) * LENGTH as u64 + place as u64);
            let piece = if own >> 32 & 7 < SHARED { shared } else { own };
            &self.0[piece as usize % PIECES]
        })
    }
}

async fn answer(State(pieces): State<Arc<Pieces>>, body: Bytes) -> Response {
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let dimensions = question.model.rsplit('-').next().and_then(|number| number.parse().ok());
    let Some(dimensions) = dimensions else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut text = String::with_capacity(question.input.len() * dimensions * 14);
    text.push_str(r#"{"object":"list","data":["#);
    for (index, input) in question.input.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, r#"{comma}{{"object":"embedding","index":{index},"embedding":"#);
        pieces.write(input, dimensions, question.encoding_format, &mut text);
        text.push('}');
    }
    text.push_str("]}");
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_vector_of_the_length_that_is_asked_for() {
        let vector = |text| Pieces::new().vector(text, 1536);
        assert_eq!(vector("a").len(), 1536);
        assert_eq!(vector("a"), vector("a"));
        assert_ne!(vector("a"), vector("b"));
        assert!(vector("a").iter().all(|number| number.is_finite() && number.abs() <= 0.05));
    }

    #[test]
    fn both_forms_say_the_same() {
        let written = |form| {
            let mut out = String::new();
            Pieces::new().write("a", 192, form, &mut out);
            out
        };
        let numbers: Vec<f32> = serde_json::from_str(&written(Form::Float)).unwrap();
        let bytes = BASE64.decode(written(Form::Base64).trim_matches('"')).unwrap();
        let bytes: Vec<[u8; 4]> = bytes.as_chunks().0.to_vec();
        assert_eq!(bytes.into_iter().map(f32::from_le_bytes).collect::<Vec<_>>(), numbers);
    }
}
