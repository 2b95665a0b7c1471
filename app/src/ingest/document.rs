//! One document from its file to its passages, ready to be committed.
//!
//! In: a document and the tenant's database. Out: an open transaction in the tenant's database that holds everything. Reading, embedding and storing run at
//! the same time, joined by short channels: whoever is slow makes the others wait, and memory stays small. Nothing here
//! decides what becomes of the job; dropping the future ends the child and undoes the transaction.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::{FutureExt, Stream, StreamExt, TryStreamExt, future::BoxFuture, stream};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{documents::Blob, state::App, tenants::Database};

use super::{
    child::{self, Limits, News},
    chunk::{Chunker, Passage},
    failure::Failure,
    progress::Progress,
    store::{self, Batch, Written},
    trouble::Trouble,
};

/// The program that runs, even where its file was replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";
/// Pages that are read, but not yet cut.
const PAGES_AHEAD: usize = 16;
/// Batches that have vectors, but are not yet stored.
const BATCHES_AHEAD: usize = 2;
/// Bytes of a page that are cut in no time; a longer one would keep requests waiting that share the thread.
const QUICK: usize = 64 << 10;

/// A document that only waits for its commit.
pub struct Prepared {
    /// The open transaction.
    pub written: Written,
    /// How many pages there are.
    pub pages: i32,
    /// How many of the pages have no text.
    pub textless: u32,
    /// How long the reading process worked.
    pub reading: Duration,
    /// How long the model worked, requests at the same time added up.
    pub embedding: Duration,
}

/// Does all that can be done before the commit.
///
/// # Errors
/// [`Trouble`].
pub async fn prepare(
    app: &App,
    database: &Database,
    document: Uuid,
    progress: &Progress,
) -> Result<Prepared, Trouble> {
    let (stored, given) = (database.dimensions, app.embeddings.dimensions());
    if stored != given {
        let detail = format!("the database has {stored} dimensions, the model {given}");
        return Err(Trouble::failed(Failure::ModelMismatch { stored, given }, detail));
    }
    let (file, title) = open(app, document).await?;
    let limits = limits(app);
    let (news, pages) = mpsc::channel(PAGES_AHEAD);
    let (vectors, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let reading = async {
        let read = child::read(&limits, file.chunks, news).await?;
        progress.all_read();
        Ok(read)
    };
    let ((textless, reading), embedding, written) = tokio::try_join!(
        reading,
        embed(app, &title, passages(pages, progress), vectors, progress),
        store::write(&database.pool, document, &mut batches),
    )?;
    let written = written.ok_or_else(|| Trouble::failed(Failure::NoText, "no passages"))?;
    Ok(Prepared { written, pages: progress.page_count(), textless, reading, embedding })
}

/// A document's file, and what it is called.
async fn open(app: &App, document: Uuid) -> Result<(Blob, String), Trouble> {
    let (key, title): (String, String) =
        sqlx::query_as("select blob_key, title from documents where id = $1")
            .bind(document)
            .fetch_one(&app.db)
            .await
            .map_err(Trouble::main)?;
    Ok((app.files.get(&key).await?, title))
}

fn limits(app: &App) -> Limits {
    let documents = &app.args.documents;
    Limits {
        program: PathBuf::from(OURSELVES),
        max_pages: documents.max_pages,
        megabytes: documents.extract_megabytes,
        time: documents.extract_seconds,
    }
}

/// Passages as pages come.
fn passages(
    pages: mpsc::Receiver<News>,
    progress: &Progress,
) -> impl Stream<Item = Passage> + use<'_> {
    stream::unfold((pages, Some(Chunker::default())), move |(mut pages, chunker)| async move {
        let chunker = chunker?;
        let (chunker, complete) = match pages.recv().await {
            Some(News::Pages(number)) => {
                progress.pages(number);
                (chunker, Vec::new())
            }
            Some(News::Page(number, text)) => {
                let cut = cut(chunker, i32::try_from(number).unwrap_or(i32::MAX), text).await;
                progress.page_read(number);
                cut
            }
            None => {
                let last = chunker.finish();
                progress.passages(last.len());
                return Some((stream::iter(last), (pages, None)));
            }
        };
        progress.passages(complete.len());
        Some((stream::iter(complete), (pages, Some(chunker))))
    })
    .flatten()
}

/// The passages that are complete with a page.
async fn cut(mut chunker: Chunker, number: i32, text: String) -> (Chunker, Vec<Passage>) {
    let long = text.len() > QUICK;
    let work = move || {
        let complete = chunker.page(number, &text);
        (chunker, complete)
    };
    if !long {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(cut) => cut,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Never begun: the process ends.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Vectors for passages, several batches at the same time, in order.
async fn embed(
    app: &App,
    title: &str,
    passages: impl Stream<Item = Passage> + Send,
    vectors: mpsc::Sender<Batch>,
    progress: &Progress,
) -> Result<Duration, Trouble> {
    let models = &app.args.models;
    let batches = passages
        .chunks(models.embedding_batch as usize)
        .map(|passages| embed_batch(app, title, passages, progress))
        .buffered(models.embedding_concurrency as usize);
    futures::pin_mut!(batches);
    let mut took = Duration::ZERO;
    while let Some((batch, time)) = batches.try_next().await? {
        took += time;
        if vectors.send(batch).await.is_err() {
            // Storing failed: it says why.
            break;
        }
    }
    Ok(took)
}

/// Boxed, because the compiler does not see otherwise that it may be sent to another thread.
///
/// What a passage is about often stands in the title only: "it" is the machine whose manual this is. So the title goes into the
/// vector, and not into the text that is shown.
fn embed_batch<'a>(
    app: &'a App,
    title: &'a str,
    passages: Vec<Passage>,
    progress: &'a Progress,
) -> BoxFuture<'a, Result<(Batch, Duration), Trouble>> {
    async move {
        let began = Instant::now();
        let texts: Vec<String> =
            passages.iter().map(|passage| format!("{title}. {}", passage.text)).collect();
        let vectors = app.embeddings.embed(&texts).await?;
        progress.embedded(passages.len());
        Ok((Batch { passages, vectors }, began.elapsed()))
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_page_is_cut_like_a_short_one() {
        let long = "The keeper counts whales in the evening. ".repeat(4000);
        for text in ["The keeper counts whales.".to_owned(), long] {
            let mut expected = Chunker::default();
            let mut passages = expected.page(7, &text);
            passages.extend(expected.finish());
            let (chunker, mut cut) = cut(Chunker::default(), 7, text).await;
            cut.extend(chunker.finish());
            assert_eq!(cut, passages);
        }
    }
}
