//! The app's process: `serve`, `migrate`, and the child that reads one PDF.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use app::{
    admin,
    args::{Args, Command, DatabaseArgs, Serve},
    auth::{self, oidc::Provider},
    db::{self, Changes},
    documents::Files,
    ingest,
    limits::Limits,
    live,
    metrics::Metrics,
    models::{Embeddings, chat::ChatModel},
    router::router,
    server::{self, Closing},
    state::App,
    tenants::{self, Tenants},
};
use clap::Parser;
use process::signals::Signals;
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests and documents in hand may take once the process is to end.
const LAST_WORK: Duration = Duration::from_secs(20);
/// The part of it in which answers that are not done yet say so.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        // Before anything else is made: this process gets as little memory as it was told.
        Command::Extract(args) => Ok(ExitCode::from(ingest::extract(&args))),
        Command::Migrate(args) => runtime()?.block_on(migrate(args)),
        Command::Serve(args) => runtime()?.block_on(begin(*args)),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// One provider in the whole tree; libraries that find none would panic at their first connection.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn migrate(args: DatabaseArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    install_tls();
    tokio::select! {
        opened = db::open(&args) => Ok(opened.map(|_| ExitCode::SUCCESS)?),
        () = signals.next() => anyhow::bail!("ended by a signal while the main database was waited for"),
    }
}

/// Signals come first; whatever hangs while the app starts is then left behind.
async fn begin(args: Serve) -> anyhow::Result<ExitCode> {
    let signals = Signals::new()?;
    // The crate writes answers that it cannot read to the log; what people and documents say does not belong there.
    process::log::start(args.process.log_format, &args.process.log_filter, &["async_openai"])
        .map_err(anyhow::Error::msg)?;
    install_tls();
    let stopping = signals.stopping();
    let mut stopped = stopping.clone();
    let (app, registry) = tokio::select! {
        made = make(args) => made?,
        _ = stopped.wait_for(|stop| *stop) => return Ok(ExitCode::SUCCESS),
    };
    run(app, registry, stopping).await
}

async fn make(args: Serve) -> anyhow::Result<(Arc<App>, Registry)> {
    auth::demo::check(&args.sign_in, args.process.listen).map_err(anyhow::Error::msg)?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let embeddings = Embeddings::new(&args.models, metrics.clone()).map_err(anyhow::Error::msg)?;
    embeddings.check().await.map_err(anyhow::Error::msg)?;
    let client = process::cluster::client(args.tenants.kubeconfig.as_deref()).await?;
    let dimensions = args.models.embedding_dimensions;
    let files = Files::new(&args.documents).map_err(anyhow::Error::msg)?;
    files.check().await.map_err(anyhow::Error::msg)?;
    let db = db::open(&args.database).await?;
    let tenants = Tenants::new(db.clone(), client, &args.tenants, dimensions);
    let app = Arc::new(App {
        tenants: tenants.map_err(anyhow::Error::msg)?,
        files,
        provider: Provider::new(&args.sign_in).map_err(anyhow::Error::msg)?,
        limits: Limits::new(args.process.requests_per_minute),
        db,
        changes: Changes::default(),
        embeddings,
        chat: ChatModel::new(&args.chat, metrics.clone()).map_err(anyhow::Error::msg)?,
        answers: TaskTracker::new(),
        last_words: CancellationToken::new(),
        metrics,
        args,
    });
    Ok((app, registry))
}

async fn run(
    app: Arc<App>,
    registry: Registry,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<ExitCode> {
    let process = &app.args.process;
    let bind = async |flag: &str, address: SocketAddr| {
        TcpListener::bind(address).await.with_context(|| format!("{flag} {address}"))
    };
    let listener = bind("--listen", process.listen).await?;
    let admin = bind("--admin-listen", process.admin_listen).await?;
    tracing::info!(address = %listener.local_addr()?, admin = %admin.local_addr()?, "listening");

    tokio::spawn(admin::serve(admin, registry, app.clone()));
    tokio::spawn(db::listen(app.db.clone(), app.changes.clone()));
    tokio::spawn(tenants::follow(app.tenants.clone()));
    tokio::spawn(tenants::heal(app.clone(), stopping.clone()));
    let workers = tokio::spawn(ingest::work(app.clone(), stopping.clone()));

    let (mut stopped, drain) = (stopping.clone(), process.drain_seconds);
    let closing = Closing::default();
    let router = closing.over(router(app.clone()));
    let serving = server::serve(listener, router, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        closing.begin();
        tokio::time::sleep(drain).await;
        // Streams that never end by themselves must not hold up the end of all others.
        live::end_streams();
    });
    let (last_words, mut stopped) = (app.last_words.clone(), stopping.clone());
    tokio::spawn(async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(drain + LAST_WORK - LAST_WORDS).await;
        last_words.cancel();
    });
    let mut stopped = stopping;
    tokio::select! {
        () = serving => {}
        () = async { let _ = stopped.wait_for(|stop| *stop).await; tokio::time::sleep(drain + LAST_WORK).await; } => {
            tracing::warn!("requests were still in hand at the end");
        }
    }
    app.answers.close();
    let _ =
        tokio::time::timeout(LAST_WORK, async { tokio::join!(workers, app.answers.wait()) }).await;
    tracing::info!("ended");
    // Tasks that still hold a client would keep the runtime waiting.
    std::process::exit(0)
}
