//! The operator's process: configuration, clients, controllers, signals; nothing else.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use kube::Api;
use operator::{
    admin::{self, Readiness},
    args::{Args, DatabaseArgs, LeaseArgs, NeonArgs},
    context::{Context, Memory},
    controller,
    events::Events,
    lease::{Candidate, Held},
    metrics::{Metrics, TenantCounts},
    naming::ClusterId,
    neon,
    tenant_db::{self, Migrations},
};
use process::signals::Signals;
use prometheus_client::registry::Registry;
use secrecy::SecretString;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_util::task::TaskTracker;

/// How long Events that are still unwritten may hold up the end of the process.
const LAST_EVENTS: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let signals = Signals::new()?;
    let args = Args::parse();
    process::log::start(args.process.log_format, &args.process.log_filter, &[])
        .map_err(anyhow::Error::msg)?;
    let mut stopping = signals.stopping();
    // One provider in the whole tree; libraries that find none would panic at their first connection.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let client = process::cluster::client(args.kube.kubeconfig.as_deref()).await?;
    let cluster = tokio::select! {
        found = cluster_id(&client, args.kube.cluster_id.as_deref()) => found?,
        _ = stopping.wait_for(|stop| *stop) => return Ok(()), // the API server hangs
    };
    let (events, writer) = Events::start(client.clone(), metrics.clone());
    let migrations = Migrations::load(args.database.tenant_migrations.as_deref())
        .await
        .context("--tenant-migrations")?;
    let ctx = Arc::new(Context {
        neon: neon_client(&args.neon, metrics.clone())?,
        cluster,
        namespaces: served_namespaces(&args.kube.namespaces),
        migrations,
        database: database(&args.database)?,
        create_grace: args.neon.create_grace_seconds,
        resync: args.kube.resync_seconds,
        metrics,
        events,
        memory: Memory::default(),
        slots: Arc::new(Semaphore::new(usize::from(args.kube.concurrency))),
        unmaking: TaskTracker::new(),
        stopping: stopping.clone(),
        kube: client,
    });
    let readiness = Arc::new(Readiness::default());
    let prepared = controller::prepare(&ctx, args.kube.concurrency, &readiness);
    let stores = prepared.iter().map(|prepared| prepared.store.clone()).collect();
    registry.register_collector(Box::new(TenantCounts::new(stores)));

    let candidate = args.lease.leader_election.then(|| candidate(&args.lease, &ctx, &readiness));
    let listener = TcpListener::bind(args.process.listen)
        .await
        .with_context(|| format!("--listen {}", args.process.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    tokio::spawn(admin::serve(listener, registry, readiness.clone()));
    let key_watch = tokio::spawn(admin::watch_key(ctx.clone(), readiness.clone()));
    if let Ok(held) = lead(candidate, &ctx.metrics, stopping.clone()).await {
        readiness.leads();
        controller::run(prepared, ctx.clone(), args.kube.concurrency, stopping).await;
        if let Some(held) = held {
            held.release().await;
        }
    } else {
        drop(prepared);
    }
    // The Events' writer ends when nobody is left who could tell it anything.
    key_watch.abort();
    let _ = key_watch.await;
    drop(ctx);
    let _ = tokio::time::timeout(LAST_EVENTS, writer).await;
    tracing::info!("ended");
    // Tasks that still hold a client would keep the runtime waiting.
    std::process::exit(0)
}

fn candidate(args: &LeaseArgs, ctx: &Context, readiness: &Arc<Readiness>) -> Candidate {
    let client = &ctx.kube;
    readiness.heard_of_lease(false);
    let namespace = args.lease_namespace.as_deref().unwrap_or(client.default_namespace());
    Candidate {
        leases: Api::namespaced(client.clone(), namespace),
        name: args.lease_name.clone(),
        identity: format!("{}_{}", args.lease_identity, uuid::Uuid::new_v4()),
        duration: Duration::from_secs(u64::from(args.lease_seconds)),
        readiness: readiness.clone(),
        metrics: ctx.metrics.clone(),
        end: end_at_once,
    }
}

/// Waits for the Lease, where there is one. An error when the process is to end before that.
async fn lead(
    candidate: Option<Candidate>,
    metrics: &Metrics,
    stopping: watch::Receiver<bool>,
) -> Result<Option<Held>, ()> {
    match candidate {
        Some(candidate) => candidate.acquire(stopping).await.map(Some).ok_or(()),
        None => {
            metrics.leading(true);
            Ok(None)
        }
    }
}

/// Without the Lease nothing may go on: another operator begins soon.
fn end_at_once() {
    tracing::error!("the lease is lost: ended at once");
    std::process::exit(1)
}

fn neon_client(args: &NeonArgs, metrics: Metrics) -> anyhow::Result<neon::Client> {
    if args.create_grace_seconds <= args.neon_timeout_seconds {
        tracing::warn!("--create-grace-seconds should be greater than --neon-timeout-seconds");
    }
    let api_key = match (&args.neon_api_key, &args.neon_api_key_file) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => {
            let text = read("--neon-api-key-file", path)?;
            SecretString::from(String::from_utf8(text)?.trim())
        }
        (None, None) => anyhow::bail!("--neon-api-key or --neon-api-key-file is needed"),
    };
    let settings = neon::Settings {
        base_url: args.neon_api_url.clone(),
        api_key,
        org_id: args.neon_org_id.clone(),
        timeout: args.neon_timeout_seconds,
        retries: neon::Retries::default(),
        root_ca: None,
    };
    Ok(neon::Client::new(settings, move |call| metrics.neon_call(call))?)
}

/// Each one once, however often the list names it.
fn served_namespaces(list: &[String]) -> Vec<String> {
    let names = list.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// From the flag, else from the namespace that every cluster has and nobody makes anew.
async fn cluster_id(client: &kube::Client, flag: Option<&str>) -> anyhow::Result<ClusterId> {
    if let Some(id) = flag {
        return Ok(ClusterId::new(id));
    }
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let system = namespaces.get("kube-system").await.context(
        "the UID of the namespace kube-system cannot be read: allow that, or set --cluster-id",
    )?;
    let uid = system.metadata.uid.context("the namespace kube-system has no UID")?;
    Ok(ClusterId::new(&uid))
}

fn database(args: &DatabaseArgs) -> anyhow::Result<tenant_db::Settings> {
    let root_ca = match &args.tenant_db_ca_file {
        Some(path) => Some(read("--tenant-db-ca-file", path)?),
        None => None,
    };
    let has_certificate =
        |pem: &Vec<u8>| String::from_utf8_lossy(pem).contains("BEGIN CERTIFICATE");
    anyhow::ensure!(
        root_ca.as_ref().is_none_or(has_certificate),
        "--tenant-db-ca-file holds no certificate in PEM form"
    );
    Ok(tenant_db::Settings {
        ssl_mode: args.tenant_db_ssl_mode,
        root_ca,
        connect_timeout: args.tenant_db_connect_seconds,
        lock_timeout: args.migration_lock_seconds,
        migrate_timeout: args.migration_seconds,
    })
}

fn read(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag} {}", path.display()))
}
