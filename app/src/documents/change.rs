//! What a person does to a document that is there: rename it, stop or repeat the work on it, delete it.
//!
//! In: a tenant and a document's id. Out: the row and its jobs, changed in one transaction. A document of somebody else is
//! not found; one that is in the wrong stage is a conflict, with words.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::rows;
use crate::{error::Error, ingest::failure::Failure};

/// A living upload says every few seconds that it goes on.
const SILENCE: Duration = Duration::from_secs(60);

/// Gives it another title.
pub(super) async fn rename(db: &PgPool, tenant: Uuid, id: Uuid, title: &str) -> Result<(), Error> {
    let renamed = sqlx::query(
        "update documents set title = $3, updated_at = now()
         where tenant_id = $1 and id = $2 and stage <> 'deleting'",
    )
    .bind(tenant)
    .bind(id)
    .bind(title)
    .execute(db)
    .await?;
    if renamed.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Stops the work on it. Whoever works on it right now finds its job gone and leaves it alone.
pub(super) async fn cancel(db: &PgPool, tenant: Uuid, id: Uuid) -> Result<(), Error> {
    let mut transaction = db.begin().await?;
    let stopped = sqlx::query(
        "update documents set stage = 'failed', failure = $3, failure_words = $4, updated_at = now()
         where tenant_id = $1 and id = $2 and stage in ('queued', 'reading', 'embedding')",
    )
    .bind(tenant)
    .bind(id)
    .bind(Failure::Cancelled.code())
    .bind(Failure::Cancelled.words())
    .execute(&mut *transaction)
    .await?;
    if stopped.rows_affected() == 0 {
        let words = "There is no work on this document that could be stopped.";
        return refuse(&mut transaction, tenant, id, words).await;
    }
    end_work(&mut transaction, tenant, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Reads it anew: one that failed, or whose vectors are from another model than today's.
pub(super) async fn retry(db: &PgPool, tenant: Uuid, id: Uuid, model: &str) -> Result<(), Error> {
    let mut transaction = db.begin().await?;
    let queued = sqlx::query(
        "update documents set stage = 'queued', done = 0, total = null, failure = null, failure_words = null,
             updated_at = now()
         where tenant_id = $1 and id = $2
           and (stage = 'failed' or stage = 'ready' and embedding_model is distinct from $3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(model)
    .execute(&mut *transaction)
    .await?;
    if queued.rows_affected() == 0 {
        let words = "Only a document that could not be read can be tried again.";
        return refuse(&mut transaction, tenant, id, words).await;
    }
    // A job that was left over begins anew, in nobody's hands.
    sqlx::query(
        "insert into jobs (kind, tenant_id, document_id) values ('ingest', $1, $2)
         on conflict (kind, tenant_id, document_id)
         do update set attempts = 0, created_at = now(), run_at = now(), worker = null, leased_until = null",
    )
    .bind(tenant)
    .bind(id)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Hides it at once; file, passages and row are removed by a worker, whatever happens in between. One whose file is still on
/// its way stays: the file would come after its removal. An upload that has not been heard of for long is over.
pub(super) async fn delete(db: &PgPool, tenant: Uuid, id: Uuid) -> Result<(), Error> {
    let mut transaction = db.begin().await?;
    let hidden = sqlx::query(
        "update documents set stage = 'deleting', updated_at = now()
         where tenant_id = $1 and id = $2 and stage <> 'deleting'
           and (stage <> 'uploading' or updated_at < now() - make_interval(secs => $3))",
    )
    .bind(tenant)
    .bind(id)
    .bind(SILENCE.as_secs_f64())
    .execute(&mut *transaction)
    .await?;
    if hidden.rows_affected() == 0 {
        let words = "It is still being uploaded: wait a moment or cancel the upload.";
        return refuse(&mut transaction, tenant, id, words).await;
    }
    end_work(&mut transaction, tenant, id).await?;
    sqlx::query(
        "insert into jobs (kind, tenant_id, document_id) values ('delete_document', $1, $2)
         on conflict (kind, tenant_id, document_id) do nothing",
    )
    .bind(tenant)
    .bind(id)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

async fn end_work(session: &mut PgConnection, tenant: Uuid, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from jobs where kind = 'ingest' and tenant_id = $1 and document_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(session)
        .await?;
    Ok(())
}

/// Why nothing was changed: there is no such document, or it is in another stage.
async fn refuse(
    session: &mut PgConnection,
    tenant: Uuid,
    id: Uuid,
    words: &str,
) -> Result<(), Error> {
    rows::one(session, tenant, id).await?;
    Err(Error::Conflict(words.to_owned()))
}
