//! The end of a document: its vectors, then its file, then its row.
//!
//! In: a job for a document that its owner does not see any more. Out: nothing of it is left. Each step finds what an earlier
//! attempt left of it; what is gone already is fine.

use uuid::Uuid;

use crate::{
    chat,
    state::App,
    tenants::{self, TenantState},
};

use super::{
    queue::Job,
    trouble::{On, Trouble},
};

/// Removes a document.
///
/// # Errors
/// [`Trouble`]: the same again later.
pub async fn document(app: &App, job: &Job, document: Uuid) -> Result<(), Trouble> {
    let key = forbid_results(app, document).await.map_err(Trouble::main)?;
    match app.tenants.database(job.tenant).await {
        Ok(database) => {
            sqlx::query("delete from embeddings where document_id = $1")
                .bind(document)
                .execute(&database.pool)
                .await
                .map_err(Trouble::tenant)?;
            chat::forget_document(&database.pool, document).await.map_err(Trouble::tenant)?;
        }
        Err(tenants::Error::Gone) => {}
        // Listed and not there: its database went with it, or never was.
        Err(tenants::Error::Preparing) if is_missing(app, job.tenant) => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(key) = key {
        app.files.delete(&key).await?;
    }
    // Its jobs, this one too, go with it.
    sqlx::query("delete from documents where id = $1 and stage = 'deleting'")
        .bind(document)
        .execute(&app.db)
        .await
        .map_err(Trouble::main)?;
    Ok(())
}

/// From here on nobody can write a result for the document: whoever is about to, holds the row until it is done.
async fn forbid_results(app: &App, document: Uuid) -> sqlx::Result<Option<String>> {
    let mut transaction = app.db.begin().await?;
    let key = sqlx::query_scalar("select blob_key from documents where id = $1 for update")
        .bind(document)
        .fetch_optional(&mut *transaction)
        .await?;
    sqlx::query("delete from jobs where document_id = $1 and kind = 'ingest'")
        .bind(document)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(key)
}

fn is_missing(app: &App, tenant: Uuid) -> bool {
    app.tenants.is_listed() && app.tenants.state(tenant) == TenantState::Missing
}

/// Removes a tenant.
///
/// # Errors
/// [`Trouble`]: the same again later.
pub async fn tenant(app: &App, tenant: Uuid) -> Result<(), Trouble> {
    tenants::remove(app, tenant).await.map_err(|error| Trouble::waits(On::Ourselves, error))
}
