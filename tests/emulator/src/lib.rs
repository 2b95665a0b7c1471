//! A Neon API v2 server over a real Postgres, for tests, demos and benches. The tour, in the order a call moves:
//!
//! - [`args`](Args): flags; [`app`]: what all parts share; [`listener`]: the HTTP socket, which a fault can reset;
//! - `gate`: request id, faults, key, conflicts, record, around every call; `faults`: the rules; `ledger`: what happened;
//! - `api`: Neon's routes; `requests`: bodies and Neon's ranges; `wire`: what replies look like;
//! - `secrets`: keys and passwords, now and ever; `world`: the state over time (pure); `data`: roles and databases in Postgres;
//! - `proxy`: the ports tenants connect to (TLS, SCRAM, names, scale to zero); `control`: `/_emulator` for tests.
//!
//! It shares no type with the operator, so that an error in one cannot hide in the other.

mod api;
mod app;
mod args;
mod control;
mod data;
mod faults;
mod gate;
mod ids;
mod ledger;
mod listener;
mod proxy;
mod reply;
mod requests;
mod secrets;
mod wire;
mod world;

pub use args::Args;

use std::io::Write as _;

/// Starts the emulator and serves until the process is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    raise_file_limit();
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    let address = listener.local_addr()?;
    let app = app::App::start(args).await?;
    let router = axum::Router::new()
        .nest("/api/v2", api::router(&app))
        .nest("/_emulator", control::router(&app));
    let line = serde_json::json!({
        "api_url": format!("http://{address}/api/v2"),
        "control_url": format!("http://{address}/_emulator"),
    });
    writeln!(std::io::stdout(), "{line}")?;
    std::io::stdout().flush()?;
    let service = router.into_make_service_with_connect_info::<listener::Switch>();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = axum::serve(listener::Listener(listener), service).into_future() => done?,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let patience = std::time::Duration::from_secs(20);
    let _ = tokio::time::timeout(patience, api::lifecycle::drop_everything(&app)).await;
    Ok(())
}

/// Two ports and, when busy, a few sockets for each project: more than the usual soft limit of open files.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
