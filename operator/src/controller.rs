//! The controllers: which objects are looked at, when, and how many at a time.
//!
//! One controller per served namespace, or one for all. A tenant is looked at when its spec, its adoption annotation
//! or its Secret changes, when it is deleted, and every so often; never because its status was written.

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crds::VectorTenant;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, future, future::BoxFuture};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Config, Controller, PredicateConfig, WatchStreamExt,
        controller::Action,
        reflector::{self, Store},
        watcher,
    },
};
use tokio::sync::watch;

use crate::{admin::Readiness, context::Context, pass, vanished};

/// A controller that is built and not running yet.
pub struct Prepared {
    controller: Controller<VectorTenant>,
    /// The cache of its tenants.
    pub store: Store<VectorTenant>,
}

/// Builds a controller per namespace, or one for all.
#[must_use]
pub fn prepare(ctx: &Arc<Context>, concurrency: u16, readiness: &Arc<Readiness>) -> Vec<Prepared> {
    let mut scopes: Vec<Option<&str>> =
        ctx.namespaces.iter().map(|name| Some(name.as_str())).collect();
    if scopes.is_empty() {
        scopes.push(None);
    }
    let scopes = scopes.into_iter().map(|scope| {
        // Not by the store's own `wait_until_ready`: it wakes one waiter only, and the controller is one.
        prepare_one(ctx, scope, concurrency, readiness.expect_list(ctx.metrics.clone()))
    });
    scopes.collect()
}

fn prepare_one(
    ctx: &Arc<Context>,
    namespace: Option<&str>,
    concurrency: u16,
    listed: impl Fn() + Send + 'static,
) -> Prepared {
    let client = &ctx.kube;
    let (tenants, secrets): (Api<VectorTenant>, Api<PartialObjectMeta<Secret>>) = match namespace {
        Some(name) => {
            (Api::namespaced(client.clone(), name), Api::namespaced(client.clone(), name))
        }
        None => (Api::all(client.clone()), Api::all(client.clone())),
    };
    let (store, writer) = reflector::store();
    let context = ctx.clone();
    let changes = watcher(tenants, watcher::Config::default())
        .default_backoff()
        .inspect_ok(move |event| match event {
            watcher::Event::InitDone => listed(),
            watcher::Event::Delete(tenant) => {
                context.memory.forget(&tenant.uid().unwrap_or_default());
                if vanished::is_past_finalizer(tenant) {
                    context.unmaking.spawn(vanished::unmake(context.clone(), tenant.clone()));
                }
            }
            watcher::Event::Init | watcher::Event::InitApply(_) | watcher::Event::Apply(_) => {}
        })
        .modify(|tenant| tenant.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects()
        .predicate_filter(what_matters, PredicateConfig::default());
    let controller = Controller::for_stream(changes, store.clone())
        .with_config(Config::default().concurrency(concurrency))
        .owns_stream(watch_secrets(ctx, namespace, secrets));
    Prepared { controller, store }
}

/// Metadata only, and only what is ours: other people's Secrets are neither read nor kept. The versions that it shows save
/// asking for a Secret that we have just written ourselves.
fn watch_secrets(
    ctx: &Arc<Context>,
    namespace: Option<&str>,
    secrets: Api<PartialObjectMeta<Secret>>,
) -> impl Stream<Item = Result<PartialObjectMeta<Secret>, watcher::Error>> + Send + use<> {
    let ours = format!("{}={}", crds::MANAGED_BY_LABEL, crds::MANAGED_BY);
    let (ctx, scope) = (ctx.clone(), namespace.map(ToOwned::to_owned));
    watcher(secrets, watcher::Config::default().labels(&ours))
        .default_backoff()
        .inspect_ok(move |event| {
            let saw = |secret: &PartialObjectMeta<Secret>, version| {
                let namespace = secret.namespace().unwrap_or_default();
                ctx.memory.saw_secret(&namespace, &secret.name_any(), version);
            };
            match event {
                watcher::Event::Init => ctx.memory.unsee_secrets(scope.as_deref()),
                watcher::Event::InitApply(secret) | watcher::Event::Apply(secret) => {
                    saw(secret, secret.resource_version());
                }
                watcher::Event::Delete(secret) => saw(secret, None),
                watcher::Event::InitDone => {}
            }
        })
        .touched_objects()
}

/// What of an object makes it worth a pass. The generation also moves when deletion begins.
fn what_matters(tenant: &VectorTenant) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    tenant.uid().hash(&mut hasher);
    tenant.metadata.generation.hash(&mut hasher);
    tenant.annotations().get(crds::ADOPT_ANNOTATION).hash(&mut hasher);
    tenant.finalizers().hash(&mut hasher);
    Some(hasher.finish())
}

/// Runs all controllers until `stopping` becomes true and the passes in hand, at most `concurrency`, are done.
pub async fn run(
    prepared: Vec<Prepared>,
    ctx: Arc<Context>,
    concurrency: u16,
    stopping: watch::Receiver<bool>,
) {
    let (slots, mut stopped) = (ctx.slots.clone(), stopping.clone());
    let idle = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        let _ = slots.acquire_many(u32::from(concurrency)).await;
    };
    let runs = prepared.into_iter().map(|Prepared { controller, store: _ }| {
        let mut stopping = stopping.clone();
        let stop = async move {
            let _ = stopping.wait_for(|stop| *stop).await; // a closed channel is an end, too
        };
        controller
            .graceful_shutdown_on(stop)
            .run(reconcile, |_, error: &Infallible, _| match *error {}, ctx.clone())
            .for_each(|result| async move {
                if let Err(error) = result {
                    tracing::debug!(%error, "a trigger was dropped");
                }
            })
    });
    // A controller that has not listed its objects yet would wait for them, however long the API server takes.
    tokio::select! {
        _ = future::join_all(runs) => {}
        () = idle => {}
    }
    ctx.unmaking.close();
    ctx.unmaking.wait().await;
}

/// Boxed: the compiler cannot see through the whole pass that its future may move between threads.
fn reconcile(
    tenant: Arc<VectorTenant>,
    ctx: Arc<Context>,
) -> BoxFuture<'static, Result<Action, Infallible>> {
    async move {
        let _slot = ctx.slots.acquire().await;
        Ok(match pass::run(&ctx, &tenant).await {
            Some(delay) => Action::requeue(delay),
            None => Action::await_change(),
        })
    }
    .boxed()
}
