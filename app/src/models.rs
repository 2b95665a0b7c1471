//! The embedding model, behind an API of the kind that `OpenAI` made common.
//!
//! In: texts. Out: one vector for each, in order, of the configured length. Requests are batched, bounded over the whole
//! process, timed and repeated where that can help; a search never waits behind a whole document. What the model says is
//! checked before anybody stores it. The key is in no error and in no log line.

mod answer;
pub mod chat;
mod client;
mod pace;
#[cfg(test)]
mod tests;
mod transport;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{args::ModelArgs, metrics::Metrics};

use client::Client;
use pace::{Pace, Turn};
use transport::Fault;

/// A document's batch may take this many times as long as one request, repetitions included.
const BATCH_REQUESTS: u32 = 3;
/// A person waits no longer than this for the vector of a question, and the start for the model to show itself.
const QUERY_PATIENCE: Duration = Duration::from_secs(15);

/// Why there are no vectors, or there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not answer, or not in time: later may be better.
    #[error("the model does not answer: {0}")]
    Unavailable(String),
    /// It refuses, or answers something else than vectors: a person must act.
    #[error("the model cannot be used: {0}")]
    Refused(String),
    /// What it was asked is longer than it takes.
    #[error("the model takes less than it was asked: {0}")]
    TooLong(String),
    /// Its vectors have another length than configured.
    #[error(
        "the embedding model gives vectors of {got} dimensions where {expected} are configured: set \
         --embedding-dimensions to {got}, or choose a model that gives {expected} (--embedding-model)"
    )]
    Dimensions {
        /// As configured.
        expected: i32,
        /// As received.
        got: usize,
    },
}

impl Error {
    /// A name from a fixed set, for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::TooLong(_) => "too_long",
            Self::Dimensions { expected: _, got: _ } => "dimensions",
        }
    }

    /// Whether the same request may go well later without anybody's doing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused(_) | Self::TooLong(_) | Self::Dimensions { expected: _, got: _ } => false,
        }
    }
}

/// The embedding model; clones share its limits.
#[derive(Clone)]
pub struct Embeddings(Arc<Inner>);

struct Inner {
    client: Client,
    pace: Pace,
    metrics: Metrics,
    batch: usize,
    request_patience: Duration,
}

impl std::fmt::Debug for Embeddings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Embeddings({} of {} dimensions)", self.model(), self.dimensions())
    }
}

impl Embeddings {
    /// Reads the configuration; nothing is asked yet.
    ///
    /// # Errors
    /// Text that names the flag.
    pub fn new(args: &ModelArgs, metrics: Metrics) -> Result<Self, String> {
        Ok(Self(Arc::new(Inner {
            client: Client::new(args)?,
            pace: Pace::new(args.embedding_concurrency as usize),
            metrics,
            batch: args.embedding_batch as usize,
            request_patience: args.embedding_seconds,
        })))
    }

    /// The model's name; vectors of different models cannot be compared.
    #[must_use]
    pub fn model(&self) -> &str {
        self.0.client.model()
    }

    /// The length of its vectors.
    #[must_use]
    pub fn dimensions(&self) -> i32 {
        self.0.client.dimensions()
    }

    /// Asks the model for one vector and compares its length with what is configured: to be done at the start.
    ///
    /// # Errors
    /// Text that names the flag and the remedy, where the lengths differ. An outage is no error, and neither is a refusal:
    /// documents can be shown without the model. The log says what to do.
    pub async fn check(&self) -> Result<(), String> {
        let patience = self.0.request_patience.min(QUERY_PATIENCE);
        let text = ["dimensions".to_owned()];
        match self.attempt(&text, patience, None).await.map_err(|fault| fault.error) {
            Ok(_) => Ok(()),
            Err(error @ Error::Dimensions { expected: _, got: _ }) => Err(error.to_string()),
            Err(error @ (Error::Unavailable(_) | Error::Refused(_) | Error::TooLong(_))) => {
                tracing::error!(%error, "documents can be shown, but not read or searched, until this is mended");
                Ok(())
            }
        }
    }

    /// One vector for each text, in order.
    ///
    /// # Errors
    /// When any of them cannot be had; the others are dropped.
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let budget = self.0.request_patience * BATCH_REQUESTS;
        let batches = texts.chunks(self.0.batch);
        let requests: Vec<_> =
            batches.map(|batch| self.persist(batch, Turn::Document, budget, None)).collect();
        let batches: Vec<Vec<Vec<f32>>> =
            stream::iter(requests).buffered(self.0.pace.documents()).try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    /// The vector of a question; it goes before documents.
    ///
    /// # Errors
    /// When it cannot be had while a person waits.
    pub async fn embed_query(&self, text: &str) -> Result<Vec<f32>, Error> {
        let budget = self.0.request_patience.min(QUERY_PATIENCE);
        let texts = [text.to_owned()];
        let due = Instant::now() + budget;
        let asking = self.persist(&texts, Turn::Query, budget, Some(due));
        let late = |_| Error::Unavailable(format!("no vector within {} s", budget.as_secs_f64()));
        let vectors = tokio::time::timeout(budget, asking).await.map_err(late)??;
        vectors.into_iter().next().ok_or_else(|| Error::Refused("it gave no vector".to_owned()))
    }

    /// Asks again while that can help and the budget lasts. Waiting for a turn does not count against it; `due` is when the caller
    /// gives up in any case.
    async fn persist(
        &self,
        texts: &[String],
        turn: Turn,
        budget: Duration,
        due: Option<Instant>,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let (mut pauses, mut spent) = (pace::pauses(), Duration::ZERO);
        loop {
            let permit = self.0.pace.turn(turn).await;
            let started = Instant::now();
            let patience = self.0.request_patience.min(budget.saturating_sub(spent));
            let fault = match self.attempt(texts, patience, due).await {
                Ok(vectors) => return Ok(vectors),
                Err(fault) => fault,
            };
            drop(permit);
            spent += started.elapsed();
            let pause = pauses.next().filter(|_| fault.error.may_pass());
            let Some(pause) = pause.map(|pause| pause.max(fault.retry_after.unwrap_or_default()))
            else {
                return Err(fault.error);
            };
            spent += pause;
            if spent >= budget {
                return Err(fault.error);
            }
            tracing::debug!(error = %fault.error, ?pause, "asking the embedding model again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        texts: &[String],
        patience: Duration,
        due: Option<Instant>,
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let due = due.unwrap_or_else(|| Instant::now() + patience);
        let call = self.0.metrics.model_call("embedding").due(due);
        let asked = tokio::time::timeout(patience, self.0.client.ask(texts)).await;
        let outcome = asked.unwrap_or_else(|_| {
            let words =
                format!("no answer within {} s (--embedding-seconds)", patience.as_secs_f64());
            Err(Error::Unavailable(words).into())
        });
        call.ended(outcome.as_ref().err().map_or("ok", |fault| fault.error.category()));
        outcome
    }
}
