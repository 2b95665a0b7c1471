//! What becomes of a job after an attempt.
//!
//! In: how the attempt ended. Out: the job is done, comes again later, or its document has failed; the job's row and the
//! document's change together, and only while the job is still ours. The order makes a crash at any point harmless: the
//! tenant's database is committed first, and a job that is still there does the same again.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::{db::Change, error::causes, state::App, tenants::TenantState};

use super::{
    document::Prepared,
    failure::Failure,
    queue::{self, ATTEMPTS, Job, Kind},
    trouble::{On, Trouble},
};

/// How long to wait for what takes its time, such as a database that is being made.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to listen for the end of that: longer than the pause, so that nothing falls in between two attempts.
const LISTENING: Duration = Duration::from_secs(60);

/// Commits what was prepared, unless somebody else has the job or its owner does not want it any more.
///
/// # Errors
/// [`Trouble`]: nothing is lost, the same again.
pub async fn commit(
    app: &App,
    job: &Job,
    document: Uuid,
    prepared: Prepared,
) -> Result<(), Trouble> {
    let Some(mut held) = queue::hold(&app.db, job).await.map_err(Trouble::main)? else {
        tracing::warn!(%document, "another worker has the document: what was prepared is dropped");
        return Ok(());
    };
    if !is_wanted(&mut held, document).await.map_err(Trouble::main)? {
        return Ok(());
    }
    let Prepared { written, pages, textless, reading, embedding } = prepared;
    let passages = i32::try_from(written.passages).unwrap_or(i32::MAX);
    let storing = written.commit().await?;
    let model = app.embeddings.model();
    finish(&mut held, document, (pages, passages), model).await.map_err(Trouble::main)?;
    queue::done(&mut held, job).await.map_err(Trouble::main)?;
    held.commit().await.map_err(Trouble::main)?;
    let stages = [
        ("waiting", job.waited),
        ("reading", reading),
        ("embedding", embedding),
        ("storing", storing),
    ];
    for (stage, time) in stages {
        app.metrics.ingest_stage(stage, time);
    }
    app.metrics.ingest_finished("ready");
    tracing::info!(%document, pages, textless, passages, ?reading, ?embedding, ?storing, "a document is searchable");
    Ok(())
}

async fn is_wanted(session: &mut PgConnection, document: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from documents where id = $1 and stage in ('queued', 'reading', 'embedding'))",
    )
    .bind(document)
    .fetch_one(session)
    .await
}

async fn finish(
    session: &mut PgConnection,
    document: Uuid,
    (pages, passages): (i32, i32),
    model: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update documents set stage = 'ready', pages = $2, passages = $3, done = $3, total = $3, embedding_model = $4,
             failure = null, failure_words = null, updated_at = now()
         where id = $1",
    )
    .bind(document)
    .bind(pages)
    .bind(passages)
    .bind(model)
    .execute(session)
    .await?;
    Ok(())
}

/// The attempt did not come to its end.
///
/// # Errors
/// When the main database does not answer: the lease lapses, and the job comes again.
pub async fn failed(app: &App, job: &Job, trouble: &Trouble) -> sqlx::Result<()> {
    let error = causes(trouble);
    let (job_id, kind, attempt) = (job.id, job.kind, job.attempt);
    let Kind::Ingest(document) = job.kind else {
        tracing::warn!(job_id, ?kind, attempt, error, "a removal comes again later");
        return release(app, job, queue::pause(job.attempt), true, None).await;
    };
    let given_up = match trouble {
        Trouble::Failed { failure, detail: _ } => Some(failure.clone()),
        Trouble::Waits { on, source: _ } => on.in_the_end().filter(|_| job.attempt >= ATTEMPTS),
    };
    match (given_up, trouble) {
        (Some(failure), _) => {
            tracing::info!(%document, attempt, failure = failure.code(), error, "a document failed");
            give_up(app, job, document, &failure).await
        }
        (None, Trouble::Waits { on, source: _ }) => {
            tracing::warn!(%document, attempt, error, "a document comes again later");
            app.metrics.ingest_finished("retry");
            let counts = on.in_the_end().is_some();
            let pause = if counts { queue::pause(job.attempt) } else { PATIENCE };
            release(app, job, pause, counts, Some(on.words())).await?;
            if *on == On::Preparation {
                wake_when_ready(app, job);
            }
            Ok(())
        }
        (None, Trouble::Failed { failure: _, detail: _ }) => Ok(()),
    }
}

/// Ends the pause of a job as soon as its tenant's database can be used. Where the word of that is missed, the pause ends by itself.
fn wake_when_ready(app: &App, job: &Job) {
    let (tenants, db, changes) = (app.tenants.clone(), app.db.clone(), app.changes.clone());
    let (id, tenant) = (job.id, job.tenant);
    let mut news = tenants.changes();
    tokio::spawn(tokio::time::timeout(LISTENING, async move {
        while !matches!(tenants.state(tenant), TenantState::Ready { dimensions: _ }) {
            if let Err(RecvError::Closed) = news.recv().await {
                return;
            }
        }
        match queue::hurry(&db, id).await {
            Ok(()) => changes.tell(Change::Jobs),
            Err(error) => tracing::debug!(job = id, %error, "a job could not be woken"),
        }
    }));
}

/// A document failed for good.
///
/// # Errors
/// When the main database does not answer.
pub async fn give_up(app: &App, job: &Job, document: Uuid, failure: &Failure) -> sqlx::Result<()> {
    if let Some(mut held) = queue::hold(&app.db, job).await? {
        queue::document_failed(&mut held, document, failure).await?;
        queue::done(&mut held, job).await?;
        held.commit().await?;
        app.metrics.ingest_finished(failure.code());
    }
    Ok(())
}

/// The job goes back to the queue.
///
/// # Errors
/// When the main database does not answer.
pub async fn release(
    app: &App,
    job: &Job,
    pause: Duration,
    counts: bool,
    words: Option<&str>,
) -> sqlx::Result<()> {
    if let Some(mut held) = queue::hold(&app.db, job).await? {
        if let Kind::Ingest(document) = job.kind {
            queue::document_waits(&mut held, document, words).await?;
        }
        queue::again(&mut held, job, pause, counts).await?;
        held.commit().await?;
    }
    Ok(())
}

/// The owner does not want the document, or did not a moment ago: it may have been asked for anew since.
///
/// # Errors
/// When the main database does not answer.
pub async fn unwanted(app: &App, job: &Job) -> sqlx::Result<()> {
    let Kind::Ingest(document) = job.kind else {
        return Ok(());
    };
    if let Some(mut held) = queue::hold(&app.db, job).await? {
        if is_wanted(&mut held, document).await? {
            queue::again(&mut held, job, Duration::ZERO, false).await?;
        } else {
            queue::done(&mut held, job).await?;
        }
        held.commit().await?;
        app.metrics.ingest_finished(Failure::Cancelled.code());
    }
    Ok(())
}
