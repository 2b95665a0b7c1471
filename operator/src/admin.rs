//! `/metrics`, `/livez` and `/readyz`.
//!
//! Ready means: there is word of the Lease, the tenants are listed (once this operator leads), and Neon does not refuse the API
//! key. Only a refusal (401, 403) makes the operator unready: an outage of Neon is not cured by a restart. The answer is cached,
//! so that a probe costs no call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;

use crate::{context::Context, metrics::Metrics};

/// How long Neon's word on the key is believed.
const KEY_CHECK: Duration = Duration::from_secs(60);
/// How soon a refused key is tried again.
const KEY_RECHECK: Duration = Duration::from_secs(5);

/// What readiness hangs on.
#[derive(Debug, Default)]
pub struct Readiness {
    lease_unheard: AtomicBool,
    leads: AtomicBool,
    unlisted: AtomicUsize,
    key_refused: AtomicBool,
}

impl Readiness {
    /// One more controller must list its tenants first; the answer is to be called each time that it has.
    pub fn expect_list(self: &Arc<Self>, metrics: Metrics) -> impl Fn() + Send + use<> {
        self.unlisted.fetch_add(1, Ordering::Relaxed);
        let (readiness, listed) = (self.clone(), AtomicBool::new(false));
        move || {
            let first = !listed.swap(true, Ordering::Relaxed);
            if first && readiness.unlisted.fetch_sub(1, Ordering::Relaxed) == 1 {
                tracing::info!("watching tenants");
                metrics.watching();
            }
        }
    }

    /// From now on tenants are to be listed; who stands by is ready without.
    pub fn leads(&self) {
        self.heard_of_lease(true);
        self.leads.store(true, Ordering::Relaxed);
    }

    /// Whether there is recent word of the Lease. Without, this operator could never take over, and a rollout must not end.
    pub fn heard_of_lease(&self, heard: bool) {
        self.lease_unheard.store(!heard, Ordering::Relaxed);
    }

    fn problem(&self) -> Option<&'static str> {
        if self.lease_unheard.load(Ordering::Relaxed) {
            return Some(
                "no word of the lease: allow get, create and update of leases in its namespace",
            );
        }
        if self.leads.load(Ordering::Relaxed) && self.unlisted.load(Ordering::Relaxed) > 0 {
            return Some(
                "waiting for the list of VectorTenants: is the definition installed, and may this account list VectorTenants in every namespace that it serves? The log says which",
            );
        }
        let refused = self.key_refused.load(Ordering::Relaxed);
        refused.then_some("Neon does not accept the API key: correct it")
    }
}

/// Asks Neon now and then whether it accepts the key.
pub async fn watch_key(ctx: Arc<Context>, readiness: Arc<Readiness>) {
    let mut has_answered = true;
    loop {
        let verdict = ctx.neon.authenticate().await;
        let refused = match &verdict {
            Ok(()) => Some(false),
            Err(error) => match error.status() {
                Some(401 | 403) => Some(true),
                Some(_) | None => None, // an outage says nothing about the key
            },
        };
        if let (Err(error), None, true) = (&verdict, refused, has_answered) {
            tracing::warn!(%error, "Neon says nothing about the API key; is the URL of its API right?");
        }
        has_answered = refused.is_some();
        if let Some(refused) = refused {
            ctx.metrics.neon_key_accepted(!refused);
            let before = readiness.key_refused.swap(refused, Ordering::Relaxed);
            if refused && !before {
                tracing::error!("Neon does not accept the API key");
            }
        }
        tokio::time::sleep(if refused == Some(false) { KEY_CHECK } else { KEY_RECHECK }).await;
    }
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, registry: Registry, readiness: Arc<Readiness>) {
    let app = Router::new()
        .route("/metrics", get(metrics))
        .with_state(Arc::new(registry))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready).with_state(readiness));
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(%error, "the admin server ended");
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [("content-type", kind)], text)
        }
        Err(error) => {
            let kind = "text/plain; charset=utf-8";
            (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", kind)], error.to_string())
        }
    }
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> impl IntoResponse {
    match readiness.problem() {
        None => (StatusCode::OK, "ok"),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
    }
}
