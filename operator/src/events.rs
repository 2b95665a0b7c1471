//! Changes, told once each: as a Kubernetes Event, in the log and as a count.
//!
//! In: what a step brought, or how a pass ended. Out: an Event on the object, written behind the pass's back so that
//! it costs no time. The log line and the count always happen; the Event is best effort (a namespace that is being
//! deleted takes none).

use crds::VectorTenant;
use kube::{
    Client, Resource, ResourceExt,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::sync::mpsc;

use crate::{metrics::Metrics, observed::Outcome, plan::Step};

/// More than this many unwritten Events, and new ones are only logged and counted.
const BACKLOG: usize = 4096;

/// A change worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether it is trouble.
    pub warning: bool,
    /// Its CamelCase name: a metric label, from a fixed set.
    pub reason: String,
    /// For people.
    pub note: String,
}

impl Change {
    fn normal(reason: &str, note: impl Into<String>) -> Option<Self> {
        Some(Self { warning: false, reason: reason.to_owned(), note: note.into() })
    }
}

/// What a step changed, if anything that a person would want to know.
#[must_use]
pub fn of_step(step: &Step, outcome: &Outcome) -> Option<Change> {
    match (step, outcome) {
        (Step::CreateProject, Outcome::Bound(live)) => {
            Change::normal("ProjectCreated", format!("Created Neon project {}", live.id))
        }
        (Step::Bind { project }, Outcome::Bound(_)) => Change::normal(
            "ProjectFound",
            format!("Found Neon project {project}, which an interrupted attempt had created"),
        ),
        (Step::Adopt { project }, Outcome::Bound(_)) => {
            Change::normal("ProjectAdopted", format!("Took over Neon project {project}"))
        }
        (Step::RestoreName, Outcome::Changed(live)) => {
            Change::normal("NameRestored", format!("Gave project {} its name back", live.id))
        }
        (Step::ApplySettings, Outcome::Changed(live)) => Change::normal(
            "SettingsApplied",
            format!(
                "The live project now has {} to {} compute units, suspends after {} s and keeps {} s of history",
                live.settings.min,
                live.settings.max,
                live.settings.suspend_timeout_seconds,
                live.settings.history_retention_seconds.unwrap_or_default()
            ),
        ),
        (Step::ResetPassword, Outcome::Connection(_)) => Change::normal(
            "PasswordReset",
            "Neon does not store this project's password and the Secret was lost: made a new one",
        ),
        (Step::Migrate, Outcome::Migrated(Some(version))) => {
            Change::normal("SchemaMigrated", format!("Applied tenant migrations up to {version}"))
        }
        (Step::WriteSecret, Outcome::SecretWritten(_, _)) => {
            Change::normal("SecretWritten", "Wrote the connection Secret")
        }
        (Step::RemoveSecret { name }, _) => Change::normal(
            "SecretRemoved",
            format!("Removed the Secret '{name}' of the earlier name"),
        ),
        (Step::RemoveDuplicate { project }, Outcome::Deleted(_)) => Change::normal(
            "DuplicateRemoved",
            format!("Deleted project {project}, which a lost reply had left behind"),
        ),
        (Step::ConfirmGone { project }, Outcome::Gone(_)) => {
            Change::normal("ProjectDeleted", format!("Neon project {project} is gone"))
        }
        (Step::RemoveFinalizer { retained }, _) if !retained.is_empty() => Change::normal(
            "ProjectRetained",
            format!("Left Neon project {} in place, by the deletion policy", retained.join(", ")),
        ),
        _ => None,
    }
}

/// Where changes are told.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<(Change, k8s_openapi::api::core::v1::ObjectReference)>,
    metrics: Metrics,
}

impl Events {
    /// Starts the writer, which ends when the last sender is dropped.
    #[must_use]
    pub fn start(client: Client, metrics: Metrics) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, mut waiting) =
            mpsc::channel::<(Change, k8s_openapi::api::core::v1::ObjectReference)>(BACKLOG);
        let instance = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let reporter = Reporter {
            controller: crds::FIELD_MANAGER.to_owned(),
            instance: instance.map(|name| name.trim().to_owned()),
        };
        let lost = metrics.clone();
        let writer = tokio::spawn(async move {
            while let Some((change, object)) = waiting.recv().await {
                // A recorder for each: one that lives longer would count a second change under the words of the first.
                let recorder = Recorder::new(client.clone(), reporter.clone());
                if let Err(error) = recorder.publish(&event(&change), &object).await {
                    lost.event_lost();
                    tracing::debug!(reason = change.reason, %error, "an Event was not taken");
                }
            }
        });
        (Self { queue, metrics }, writer)
    }

    /// Tells a change.
    pub fn tell(&self, tenant: &VectorTenant, change: Change) {
        self.note(tenant, &change);
        if self.queue.try_send((change, tenant.object_ref(&()))).is_err() {
            self.metrics.event_lost();
        }
    }

    /// Logs and counts a change that is no Event.
    pub fn note(&self, tenant: &VectorTenant, change: &Change) {
        let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
        let Change { warning, reason, note } = change;
        if *warning {
            tracing::warn!(namespace, name, reason, "{note}");
        } else {
            tracing::info!(namespace, name, reason, "{note}");
        }
        self.metrics.event(reason);
    }
}

fn event(change: &Change) -> Event {
    Event {
        type_: if change.warning { EventType::Warning } else { EventType::Normal },
        reason: change.reason.clone(),
        note: Some(change.note.clone()),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}
