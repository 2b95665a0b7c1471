//! How far a document is, for whoever looks at the page.
//!
//! In: counts from the stages of the work, as often as they like. Out: the document's row, a few times a second at most.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use sqlx::PgPool;
use uuid::Uuid;

use super::queue::Job;

/// Pause between two updates of the row.
const PAUSE: Duration = Duration::from_millis(350);

/// Counts of one document.
#[derive(Debug, Default)]
pub struct Progress {
    pages: AtomicU32,
    pages_read: AtomicU32,
    all_read: AtomicBool,
    passages: AtomicU32,
    passages_embedded: AtomicU32,
}

/// What the row says: stage, done, total.
type Shown = (&'static str, i32, Option<i32>);

impl Progress {
    /// There are so many pages.
    pub fn pages(&self, number: u32) {
        self.pages.store(number, Relaxed);
    }

    /// This page has been read.
    pub fn page_read(&self, number: u32) {
        self.pages_read.store(number, Relaxed);
    }

    /// All pages have been read.
    pub fn all_read(&self) {
        self.all_read.store(true, Relaxed);
    }

    /// There are so many more passages.
    pub fn passages(&self, more: usize) {
        self.passages.fetch_add(u32::try_from(more).unwrap_or(u32::MAX), Relaxed);
    }

    /// So many more passages have vectors.
    pub fn embedded(&self, more: usize) {
        self.passages_embedded.fetch_add(u32::try_from(more).unwrap_or(u32::MAX), Relaxed);
    }

    /// How many pages there are.
    #[must_use]
    pub fn page_count(&self) -> i32 {
        number(&self.pages)
    }

    /// Pages while they are read, passages from then on: before that, nobody knows how many there will be.
    fn shown(&self) -> Shown {
        if self.all_read.load(Relaxed) {
            ("embedding", number(&self.passages_embedded), Some(number(&self.passages)))
        } else {
            let total = Some(number(&self.pages)).filter(|pages| *pages > 0);
            ("reading", number(&self.pages_read), total)
        }
    }

    /// Keeps the row up to date, until dropped.
    pub async fn show(&self, db: &PgPool, job: &Job, document: Uuid) {
        let mut last = None;
        loop {
            let shown = self.shown();
            if last != Some(shown) {
                if let Err(error) = update(db, job, document, shown).await {
                    tracing::warn!(%document, %error, "the progress of a document could not be shown");
                }
                last = Some(shown);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn number(count: &AtomicU32) -> i32 {
    i32::try_from(count.load(Relaxed)).unwrap_or(i32::MAX)
}

async fn update(db: &PgPool, job: &Job, document: Uuid, shown: Shown) -> sqlx::Result<()> {
    let (stage, done, total) = shown;
    sqlx::query(
        "update documents set stage = $2, done = $3, total = $4, failure = null, failure_words = null, updated_at = now()
         where id = $1 and stage in ('queued', 'reading', 'embedding')
             and exists (select from jobs where jobs.id = $5 and jobs.worker = $6)",
    )
    .bind(document)
    .bind(stage)
    .bind(done)
    .bind(total)
    .bind(job.id)
    .bind(job.worker)
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_first_and_passages_then() {
        let progress = Progress::default();
        assert_eq!(progress.shown(), ("reading", 0, None));
        progress.pages(3);
        progress.page_read(2);
        progress.passages(5);
        assert_eq!(progress.shown(), ("reading", 2, Some(3)));
        progress.passages(1);
        progress.embedded(4);
        progress.all_read();
        assert_eq!(progress.shown(), ("embedding", 4, Some(6)));
    }
}
