//! Documents: files in, listed, shown, renamed, out.
//!
//! In: requests of a signed-in person. Out: rows in the main database, files in the store, jobs for the workers. Every query
//! is bounded by the person's tenant, so somebody else's document looks exactly like none. [`rows`] reads, [`arrival`] and
//! [`change`] write, [`upload`] takes a file in, [`file`] gives it out, [`files`] keeps it.

mod arrival;
mod change;
mod file;
mod files;
mod names;
mod ranges;
mod routes;
mod rows;
mod upload;

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    error::Error,
    state::App,
    web::{self, Stage},
};

pub use files::{Blob, Files, StoreError};
pub use names::title;
pub use routes::routes;

/// The prefix of a tenant's files.
#[must_use]
pub fn prefix(tenant: Uuid) -> String {
    format!("tenants/{tenant}/")
}

/// Where a new file goes. Nothing of a person is in it, and no two uploads share it.
fn new_key(tenant: Uuid, document: Uuid) -> String {
    format!("{}{document}/{}.pdf", prefix(tenant), Uuid::new_v4().simple())
}

/// The end of an upload that was given up, once its row says that it is being deleted: the file first, then the row that knows
/// of it, so that a crash in between leaves it to the next attempt.
///
/// # Errors
/// When the file store or the main database does not answer.
pub async fn discard(
    db: &PgPool,
    files: &Files,
    document: Uuid,
    key: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    files.delete(key).await?;
    sqlx::query("delete from documents where id = $1 and stage = 'deleting'")
        .bind(document)
        .execute(db)
        .await?;
    Ok(())
}

/// A tenant's documents as people see them, newest first.
///
/// # Errors
/// When the main database does not answer.
pub async fn list(app: &App, tenant: Uuid) -> Result<web::DocumentList, Error> {
    let rows = rows::all(&app.db, tenant).await?;
    let taken = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let free = i64::from(app.args.documents.max_documents).saturating_sub(taken).max(0);
    let model = app.embeddings.model();
    Ok(web::DocumentList {
        documents: rows.into_iter().map(|row| row.shown(model)).collect(),
        free,
    })
}

/// A document, as far as a search is concerned.
#[derive(Clone, Debug)]
pub struct Searchable {
    /// Its id.
    pub id: Uuid,
    /// What the person calls it.
    pub title: String,
    /// The name that its file had.
    pub file_name: String,
    /// Whether it can be searched.
    pub state: Readiness,
    /// How many passages it has.
    pub passages: i32,
}

/// Whether a document can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Work on it is under way.
    Busy,
    /// Its vectors are from another model than today's.
    Outdated,
    /// It could not be read.
    Failed,
}

/// A tenant's documents and whether they can be searched, newest first.
///
/// # Errors
/// When the main database does not answer.
pub async fn searchable(app: &App, tenant: Uuid) -> Result<Vec<Searchable>, Error> {
    let model = app.embeddings.model();
    let rows = rows::all(&app.db, tenant).await?.into_iter().map(|row| {
        let state = match row.stage() {
            Stage::Ready if row.is_outdated(model) => Readiness::Outdated,
            Stage::Ready => Readiness::Ready,
            Stage::Uploading | Stage::Queued | Stage::Reading | Stage::Embedding => Readiness::Busy,
            Stage::Failed => Readiness::Failed,
        };
        let passages = row.passages.unwrap_or(0);
        Searchable { id: row.id, title: row.title, file_name: row.file_name, state, passages }
    });
    Ok(rows.collect())
}
