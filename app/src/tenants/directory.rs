//! What the cluster says of all tenants, by a watch: nothing is asked twice.
//!
//! In: events of the API server. Out: the newest object of a tenant, and word that it changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crds::{ConditionType, VectorTenant};
use futures::TryStreamExt;
use kube::runtime::{
    WatchStreamExt,
    reflector::{self, ObjectRef, Store},
    watcher,
};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{LEAST_SCHEMA, MANAGED_BY, TenantState, Tenants, object_name, tenant_of};

/// The newest word on every tenant.
#[derive(Clone)]
pub(super) struct Directory {
    store: Store<VectorTenant>,
    writer: Arc<std::sync::Mutex<Option<reflector::store::Writer<VectorTenant>>>>,
    changes: broadcast::Sender<Uuid>,
    listed: Arc<AtomicBool>,
    namespace: String,
}

impl Directory {
    pub(super) fn new(namespace: &str) -> Self {
        let (store, writer) = reflector::store();
        Self {
            store,
            writer: Arc::new(std::sync::Mutex::new(Some(writer))),
            changes: broadcast::channel(1024).0,
            listed: Arc::default(),
            namespace: namespace.to_owned(),
        }
    }

    pub(super) fn get(&self, tenant: Uuid) -> Option<Arc<VectorTenant>> {
        self.store.get(&ObjectRef::new(&object_name(tenant)).within(&self.namespace))
    }

    pub(super) fn all(&self) -> Vec<Arc<VectorTenant>> {
        self.store.state()
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.changes.subscribe()
    }

    pub(super) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }
}

/// Watches until the process ends; a broken watch begins anew, with longer and longer pauses.
pub async fn follow(tenants: Tenants) {
    let directory = tenants.directory.clone();
    let writer = directory.writer.lock().ok().and_then(|mut writer| writer.take());
    let Some(writer) = writer else {
        return;
    };
    let ours = format!("app.kubernetes.io/managed-by={MANAGED_BY}");
    let tell = |object: &VectorTenant| {
        if let Some(tenant) = tenant_of(object) {
            // Nobody listening is fine.
            let _ = directory.changes.send(tenant);
        }
    };
    let events = watcher(tenants.objects(), watcher::Config::default().labels(&ours))
        .default_backoff()
        .modify(|object| object.metadata.managed_fields = None)
        .reflect(writer);
    futures::pin_mut!(events);
    loop {
        match events.try_next().await {
            Ok(Some(
                watcher::Event::Apply(object)
                | watcher::Event::InitApply(object)
                | watcher::Event::Delete(object),
            )) => tell(&object),
            Ok(Some(watcher::Event::Init)) => {}
            Ok(Some(watcher::Event::InitDone)) => {
                directory.listed.store(true, Ordering::Relaxed);
                // What was deleted while nobody watched is told by no event of its own.
                directory.store.state().iter().for_each(|object| tell(object));
            }
            Ok(None) => return,
            Err(error) => tracing::warn!(%error, "the watch on tenants broke off"),
        }
    }
}

/// What an object means for its tenant.
pub(super) fn state(object: &VectorTenant) -> TenantState {
    if object.metadata.deletion_timestamp.is_some() {
        return TenantState::Deleting;
    }
    let status = object.status.clone().unwrap_or_default();
    if !crds::is_true(&status.conditions, ConditionType::Ready) || status.binding.is_none() {
        return TenantState::Preparing(status.conditions);
    }
    if status.schema_version.is_none_or(|version| version < LEAST_SCHEMA) {
        return TenantState::Upgrading;
    }
    TenantState::Ready { dimensions: object.spec.vector.dimensions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(status: serde_json::Value) -> VectorTenant {
        let text = json!({
            "apiVersion": "tenantry.dev/v1alpha1", "kind": "VectorTenant",
            "metadata": {"name": "t"}, "spec": {"vector": {"dimensions": 384}}, "status": status,
        });
        serde_json::from_value(text).unwrap()
    }

    fn ready(value: &str) -> serde_json::Value {
        json!([{"type": "Ready", "status": value, "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    }

    #[test]
    fn a_tenant_is_ready_when_the_operator_says_so_and_names_a_secret() {
        let binding = json!({"name": "s", "revision": "1"});
        let full = object(
            json!({"conditions": ready("True"), "binding": binding, "schemaVersion": LEAST_SCHEMA}),
        );
        assert_eq!(state(&full), TenantState::Ready { dimensions: 384 });
        let old = object(
            json!({"conditions": ready("True"), "binding": binding, "schemaVersion": LEAST_SCHEMA - 1}),
        );
        assert_eq!(state(&old), TenantState::Upgrading);
        let unready = object(json!({"conditions": ready("False"), "binding": binding}));
        assert!(
            matches!(state(&unready), TenantState::Preparing(conditions) if conditions.len() == 1)
        );
        let new = object(json!({}));
        assert_eq!(state(&new), TenantState::Preparing(Vec::new()));
    }
}
