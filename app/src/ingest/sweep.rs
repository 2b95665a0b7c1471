//! What nobody else would notice: uploads that were given up, and documents without the job that they wait for.
//!
//! In: the main database, once a minute. Out: abandoned uploads are gone, lost jobs are there again.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    documents::{Files, discard},
    error::causes,
    state::App,
};

/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);
/// An upload that has not moved for so long was given up.
const ABANDONED: Duration = Duration::from_secs(15 * 60);

/// Jobs that rows wait for, where a way was found to lose them. Nearly all are put there in the transaction that needs them, so
/// this finds none but those of uploads whose removal was cut short. What a deleted tenant had goes with the tenant, whose row is
/// buried by `tenants::heal`.
const LOST: &str = "
    insert into jobs (kind, tenant_id, document_id)
    select case stage when 'deleting' then 'delete_document' else 'ingest' end, tenant_id, documents.id
    from documents join tenants on tenants.id = tenant_id and deleted_at is null
    where stage in ('queued', 'reading', 'embedding', 'deleting')
    on conflict do nothing";

/// Sweeps until told to stop.
pub async fn sweep(app: &App, mut stopping: watch::Receiver<bool>) {
    loop {
        if let Err(error) = once(app, ABANDONED).await {
            tracing::warn!(error = %causes(error.as_ref()), "the sweep was not finished");
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn once(app: &App, age: Duration) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    uploads(&app.db, &app.files, age).await?;
    let found = sqlx::query(LOST).execute(&app.db).await?.rows_affected();
    if found > 0 {
        tracing::warn!(found, "work without a job was found");
    }
    Ok(())
}

/// Removes uploads that have not moved for so long.
async fn uploads(
    db: &PgPool,
    files: &Files,
    age: Duration,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // From here on the upload cannot end well, should its bytes still come: it finds its row in another stage.
    let abandoned: Vec<(Uuid, String)> = sqlx::query_as(
        "update documents set stage = 'deleting'
         where stage = 'uploading' and updated_at < now() - make_interval(secs => $1)
         returning id, blob_key",
    )
    .bind(age.as_secs_f64())
    .fetch_all(db)
    .await?;
    for (document, key) in abandoned {
        discard(db, files, document, &key).await?;
        tracing::info!(%document, "removed an upload that was given up");
    }
    Ok(())
}
