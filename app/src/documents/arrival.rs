//! A document's row while its file arrives: reserved, kept alive, completed or given up.
//!
//! In: what is known of the file so far. Out: a row in stage `uploading` before the first byte is stored, so that nothing in
//! the store is unknown; then `queued` with its job, or nothing. Changes of one tenant's documents wait for each other here.

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::{discard, files::Files};

/// A file that is about to arrive.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) tenant: Uuid,
    pub(super) id: Uuid,
    pub(super) key: String,
    pub(super) title: String,
    pub(super) file_name: String,
}

/// Whether there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Reserved,
    Full,
    /// The tenant is being deleted.
    NoTenant,
}

/// How an arrival ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Queued,
    /// The tenant has this file already.
    Duplicate {
        id: Uuid,
        title: String,
    },
    /// Somebody deleted the document, or the account, in the meantime.
    Gone,
}

/// Takes one of the tenant's places. The tenant's row is locked, so two uploads cannot take the same place.
pub(super) async fn reserve(
    db: &PgPool,
    arrival: &Arrival,
    most: u32,
) -> Result<Room, sqlx::Error> {
    let mut transaction = db.begin().await?;
    if !lock(&mut transaction, arrival.tenant).await? {
        return Ok(Room::NoTenant);
    }
    let (taken,): (i64,) = sqlx::query_as(
        "select count(*) from documents where tenant_id = $1 and stage <> 'deleting'",
    )
    .bind(arrival.tenant)
    .fetch_one(&mut *transaction)
    .await?;
    if taken >= i64::from(most) {
        return Ok(Room::Full);
    }
    sqlx::query("insert into documents (id, tenant_id, title, file_name, blob_key) values ($1, $2, $3, $4, $5)")
        .bind(arrival.id)
        .bind(arrival.tenant)
        .bind(&arrival.title)
        .bind(&arrival.file_name)
        .bind(&arrival.key)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Room::Reserved)
}

/// Says that the upload goes on. Answers whether the document, and the account, are still wanted.
pub(super) async fn touch(db: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    let touched = sqlx::query(
        "update documents set updated_at = now() from tenants
         where documents.id = $1 and stage = 'uploading' and tenants.id = tenant_id and deleted_at is null",
    )
    .bind(id)
    .execute(db)
    .await?;
    Ok(touched.rows_affected() == 1)
}

/// The file is stored: the document and the work on it become real together.
pub(super) async fn complete(
    db: &PgPool,
    arrival: &Arrival,
    bytes: i64,
    sha256: &[u8],
) -> Result<Ended, sqlx::Error> {
    let mut transaction = db.begin().await?;
    if !lock(&mut transaction, arrival.tenant).await? {
        return Ok(Ended::Gone);
    }
    let same: Option<(Uuid, String)> = sqlx::query_as(
        "select id, title from documents
         where tenant_id = $1 and sha256 = $2 and stage <> 'deleting' and id <> $3 order by created_at limit 1",
    )
    .bind(arrival.tenant)
    .bind(sha256)
    .bind(arrival.id)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some((id, title)) = same {
        return Ok(Ended::Duplicate { id, title });
    }
    let updated = sqlx::query(
        "update documents set bytes = $2, sha256 = $3, stage = 'queued', updated_at = now()
         where id = $1 and stage = 'uploading'",
    )
    .bind(arrival.id)
    .bind(bytes)
    .bind(sha256)
    .execute(&mut *transaction)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(Ended::Gone);
    }
    sqlx::query("insert into jobs (kind, tenant_id, document_id) values ('ingest', $1, $2)")
        .bind(arrival.tenant)
        .bind(arrival.id)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Ended::Queued)
}

/// Removes what is left of an arrival: the file first, then the row that knows of it. An arrival that was completed, even if
/// the answer to its commit was lost, stays. What cannot be removed now is found by the sweeper. No transaction waits for the
/// file store.
pub(super) async fn abandon(db: &PgPool, files: &Files, arrival: &Arrival) {
    if let Err(error) = try_abandon(db, files, arrival).await {
        tracing::warn!(document = %arrival.id, %error, "what is left of an upload is removed later");
    }
}

async fn try_abandon(
    db: &PgPool,
    files: &Files,
    arrival: &Arrival,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // From here on the arrival cannot be completed, and a crash leaves it to the sweeper.
    sqlx::query("update documents set stage = 'deleting' where id = $1 and stage = 'uploading'")
        .bind(arrival.id)
        .execute(db)
        .await?;
    let stage: Option<String> = sqlx::query_scalar("select stage from documents where id = $1")
        .bind(arrival.id)
        .fetch_optional(db)
        .await?;
    if !matches!(stage.as_deref(), None | Some("deleting")) {
        return Ok(());
    }
    discard(db, files, arrival.id, &arrival.key).await
}

/// One change of a tenant's documents at a time. The lock leaves foreign keys' checks alone.
async fn lock(
    transaction: &mut Transaction<'_, Postgres>,
    tenant: Uuid,
) -> Result<bool, sqlx::Error> {
    let found: Option<(Uuid,)> = sqlx::query_as(
        "select id from tenants where id = $1 and deleted_at is null for no key update",
    )
    .bind(tenant)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(found.is_some())
}
