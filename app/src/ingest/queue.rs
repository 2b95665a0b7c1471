//! The queue of work, in the main database: who works on what, until when, and what became of it.
//!
//! In: a worker's id. Out: one job at a time, leased. Tenants take turns: whoever has less in hand is served first, then whoever
//! waited longest. A lease that is not renewed lapses, and another worker begins anew; whoever lost a lease cannot write any
//! result, because every result is written under a lock on the job's row that only its holder gets.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::failure::Failure;

/// How long a job is believed to be worked on after its worker was last heard of.
pub const LEASE: Duration = Duration::from_secs(60);
/// After so many attempts a document has failed.
pub const ATTEMPTS: i32 = 8;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A document becomes searchable.
    Ingest(Uuid),
    /// A document goes.
    DeleteDocument(Uuid),
    /// A tenant goes.
    DeleteTenant,
}

impl Kind {
    /// Every kind's name.
    pub const NAMES: [&str; 3] = ["ingest", "delete_document", "delete_tenant"];

    /// As it is called in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest(_) => "ingest",
            Self::DeleteDocument(_) => "delete_document",
            Self::DeleteTenant => "delete_tenant",
        }
    }
}

/// A job in hand.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// What is to be done.
    pub kind: Kind,
    /// For whom.
    pub tenant: Uuid,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// How long ago it was put into the queue, when this attempt began.
    pub waited: Duration,
    /// Who works on it: somebody else for each attempt.
    pub worker: Uuid,
}

/// A row of `jobs`: id, kind, tenant, document, attempts, age in seconds.
type Row = (i64, String, Uuid, Option<Uuid>, i32, f64);

/// The next job that may be worked on, if there is one. A document is not removed while somebody works on it. Only the kinds
/// that this version knows are taken: others are a newer version's, and are left to it. A tenant's ingests in hand are bounded;
/// two claims at the very same moment may go beyond that for once.
const CLAIM: &str = "
    with in_hand as (
        select tenant_id, count(*) as number, count(*) filter (where kind = 'ingest') as ingests
        from jobs where leased_until > now() group by tenant_id
    ),
    next as (
        select jobs.id
        from jobs join tenants on tenants.id = jobs.tenant_id left join in_hand using (tenant_id)
        where jobs.run_at <= now() and (jobs.leased_until is null or jobs.leased_until <= now())
            and (tenants.deleted_at is null or jobs.kind = 'delete_tenant')
            and (jobs.kind in ('delete_document', 'delete_tenant')
                or jobs.kind = 'ingest' and coalesce(in_hand.ingests, 0) < $3)
            and not exists (
                select from jobs other
                where other.document_id = jobs.document_id and other.id <> jobs.id and other.leased_until > now()
            )
        order by coalesce(in_hand.number, 0), jobs.run_at, jobs.id
        for update of jobs skip locked
        limit 1
    )
    update jobs
    set worker = $1, leased_until = now() + make_interval(secs => $2), attempts = attempts + 1
    from next where jobs.id = next.id
    returning jobs.id, jobs.kind, jobs.tenant_id, jobs.document_id, jobs.attempts,
        extract(epoch from now() - jobs.created_at)::float8";

/// Takes the next job, where at most so many ingests of one tenant run at the same time.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(db: &PgPool, ingests: u32) -> sqlx::Result<Option<Job>> {
    let worker = Uuid::new_v4();
    let row: Option<Row> = sqlx::query_as(CLAIM)
        .bind(worker)
        .bind(LEASE.as_secs_f64())
        .bind(i64::from(ingests))
        .fetch_optional(db)
        .await?;
    Ok(row.and_then(|(id, kind, tenant, document, attempt, age)| {
        let kind = match (kind.as_str(), document) {
            ("ingest", Some(document)) => Kind::Ingest(document),
            ("delete_document", Some(document)) => Kind::DeleteDocument(document),
            ("delete_tenant", None) => Kind::DeleteTenant,
            // The statement takes no other, and the schema allows none.
            _ => return None,
        };
        let waited = Duration::try_from_secs_f64(age).unwrap_or_default();
        Some(Job { id, kind, tenant, attempt, waited, worker })
    }))
}

/// How long until something may be worked on, as far as is known; none where nothing waits.
///
/// # Errors
/// When the database does not answer.
pub async fn next_due(db: &PgPool) -> sqlx::Result<Option<Duration>> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from min(greatest(run_at, leased_until)) - now())::float8 from jobs
         where kind in ('ingest', 'delete_document', 'delete_tenant')",
    )
    .fetch_one(db)
    .await?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

/// The jobs of one kind, over all processes.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Depth {
    /// Its name.
    pub kind: String,
    /// Jobs that nobody works on, those that are to be tried again later included.
    pub waiting: i64,
    /// Jobs that somebody works on.
    pub running: i64,
    /// How long the oldest has waited, in seconds, since somebody asked for it; attempts that failed do not begin it anew.
    pub oldest: Option<f64>,
}

/// How long the queue is; a kind without jobs is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn depth(db: &PgPool) -> sqlx::Result<Vec<Depth>> {
    sqlx::query_as(
        "select kind, count(*) filter (where not held) as waiting, count(*) filter (where held) as running,
             greatest(0, extract(epoch from now() - min(created_at) filter (where not held))::float8) as oldest
         from (select kind, created_at, coalesce(leased_until > now(), false) as held from jobs) as jobs
         group by kind",
    )
    .fetch_all(db)
    .await
}

/// What a look at the job in hand says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Go on.
    Held,
    /// The owner does not want it any more.
    Unwanted,
    /// Somebody else has it, or it is gone.
    Lost,
}

/// Renews the lease, and looks whether the work is still wanted.
///
/// # Errors
/// When the database does not answer.
pub async fn renew(db: &PgPool, job: &Job) -> sqlx::Result<Standing> {
    let wanted: Option<bool> = sqlx::query_scalar(
        "update jobs set leased_until = now() + make_interval(secs => $3)
         from tenants where jobs.id = $1 and jobs.worker = $2 and tenants.id = jobs.tenant_id
         returning jobs.kind <> 'ingest' or (tenants.deleted_at is null and exists (
             select from documents where documents.id = jobs.document_id
                 and documents.stage in ('queued', 'reading', 'embedding')))",
    )
    .bind(job.id)
    .bind(job.worker)
    .bind(LEASE.as_secs_f64())
    .fetch_optional(db)
    .await?;
    Ok(match wanted {
        Some(true) => Standing::Held,
        Some(false) => Standing::Unwanted,
        None => Standing::Lost,
    })
}

/// The job's row, locked until the transaction ends; none where somebody else has the job.
///
/// # Errors
/// When the database does not answer.
pub async fn hold<'a>(
    db: &'a PgPool,
    job: &Job,
) -> sqlx::Result<Option<Transaction<'a, Postgres>>> {
    let mut transaction = db.begin().await?;
    // The document first, as everybody does who changes both.
    if let Kind::Ingest(document) = job.kind {
        sqlx::query("select from documents where id = $1 for update")
            .bind(document)
            .execute(&mut *transaction)
            .await?;
    }
    let held: Option<i64> =
        sqlx::query_scalar("select id from jobs where id = $1 and worker = $2 for update")
            .bind(job.id)
            .bind(job.worker)
            .fetch_optional(&mut *transaction)
            .await?;
    Ok(held.map(|_| transaction))
}

/// The work is done, or given up: the job goes.
///
/// # Errors
/// When the database does not answer.
pub async fn done(session: &mut PgConnection, job: &Job) -> sqlx::Result<()> {
    sqlx::query("delete from jobs where id = $1").bind(job.id).execute(session).await?;
    Ok(())
}

/// The attempt failed: the same again after a pause.
///
/// # Errors
/// When the database does not answer.
pub async fn again(
    session: &mut PgConnection,
    job: &Job,
    pause: Duration,
    counts: bool,
) -> sqlx::Result<()> {
    sqlx::query(
        "update jobs set worker = null, leased_until = null, run_at = now() + make_interval(secs => $2),
             attempts = attempts - $3
         where id = $1",
    )
    .bind(job.id)
    .bind(pause.as_secs_f64())
    .bind(i32::from(!counts))
    .execute(session)
    .await?;
    Ok(())
}

/// What a job waited for is there: its pause ends now.
///
/// # Errors
/// When the database does not answer.
pub async fn hurry(db: &PgPool, job: i64) -> sqlx::Result<()> {
    sqlx::query(
        "update jobs set run_at = now() where id = $1 and worker is null and run_at > now()",
    )
    .bind(job)
    .execute(db)
    .await?;
    Ok(())
}

/// The document of a job failed for good.
///
/// # Errors
/// When the database does not answer.
pub async fn document_failed(
    session: &mut PgConnection,
    document: Uuid,
    failure: &Failure,
) -> sqlx::Result<()> {
    sqlx::query(
        "update documents set stage = 'failed', failure = $2, failure_words = $3, updated_at = now()
         where id = $1 and stage in ('queued', 'reading', 'embedding')",
    )
    .bind(document)
    .bind(failure.code())
    .bind(failure.words())
    .execute(session)
    .await?;
    Ok(())
}

/// The document of a job waits for another attempt, for a reason in words.
///
/// # Errors
/// When the database does not answer.
pub async fn document_waits(
    session: &mut PgConnection,
    document: Uuid,
    words: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update documents set stage = 'queued', done = 0, total = null, failure = null, failure_words = $2,
             updated_at = now()
         where id = $1 and (stage in ('reading', 'embedding') or stage = 'queued' and failure_words is distinct from $2)",
    )
    .bind(document)
    .bind(words)
    .execute(session)
    .await?;
    Ok(())
}

/// The pause before the next attempt: 2 seconds, 4, 8, and so on up to a minute.
#[must_use]
pub fn pause(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 10)).unwrap_or(1);
    Duration::from_secs(2_u64.saturating_pow(doublings).min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_last_some_minutes_in_all() {
        let pauses: Vec<u64> = (1..ATTEMPTS).map(|attempt| pause(attempt).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(-1), pause(1));
        assert_eq!(pause(i32::MAX).as_secs(), 60);
    }
}
