//! The workers: each takes a job, does it, and sleeps when there is none.
//!
//! In: the queue, and news that it changed. Out: jobs done. While a job is in hand its lease is renewed and its owner's change
//! of mind is noticed within a second; both the owner and the end of the process stop the work at once, and the latter puts
//! the job back as if it had not been begun.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{db::Change, state::App};

use super::{
    document,
    failure::Failure,
    outcome,
    progress::Progress,
    queue::{self, ATTEMPTS, Job, Kind, LEASE, Standing},
    removal, sweep,
    trouble::Trouble,
};

/// A lease is renewed so often at least.
const RENEWAL: Duration = Duration::from_secs(15);
/// And looked at no more often than this, however much changes.
const CALM: Duration = Duration::from_secs(1);
/// A worker without a job looks for one so often, should no news reach it.
const IDLE: Duration = Duration::from_secs(30);
/// Pause after the main database did not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// The workers and the sweeper, until told to stop.
pub async fn work(app: Arc<App>, stopping: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let mut sweeping = tasks.spawn(sweeper(app.clone(), stopping.clone(), Duration::ZERO)).id();
    for _ in 0..app.args.documents.ingest_workers {
        tasks.spawn(worker(app.clone(), stopping.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        let Err(panicked) = ended else { continue };
        if *stopping.borrow() {
            continue;
        }
        if panicked.id() == sweeping {
            tracing::error!("the sweeper panicked; another takes its place");
            sweeping = tasks.spawn(sweeper(app.clone(), stopping.clone(), AGAIN)).id();
        } else {
            // The job that it had comes again when its lease lapses.
            tracing::error!("a worker panicked; another takes its place");
            tasks.spawn(worker(app.clone(), stopping.clone()));
        }
    }
}

/// Begins after a pause, so that one that panics at once does not fill the log.
async fn sweeper(app: Arc<App>, stopping: watch::Receiver<bool>, pause: Duration) {
    sleep(pause).await;
    sweep::sweep(&app, stopping).await;
}

async fn worker(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        // From before the look at the queue, so that no news is lost in between.
        let mut news = app.changes.subscribe();
        let pause = match queue::claim(
            &app.db,
            at_once(app.args.tenants.tenant_connections, app.args.documents.ingest_workers),
        )
        .await
        {
            Ok(Some(job)) => {
                one(&app, &job, &mut stopping).await;
                continue;
            }
            Ok(None) => due(&app).await,
            Err(error) => {
                tracing::warn!(%error, "the queue cannot be read");
                AGAIN
            }
        };
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = work_arrives(&mut news) => {}
            () = sleep(pause) => {}
        }
    }
}

/// How many documents of one tenant are worked on at the same time. Each has one of its database's connections for as long as
/// the model takes; two are left for searches and removals. And one worker is left for the others, whose small documents must not
/// wait behind one tenant's large ones.
fn at_once(connections: u32, workers: u32) -> u32 {
    connections.saturating_sub(2).min(workers.saturating_sub(1)).max(1)
}

/// How long to sleep. What is due already, but cannot be had, is not asked for again at once.
async fn due(app: &App) -> Duration {
    match queue::next_due(&app.db).await {
        Ok(due) => due.unwrap_or(IDLE).clamp(CALM, IDLE),
        Err(_) => AGAIN,
    }
}

async fn work_arrives(news: &mut broadcast::Receiver<Change>) {
    loop {
        match news.recv().await {
            Ok(Change::Jobs | Change::Anything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                return;
            }
            Ok(Change::Documents(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Why the work on a job was stopped.
enum Stop {
    Process,
    Unwanted,
    Lost,
}

/// One attempt at one job.
async fn one(app: &App, job: &Job, stopping: &mut watch::Receiver<bool>) {
    let _running = app.metrics.job(job.kind.name());
    let attempt = tokio::select! {
        biased;
        _ = stopping.wait_for(|stop| *stop) => Err(Stop::Process),
        stop = watch(app, job) => Err(stop),
        attempt = attempt(app, job) => Ok(attempt),
    };
    let settled = match attempt {
        Ok(Ok(Done::Prepared(document, prepared))) => {
            // Not to be interrupted: between two commits nobody should change their mind.
            match outcome::commit(app, job, document, *prepared).await {
                Ok(()) => Ok(()),
                Err(trouble) => outcome::failed(app, job, &trouble).await,
            }
        }
        Ok(Ok(Done::Removed)) => Ok(()),
        Ok(Ok(Done::GivenUp(document))) => {
            outcome::give_up(app, job, document, &Failure::Interrupted).await
        }
        Ok(Err(trouble)) => outcome::failed(app, job, &trouble).await,
        Err(Stop::Process) => outcome::release(app, job, Duration::ZERO, false, None).await,
        Err(Stop::Unwanted) => outcome::unwanted(app, job).await,
        Err(Stop::Lost) => {
            // Its owner stopped it, or deleted the document: the job went with that.
            if matches!(job.kind, Kind::Ingest(_)) {
                app.metrics.ingest_finished(Failure::Cancelled.code());
            }
            Ok(())
        }
    };
    if let Err(error) = settled {
        tracing::warn!(job = job.id, %error, "a job's outcome could not be written: it comes again");
    }
    // What waited for this one's end, such as the removal of its document.
    app.changes.tell(Change::Jobs);
}

/// How an attempt came to its end.
enum Done {
    Prepared(uuid::Uuid, Box<document::Prepared>),
    GivenUp(uuid::Uuid),
    Removed,
}

async fn attempt(app: &App, job: &Job) -> Result<Done, Trouble> {
    match job.kind {
        // It took its worker with it each time.
        Kind::Ingest(document) if job.attempt > ATTEMPTS => Ok(Done::GivenUp(document)),
        Kind::Ingest(document) => {
            // Nothing is shown before: a document that waits for its database is not being read.
            let database = app.tenants.database(job.tenant).await?;
            let progress = Progress::default();
            tokio::select! {
                prepared = document::prepare(app, &database, document, &progress) => {
                    Ok(Done::Prepared(document, Box::new(prepared?)))
                }
                () = progress.show(&app.db, job, document) => Ok(Done::GivenUp(document)),
            }
        }
        Kind::DeleteDocument(document) => {
            removal::document(app, job, document).await.map(|()| Done::Removed)
        }
        Kind::DeleteTenant => removal::tenant(app, job.tenant).await.map(|()| Done::Removed),
    }
}

/// Renews the lease until the work is to stop.
async fn watch(app: &App, job: &Job) -> Stop {
    let mut news = app.changes.subscribe();
    let mut heard = Instant::now();
    loop {
        match queue::renew(&app.db, job).await {
            Ok(Standing::Held) => heard = Instant::now(),
            Ok(Standing::Unwanted) => return Stop::Unwanted,
            Ok(Standing::Lost) => return Stop::Lost,
            Err(error) => tracing::warn!(job = job.id, %error, "a lease could not be renewed"),
        }
        if heard.elapsed() > LEASE {
            return Stop::Lost;
        }
        sleep(CALM).await;
        tokio::select! {
            () = tenant_changes(&mut news, job.tenant) => {}
            () = sleep(RENEWAL) => {}
        }
    }
}

async fn tenant_changes(news: &mut broadcast::Receiver<Change>, tenant: uuid::Uuid) {
    loop {
        match news.recv().await {
            Ok(Change::Documents(other)) if other != tenant => {}
            Ok(Change::Jobs) => {}
            Ok(Change::Documents(_) | Change::Anything)
            | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenants_documents_leave_connections_for_its_searches_and_a_worker_for_others() {
        for (connections, workers, expected) in
            [(2, 64, 1), (3, 64, 1), (4, 64, 2), (10, 64, 8), (4, 2, 1), (10, 4, 3), (10, 1, 1)]
        {
            assert_eq!(at_once(connections, workers), expected, "{connections} {workers}");
        }
    }
}
