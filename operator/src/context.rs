//! What every pass shares: clients, settings, metrics, and a small memory that may be lost at any time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::VectorTenant;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::{
    decide::Circumstances,
    events::Events,
    metrics::Metrics,
    naming::ClusterId,
    neon,
    tenant_db::{self, Migrations},
};

/// Shared by all passes.
pub struct Context {
    /// Kubernetes.
    pub kube: Client,
    /// Neon.
    pub neon: neon::Client,
    /// Identity of the cluster in project names.
    pub cluster: ClusterId,
    /// Namespaces that are served; empty is all.
    pub namespaces: Vec<String>,
    /// The migrations that tenants get.
    pub migrations: Migrations,
    /// How to reach tenant databases.
    pub database: tenant_db::Settings,
    /// How long a creation may take effect after its request.
    pub create_grace: Duration,
    /// After this time a settled tenant is compared with Neon again.
    pub resync: Duration,
    /// What is counted.
    pub metrics: Metrics,
    /// Where changes are told.
    pub events: Events,
    /// What is remembered between passes.
    pub memory: Memory,
    /// Bounds the passes at work, over all served namespaces.
    pub slots: Arc<Semaphore>,
    /// What vanished objects had, being unmade.
    pub unmaking: TaskTracker,
    /// Becomes true when the process is to end: the step in hand is finished, no other is begun.
    pub stopping: watch::Receiver<bool>,
}

impl Context {
    /// What a decision depends on beside the tenant.
    #[must_use]
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            now: jiff::Timestamp::now(),
            create_grace: self.create_grace,
            newest_migration: self.migrations.newest(),
        }
    }

    /// The tenants of a namespace.
    #[must_use]
    pub fn tenants(&self, namespace: &str) -> Api<VectorTenant> {
        Api::namespaced(self.kube.clone(), namespace)
    }

    /// The Secrets of a namespace.
    #[must_use]
    pub fn secrets(&self, namespace: &str) -> Api<k8s_openapi::api::core::v1::Secret> {
        Api::namespaced(self.kube.clone(), namespace)
    }
}

/// What is remembered of each tenant, by UID. It saves work and spreads retries; losing it loses nothing.
#[derive(Default)]
pub struct Memory {
    tenants: Mutex<HashMap<String, Remembered>>,
    secrets: Mutex<HashMap<SecretKey, String>>,
    at_work: Mutex<HashSet<String>>,
    pass_ended: Notify,
}

/// A pass over one tenant is under way, until this is dropped.
pub struct AtWork<'a> {
    memory: &'a Memory,
    uid: String,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.memory.at_work().remove(&self.uid);
        self.memory.pass_ended.notify_waiters();
    }
}

/// Namespace and name of a Secret.
type SecretKey = (String, String);

#[derive(Default)]
struct Remembered {
    failures: u32,
    waits: u32,
    settled: Option<Settled>,
    pause: Option<(Version, Instant)>,
}

/// What people say about an object; whatever else changes in it does not shorten a pause after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    generation: Option<i64>,
    adopt: Option<String>,
}

impl Version {
    /// Of the object as it is. Its generation also moves when its deletion begins.
    #[must_use]
    pub fn of(tenant: &VectorTenant) -> Self {
        Self {
            generation: tenant.metadata.generation,
            adopt: tenant.annotations().get(crds::ADOPT_ANNOTATION).cloned(),
        }
    }
}

/// A tenant that a pass found converged.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The object's generation.
    pub generation: Option<i64>,
    /// The adoption annotation.
    pub adopt: Option<String>,
    /// Name of the Secret, and its version.
    pub secret: (String, Option<String>),
    /// Until when that may be trusted.
    pub until: Instant,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, HashMap<SecretKey, String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_work(&self) -> MutexGuard<'_, HashSet<String>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass begins.
    pub fn begin(&self, uid: &str) -> AtWork<'_> {
        self.at_work().insert(uid.to_owned());
        AtWork { memory: self, uid: uid.to_owned() }
    }

    /// Waits for the end of the pass that is under way, if there is one.
    pub async fn idle(&self, uid: &str) {
        loop {
            let ended = self.pass_ended.notified();
            let mut ended = std::pin::pin!(ended);
            // From before the look, so that no end is missed.
            ended.as_mut().enable();
            if !self.at_work().contains(uid) {
                return;
            }
            ended.await;
        }
    }

    /// The watch shows a Secret of ours in this version, or none any more.
    pub fn saw_secret(&self, namespace: &str, name: &str, version: Option<String>) {
        let key = (namespace.to_owned(), name.to_owned());
        match version {
            Some(version) => self.secrets().insert(key, version),
            None => self.secrets().remove(&key),
        };
    }

    /// The watch begins anew and shows everything again: what it does not show is gone.
    pub fn unsee_secrets(&self, namespace: Option<&str>) {
        self.secrets().retain(|(of, _), _| namespace.is_some_and(|namespace| namespace != of));
    }

    /// Whether the watch shows the Secret in this very version; if not, it must be asked for.
    pub fn shows_secret(&self, namespace: &str, name: &str, version: &str) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        self.secrets().get(&key).is_some_and(|shown| shown == version)
    }

    /// One more failure in a row; answers how many.
    pub fn failed(&self, uid: &str) -> u32 {
        let mut all = self.lock();
        let entry = all.entry(uid.to_owned()).or_default();
        entry.settled = None;
        entry.failures = entry.failures.saturating_add(1);
        entry.failures
    }

    /// After a failure: the object, as it is, is left alone until then.
    pub fn pause(&self, uid: &str, version: Version, until: Instant) {
        self.lock().entry(uid.to_owned()).or_default().pause = Some((version, until));
    }

    /// What is left of such a pause. Our own writes wake us up, and so does a watch that begins anew.
    pub fn pause_left(&self, uid: &str, version: &Version) -> Option<Duration> {
        let mut all = self.lock();
        let entry = all.get_mut(uid)?;
        let (paused, until) = entry.pause.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        if paused == version && !left.is_zero() {
            return Some(left);
        }
        entry.pause = None;
        None
    }

    /// One more pass that could only wait; answers how many there were before in a row.
    pub fn waited(&self, uid: &str) -> u32 {
        let mut all = self.lock();
        let entry = all.entry(uid.to_owned()).or_default();
        let before = entry.waits;
        *entry = Remembered { waits: before.saturating_add(1), ..Remembered::default() };
        before
    }

    /// A pass went through; where it found the tenant converged, this is what it saw.
    pub fn passed(&self, uid: &str, settled: Option<Settled>) {
        self.lock().insert(uid.to_owned(), Remembered { settled, ..Remembered::default() });
    }

    /// What the last pass saw, if it found the tenant converged and may still be trusted.
    pub fn settled(&self, uid: &str) -> Option<Settled> {
        let settled = self.lock().get(uid)?.settled.clone()?;
        (settled.until > Instant::now()).then_some(settled)
    }

    /// Whether a pass has looked at the tenant since this process began.
    pub fn has_met(&self, uid: &str) -> bool {
        self.lock().contains_key(uid)
    }

    /// The tenant is no more.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_whoever_wakes_us_until_the_object_changes() {
        let (memory, soon) = (Memory::default(), Instant::now() + Duration::from_secs(60));
        let first = Version { generation: Some(1), adopt: None };
        let second = Version { generation: Some(2), ..first.clone() };
        assert_eq!(memory.failed("u"), 1);
        memory.pause("u", first.clone(), soon);
        assert!(memory.pause_left("u", &first).is_some());
        assert_eq!(memory.pause_left("u", &second), None);
        memory.pause("u", first.clone(), Instant::now());
        assert_eq!(memory.pause_left("u", &first), None);
        memory.pause("u", first.clone(), soon);
        memory.passed("u", None);
        assert_eq!(memory.pause_left("u", &first), None);
    }

    #[tokio::test]
    async fn a_pass_under_way_is_waited_for() {
        let memory = Memory::default();
        memory.idle("u").await;
        let (ours, _other) = (memory.begin("u"), memory.begin("other"));
        let mut waiting = std::pin::pin!(memory.idle("u"));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(ours);
        waiting.await;
    }
}
