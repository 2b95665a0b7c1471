//! The chat model, behind an API of the kind that `OpenAI` made common.
//!
//! In: messages. Out: an answer, in one piece or as it is written. The crate's stream ends without a word where the connection
//! does, so an answer counts as whole only once the model has said why it ended. Dropping a stream ends the model's work.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Error,
    transport::{Address, Body, Transport, fault},
};
use crate::{
    args::ChatArgs,
    metrics::{Metrics, ModelCall},
};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What the model is to do.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// Something said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// By whom.
    pub role: Role,
    /// What.
    pub content: String,
}

impl Message {
    /// Something said by somebody.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// More text.
    Text(String),
    /// Its end.
    End(Finish),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Stop,
    /// It may not be longer.
    Length,
    /// The provider kept the rest back.
    Filtered,
}

/// The chat model; clones share its limits.
#[derive(Clone)]
pub struct ChatModel(Arc<Inner>);

struct Inner {
    client: async_openai::Client<Address>,
    model: String,
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

/// An answer that is being written.
pub struct Answering {
    stream: Pin<Box<dyn Stream<Item = Result<Chunk, async_openai::error::OpenAIError>> + Send>>,
    /// Why it ended, where that came together with its last words.
    end: Option<Finish>,
    call: Option<ModelCall>,
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    /// Some servers say so in the stream when they fail in the middle.
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    /// In a stream.
    delta: Option<Delta>,
    /// In one piece; some servers send it in a stream as well.
    message: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

impl ChatModel {
    /// Reads the configuration; nothing is asked yet. None where no model is configured.
    ///
    /// # Errors
    /// Text that names the flag.
    pub fn new(args: &ChatArgs, metrics: Metrics) -> Result<Option<Self>, String> {
        let (Some(url), Some(model)) = (&args.chat_url, &args.chat_model) else {
            return Ok(None);
        };
        let address = Address::new("chat", url, args.chat_key.clone())?;
        Ok(Some(Self(Arc::new(Inner {
            client: Transport::client(address, Body::Events)?,
            model: model.clone(),
            permits: Arc::new(Semaphore::new(args.chat_concurrency as usize)),
            metrics,
        }))))
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.model
    }

    /// A short answer in one piece.
    ///
    /// # Errors
    /// When there is none in that time.
    pub async fn complete(
        &self,
        messages: &[Message],
        most_tokens: u32,
        patience: Duration,
    ) -> Result<String, Error> {
        let due = Instant::now() + patience;
        let asking = async {
            let _permit = self.permit().await;
            let call = self.0.metrics.model_call("chat").due(due);
            let request = self.request(messages, most_tokens, false);
            let answer = self.0.client.chat().create_byot(request).await;
            let text = answer.map_err(|e| fault(e).error).and_then(|answer: Chunk| {
                let first = answer.choices.unwrap_or_default().into_iter().next();
                let text = first.and_then(|choice| choice.message?.content);
                text.ok_or_else(|| Error::Refused("it gave no answer".to_owned()))
            });
            call.ended(outcome(&text));
            text
        };
        let late = |_| Error::Unavailable(format!("no answer within {} s", patience.as_secs_f64()));
        tokio::time::timeout(patience, asking).await.map_err(late)?
    }

    /// An answer as it is written. Whoever asks drops it at `due`, if it has not ended by then: that is counted as a time-out.
    ///
    /// # Errors
    /// When the model does not begin to answer.
    pub async fn stream(
        &self,
        messages: &[Message],
        most_tokens: u32,
        due: Instant,
    ) -> Result<Answering, Error> {
        let permit = self.permit().await;
        let call = self.0.metrics.model_call("chat").due(due);
        let request = self.request(messages, most_tokens, true);
        let stream = self.0.client.chat().create_stream_byot(request).await;
        match stream.map_err(|e| fault(e).error) {
            Ok(stream) => Ok(Answering { stream, end: None, call: Some(call), _permit: permit }),
            Err(error) => {
                call.ended(error.category());
                Err(error)
            }
        }
    }

    /// The semaphore is never closed, so there is always one.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.0.permits.clone().acquire_owned().await.ok()
    }

    fn request(&self, messages: &[Message], most_tokens: u32, stream: bool) -> serde_json::Value {
        // Newer models of OpenAI know only this word for it; servers that know only the older one ignore it.
        let most = if self.takes_new_words() { "max_completion_tokens" } else { "max_tokens" };
        let mut request = json!({"model": self.0.model, "messages": messages, "stream": stream, most: most_tokens});
        if !self.takes_new_words() {
            // What stands in the sources is to be said, not something else that is also likely.
            request["temperature"] = json!(0.1);
        }
        request
    }

    /// Models of `OpenAI` that think take no temperature and another word for the limit.
    fn takes_new_words(&self) -> bool {
        let name = self.0.model.rsplit('/').next().unwrap_or_default();
        ["o1", "o3", "o4", "gpt-5"].iter().any(|start| name.starts_with(start))
    }
}

impl Answering {
    /// The next piece; none after the end.
    ///
    /// # Errors
    /// When the answer breaks off.
    pub async fn next(&mut self) -> Result<Piece, Error> {
        let piece = self.piece().await;
        if !matches!(piece, Ok(Piece::Text(_)))
            && let Some(call) = self.call.take()
        {
            call.ended(outcome(&piece));
        }
        piece
    }

    /// No more is wanted: the model did its part, however it would have gone on.
    pub fn enough(&mut self) {
        if let Some(call) = self.call.take() {
            call.ended("ok");
        }
    }

    async fn piece(&mut self) -> Result<Piece, Error> {
        if let Some(end) = self.end.take() {
            return Ok(Piece::End(end));
        }
        loop {
            let Some(chunk) = self.stream.next().await else {
                return Err(Error::Unavailable("it broke off in the middle".to_owned()));
            };
            let chunk = chunk.map_err(|error| fault(error).error)?;
            if chunk.error.is_some() {
                return Err(Error::Unavailable("it failed in the middle".to_owned()));
            }
            let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
                continue;
            };
            self.end = choice.finish_reason.as_deref().map(|reason| match reason {
                "length" => Finish::Length,
                "content_filter" => Finish::Filtered,
                _ => Finish::Stop,
            });
            let text = choice.delta.and_then(|delta| delta.content);
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                return Ok(Piece::Text(text));
            }
            if let Some(end) = self.end.take() {
                return Ok(Piece::End(end));
            }
        }
    }
}

fn outcome<T>(result: &Result<T, Error>) -> &'static str {
    result.as_ref().err().map_or("ok", Error::category)
}
