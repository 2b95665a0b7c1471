//! How many requests go to the model at the same time, and how long to wait between attempts.
//!
//! In: whose turn it is. Out: a permit. Documents never take the last permit, so a question goes at once; where only one
//! request is allowed, it waits for one batch at most.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A batch of a document's passages.
    Document,
    /// A question that a person waits for.
    Query,
}

/// Permits for requests.
pub(super) struct Pace {
    all: Semaphore,
    documents: Semaphore,
    most_documents: usize,
}

/// To be dropped when the request has ended.
pub(super) struct Permit<'a> {
    _one: Option<SemaphorePermit<'a>>,
    _document: Option<SemaphorePermit<'a>>,
}

impl Pace {
    pub(super) fn new(concurrency: usize) -> Self {
        let most_documents = concurrency.saturating_sub(1).max(1);
        Self {
            all: Semaphore::new(concurrency),
            documents: Semaphore::new(most_documents),
            most_documents,
        }
    }

    /// Most requests for documents at the same time.
    pub(super) fn documents(&self) -> usize {
        self.most_documents
    }

    /// Waits for a permit, first come first served. The semaphores are never closed, so there is always one.
    pub(super) async fn turn(&self, turn: Turn) -> Permit<'_> {
        let _document = match turn {
            Turn::Document => self.documents.acquire().await.ok(),
            Turn::Query => None,
        };
        Permit { _one: self.all.acquire().await.ok(), _document }
    }
}

/// Pauses between attempts: longer and longer, with jitter, so that many who failed together do not come back together.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(20))
        .with_max_times(8)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_question_does_not_wait_for_documents() {
        let pace = Pace::new(3);
        let documents = [pace.turn(Turn::Document).await, pace.turn(Turn::Document).await];
        assert!(pace.turn(Turn::Document).now_or_never().is_none());
        let question = pace.turn(Turn::Query).now_or_never();
        assert!(question.is_some());
        assert!(pace.turn(Turn::Query).now_or_never().is_none(), "three at most");
        drop(documents);
    }

    #[tokio::test]
    async fn with_one_permit_a_question_is_next() {
        let pace = Pace::new(1);
        let document = pace.turn(Turn::Document).await;
        let mut question = Box::pin(pace.turn(Turn::Query));
        let mut next_document = Box::pin(pace.turn(Turn::Document));
        assert!(question.as_mut().now_or_never().is_none());
        assert!(next_document.as_mut().now_or_never().is_none());
        drop(document);
        assert!(next_document.as_mut().now_or_never().is_none());
        assert!(question.now_or_never().is_some());
    }
}
