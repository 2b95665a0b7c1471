//! `/metrics`, `/livez` and `/readyz`, on an address of their own that the public does not reach.
//!
//! Ready means: the main database answers, and the list of tenants has been read once. An outage of the model or of a
//! tenant's database does not make the app unready: a restart cures neither.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;

use crate::{metrics::Scrape, state::App};

#[derive(Clone)]
struct Admin {
    app: Arc<App>,
    registry: Arc<Registry>,
    scrape: Arc<Scrape>,
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, registry: Registry, app: Arc<App>) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(Admin { app, registry: Arc::new(registry), scrape: Arc::default() });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin address ended");
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    admin.scrape.look(&admin.app).await;
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn is_busy(db: &sqlx::PgPool) -> bool {
    db.size() >= db.options().get_max_connections() && db.num_idle() == 0
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    if !admin.app.tenants.is_listed() {
        let words = "waiting for the list of VectorTenants: is the definition installed, may this account list them?";
        return (StatusCode::SERVICE_UNAVAILABLE, words);
    }
    match sqlx::query("select 1").execute(&admin.app.db).await {
        Ok(_) => (StatusCode::OK, "ok"),
        // Every connection stands and is in use: busy, and no better if the load moves to the other pods.
        Err(sqlx::Error::PoolTimedOut) if is_busy(&admin.app.db) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the main database does not answer"),
    }
}
