//! One request to the embedding API, by async-openai.
//!
//! In: texts. Out: vectors, or a [`Fault`] that says whether and when to try again.

use std::sync::atomic::{AtomicBool, Ordering};

use async_openai::error::OpenAIError;
use serde::Serialize;

use super::{
    Error,
    answer::Answer,
    transport::{Address, Body, Fault, Transport, fault},
};
use crate::args::ModelArgs;

/// What one number of a vector may weigh.
const NUMBER_BYTES: usize = 32;
/// A model that gives longer vectors than configured is to be heard before it is refused.
const MOST_DIMENSIONS: usize = 16_384;

/// The API.
pub(super) struct Client {
    client: async_openai::Client<Address>,
    model: String,
    dimensions: i32,
    /// The API refused base64.
    wants_numbers: AtomicBool,
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
        let address = Address::new("embedding", &args.embedding_url, args.embedding_key.clone())?;
        let most = args.embedding_batch as usize * MOST_DIMENSIONS * NUMBER_BYTES;
        Ok(Self {
            client: Transport::client(address, Body::Whole { more: most, check: is_vectors })?,
            model: args.embedding_model.clone(),
            dimensions: args.embedding_dimensions,
            wants_numbers: AtomicBool::new(false),
        })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn dimensions(&self) -> i32 {
        self.dimensions
    }

    /// Vectors for texts. Base64 is a quarter of the bytes and of the work; an API that refuses it and gives numbers is asked for
    /// numbers from then on.
    pub(super) async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Fault> {
        if !self.wants_numbers.load(Ordering::Relaxed) {
            match self.ask_for("base64", texts).await {
                Err(refused) if may_be_the_form(&refused.error) => {
                    let Ok(vectors) = self.ask_for("float", texts).await else {
                        return Err(refused);
                    };
                    tracing::info!("the embedding API gives no base64: it is asked for numbers");
                    self.wants_numbers.store(true, Ordering::Relaxed);
                    return Ok(vectors);
                }
                answer => return answer,
            }
        }
        self.ask_for("float", texts).await
    }

    async fn ask_for(
        &self,
        encoding_format: &'static str,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let question = Question {
            model: &self.model,
            input: texts,
            encoding_format,
            dimensions: takes_dimensions(&self.model).then_some(self.dimensions),
        };
        let answer: Result<Answer, OpenAIError> =
            self.client.embeddings().create_byot(question).await;
        Ok(answer.map_err(fault)?.vectors(texts.len(), self.dimensions)?)
    }
}

/// Whether it may be base64 that an API does not like, or numbers of another size in it.
fn may_be_the_form(error: &Error) -> bool {
    match error {
        Error::Refused(words) => {
            ["encoding_format", "base64"].iter().any(|sign| words.contains(sign))
        }
        Error::Dimensions { expected: _, got: _ } => true,
        Error::Unavailable(_) | Error::TooLong(_) => false,
    }
}

/// Parsed once more by async-openai, which would write a body that it cannot read to the log.
fn is_vectors(body: &[u8]) -> Result<(), String> {
    let parsed = serde_json::from_slice::<Answer>(body);
    parsed.map(drop).map_err(|error| format!("it answered something else than vectors ({error})"))
}

/// Only these models can be asked for shorter vectors; servers of others refuse the word.
fn takes_dimensions(model: &str) -> bool {
    model.rsplit('/').next().is_some_and(|name| name.starts_with("text-embedding-3"))
}
