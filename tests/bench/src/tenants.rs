//! Tenants as their owner sees them: created, watched until Ready, deleted, watched until gone.
//!
//! In: a client with an administrator's rights. Out: moments, taken when a watch event arrives. One watch serves the whole
//! run. It must not ask the API server anything else while something is measured.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crds::{ConditionType, VectorTenant, VectorTenantSpec};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher, watcher::Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

/// Longer than any healthy run; a tenant that is stuck ends the bench.
const PATIENCE: Duration = Duration::from_secs(300);
/// Requests that the client has in flight when it creates or deletes many at once.
const IN_FLIGHT: usize = 8;

/// What the watch has seen of one tenant.
#[derive(Debug, Clone, Default)]
struct Seen {
    ready: Option<Instant>,
    gone: Option<Instant>,
    last_word: String,
}

#[derive(Default)]
struct Board(Mutex<HashMap<String, Seen>>);

impl Board {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Seen>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, tenant: &VectorTenant, now: Instant) {
        let Some(status) = &tenant.status else { return };
        let ready = crds::is_true(&status.conditions, ConditionType::Ready)
            && status.observed_generation == tenant.metadata.generation;
        let word = crds::find(&status.conditions, ConditionType::Ready);
        self.with(|all| {
            let seen = all.entry(tenant.name_any()).or_default();
            seen.last_word =
                word.map(|c| format!("{}: {}", c.reason, c.message)).unwrap_or_default();
            if ready {
                seen.ready.get_or_insert(now);
            }
        });
    }
}

/// The tenants of the bench's namespace.
pub(crate) struct Tenants {
    api: Api<VectorTenant>,
    board: Arc<Board>,
    changed: watch::Receiver<()>,
}

impl Tenants {
    /// Starts to watch; returns when everything that follows will be seen.
    pub(crate) async fn watch(client: Client, namespace: &str) -> Result<Self> {
        let api: Api<VectorTenant> = Api::namespaced(client, namespace);
        let board = Arc::new(Board::default());
        let (tell, mut changed) = watch::channel(());
        let (events, notes) = (watcher(api.clone(), watcher::Config::default()), board.clone());
        tokio::spawn(async move {
            let mut events = std::pin::pin!(events.default_backoff());
            while let Some(event) = events.next().await {
                let now = Instant::now();
                match event {
                    Ok(Event::Apply(tenant) | Event::InitApply(tenant)) => notes.note(&tenant, now),
                    Ok(Event::Delete(tenant)) => {
                        notes
                            .with(|all| all.entry(tenant.name_any()).or_default().gone = Some(now));
                    }
                    Ok(Event::Init) => continue,
                    Ok(Event::InitDone) => {}
                    Err(error) => stack::say::line(format!("the watch: {error}")),
                }
                let _ = tell.send(());
            }
        });
        tokio::time::timeout(PATIENCE, changed.changed()).await.context("no watch")??;
        Ok(Self { api, board, changed })
    }

    /// Creates all of them, so many requests at a time as one client would, and waits until every one is Ready. Answers the
    /// seconds from the first request to the last event.
    pub(crate) async fn make(&mut self, names: &[String]) -> Result<f64> {
        self.board.with(|all| names.iter().for_each(|name| drop(all.remove(name))));
        let started = Instant::now();
        let created = stream::iter(names).map(|name| {
            let tenant = VectorTenant::new(name, VectorTenantSpec::default());
            let api = &self.api;
            async move { api.create(&PostParams::default(), &tenant).await }
        });
        created
            .buffer_unordered(IN_FLIGHT)
            .try_for_each(async |_| Ok(()))
            .await
            .context("create")?;
        let last = self.ready(names).await?;
        Ok((last - started).as_secs_f64())
    }

    /// Waits until all of them are Ready, whoever made them; answers the moment of the last event.
    pub(crate) async fn ready(&mut self, names: &[String]) -> Result<Instant> {
        self.wait(names, "Ready", |seen| seen.ready).await
    }

    /// Deletes all of them and waits until every one is gone. Answers the seconds, in the same way.
    pub(crate) async fn unmake(&mut self, names: &[String]) -> Result<f64> {
        let started = Instant::now();
        let deleted = stream::iter(names).map(|name| {
            let api = &self.api;
            async move { api.delete(name, &DeleteParams::default()).await }
        });
        deleted
            .buffer_unordered(IN_FLIGHT)
            .try_for_each(async |_| Ok(()))
            .await
            .context("delete")?;
        let last = self.wait(names, "gone", |seen| seen.gone).await?;
        Ok((last - started).as_secs_f64())
    }

    async fn wait(
        &mut self,
        names: &[String],
        what: &str,
        moment: impl Fn(&Seen) -> Option<Instant>,
    ) -> Result<Instant> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.changed.borrow_and_update();
            let moments: Vec<Option<Instant>> = self
                .board
                .with(|all| names.iter().map(|name| all.get(name).and_then(&moment)).collect());
            if let Some(all) = moments.iter().copied().collect::<Option<Vec<_>>>() {
                return all.into_iter().max().context("nothing to wait for");
            }
            if tokio::time::timeout_at(deadline, self.changed.changed()).await.is_err() {
                let missing = names.iter().zip(&moments).filter(|(_, moment)| moment.is_none());
                let (name, _) = missing.clone().next().context("nothing is missing")?;
                let word =
                    self.board.with(|all| all.get(name).cloned().unwrap_or_default().last_word);
                bail!(
                    "{} of {} tenants are not {what} after {PATIENCE:?}; {name} says {word:?}",
                    missing.count(),
                    names.len()
                );
            }
        }
    }
}
