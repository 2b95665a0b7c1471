//! Chat: a question, the passages that answer it, an answer that cites them page by page, and the conversation around it.
//!
//! In: questions of a signed-in person. Out: a stream that any front end of the AI SDK understands, and a history in the
//! person's own database. [`request`] what is asked → [`begin`] it is written down → [`find`] by [`plan`] → [`sources`] →
//! [`prompt`] → the model, or [`quote`] without one → [`citations`] made true,
//! by [`ground`] where they lack → [`wire`] → [`buffer`], so that a reader may come
//! later, to another process. [`answer`] does all this in order; [`store`] keeps it. An answer is written to its end though
//! nobody listens: only a stop, or its time, ends it early.

mod answer;
mod begin;
mod buffer;
mod citations;
mod find;
mod ground;
mod pages;
mod plan;
mod prompt;
mod quote;
mod request;
mod routes;
mod sources;
mod store;
mod whole;
mod wire;

use sqlx::PgPool;
use uuid::Uuid;

use crate::{error::Error, search, state::App, tenants::Database};

pub use routes::routes;

/// Takes the text of a document that is deleted out of the conversations about it.
///
/// # Errors
/// When the tenant's database does not answer.
pub async fn forget_document(pool: &PgPool, document: Uuid) -> sqlx::Result<()> {
    store::forget_document(pool, document).await
}

/// Asks a tenant's database something; again where the session ended under us, or the password became another.
async fn on_database<T, F, A>(app: &App, tenant: Uuid, ask: F) -> Result<T, Error>
where
    F: Fn(Database) -> A,
    A: Future<Output = Result<T, sqlx::Error>>,
{
    let database = app.tenants.database(tenant).await?;
    search::patiently(app, tenant, database, ask).await
}
