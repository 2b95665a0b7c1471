//! What all requests and workers share.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    args::Serve,
    auth::oidc::Provider,
    db::Changes,
    documents::Files,
    limits::Limits,
    metrics::Metrics,
    models::{Embeddings, chat::ChatModel},
    tenants::Tenants,
};

/// Shared by everything in the process, behind an `Arc`.
pub struct App {
    /// The configuration.
    pub args: Serve,
    /// The main database.
    pub db: sqlx::PgPool,
    /// Changes of documents and jobs, as they happen.
    pub changes: Changes,
    /// Tenants: their objects and their databases.
    pub tenants: Tenants,
    /// Where files are kept.
    pub files: Files,
    /// The embedding model.
    pub embeddings: Embeddings,
    /// The chat model, where one is configured.
    pub chat: Option<ChatModel>,
    /// Answers that are being written.
    pub answers: TaskTracker,
    /// Cancelled when they have to end because the process does.
    pub last_words: CancellationToken,
    /// The identity provider, where one is configured.
    pub provider: Option<Provider>,
    /// Who asked how often.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Metrics,
}
