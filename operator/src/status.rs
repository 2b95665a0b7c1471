//! What people and tools are told of a tenant.
//!
//! In: the previous status, what is known, and how the pass ended. Out: the new status, derived without IO, and one
//! write of it. Ready says whether the database can be used now; Reconciling and Stalled say, in the
//! kstatus sense, whether the operator or a person must do something about the object as it is declared now.

mod words;

use crds::{
    Binding, ConditionType, CreationIntent, FIELD_MANAGER, LiveSettings, Reason, VectorTenant,
    VectorTenantStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    ResourceExt,
    api::{ObjectMeta, PostParams},
};

use crate::{
    act::Known,
    context::Context,
    desired::{DATABASE, Desired},
    error::Error,
    observed::{Connection, Intent, LiveProject, Observed, Operations, Project, Secret},
    plan::{Refusal, Waiting},
};

use words::Outlook;
pub use words::of_step;

/// So often a write is tried on an object that changes under it.
const MOST_WRITES: usize = 5;

/// How a pass ended.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// All is as declared.
    Converged,
    /// More steps are to come.
    AtWork(Reason, &'a str),
    /// Something passes by itself.
    Waits(&'a Waiting),
    /// A person must act.
    Refuses(&'a Refusal),
    /// An attempt failed.
    Failed(&'a Error),
}

/// The status after a pass that got as far as observing.
#[must_use]
pub fn derive(
    tenant: &VectorTenant,
    desired: Option<&Desired>,
    observed: &Observed,
    newest: Option<i64>,
    verdict: &Verdict<'_>,
    now: Timestamp,
) -> VectorTenantStatus {
    let mut new = tenant.status.clone().unwrap_or_default();
    if !matches!(verdict, Verdict::Waits(Waiting::Paused)) {
        keep_facts(&mut new, desired, observed);
        judge_parts(&mut new, tenant, observed, newest, verdict, now);
    }
    judge_whole(&mut new, tenant, verdict, now);
    new
}

/// The status after a pass that could not even look: the facts stay as they were.
#[must_use]
pub fn unobserved(tenant: &VectorTenant, error: &Error, now: Timestamp) -> VectorTenantStatus {
    let mut new = tenant.status.clone().unwrap_or_default();
    judge_whole(&mut new, tenant, &Verdict::Failed(error), now);
    new
}

/// The status just before a project is asked for.
#[must_use]
pub fn creating(tenant: &VectorTenant, observed: &Observed, now: Timestamp) -> VectorTenantStatus {
    let verdict = Verdict::AtWork(Reason::CreatingProject, words::CREATING);
    derive(tenant, None, observed, None, &verdict, now)
}

/// The status of an object that is being deleted.
#[must_use]
pub fn deleting(
    tenant: &VectorTenant,
    verdict: &Verdict<'_>,
    now: Timestamp,
) -> VectorTenantStatus {
    let mut new = tenant.status.clone().unwrap_or_default();
    let Outlook { reconciling: _, stalled: _, reason, message } = verdict.outlook();
    let generation = tenant.metadata.generation;
    let ready = crds::condition(ConditionType::Ready, false, reason, message, generation, now);
    crds::set(&mut new.conditions, ready);
    judge_whole(&mut new, tenant, verdict, now);
    new
}

/// Whether a reason for Reconciling is a failure, as opposed to work in progress.
#[must_use]
pub fn is_trouble(reason: &str) -> bool {
    [
        Reason::CreationUncertain,
        Reason::MigrationBlocked,
        Reason::NeonRateLimited,
        Reason::NeonUnavailable,
        Reason::DatabaseUnavailable,
        Reason::KubernetesError,
    ]
    .iter()
    .any(|trouble| trouble.to_string() == reason)
}

fn keep_facts(new: &mut VectorTenantStatus, desired: Option<&Desired>, observed: &Observed) {
    if let Project::Live(live) = &observed.project {
        let LiveProject { id, name, branch_id, endpoint_id, settings } = live;
        new.project_id = Some(id.clone());
        new.project_name = Some(name.clone());
        new.branch_id = Some(branch_id.clone());
        new.endpoint_id = Some(endpoint_id.clone());
        new.settings = Some(LiveSettings {
            autoscaling_min: settings.min.to_string(),
            autoscaling_max: settings.max.to_string(),
            suspend_timeout_seconds: settings.suspend_timeout_seconds,
            history_retention_seconds: settings.history_retention_seconds,
        });
    }
    if let Connection::Known { direct, pooled: _ } = &observed.connection {
        new.host = Some(direct.host().to_owned());
        new.database = Some(DATABASE.to_owned());
    }
    new.schema_version = observed.schema_version;
    // The intent may have been recorded by this very pass: the status that it began with does not have it.
    new.creation = observed.intent.at().map(|at| CreationIntent { requested_at: Time(at) });
    if let (Intent::Earlier(_) | Intent::ThisPass(_), Some(desired)) = (&observed.intent, desired) {
        new.project_name = Some(desired.project_name.clone());
    }
    if let (Secret::Ours { content, intact: true, version: _ }, Some(desired)) =
        (&observed.secret, desired)
        && observed.old_secret.is_none()
    {
        // While the Secret of an earlier name is still there, the status goes on naming it: it must be removed.
        let revision = Some(content.revision());
        new.binding = Some(Binding { name: desired.secret_name.clone(), revision });
    }
}

/// Writes conditions of one generation at one moment.
struct Scribe<'a> {
    conditions: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Scribe<'_> {
    fn say(&mut self, kind: ConditionType, holds: bool, reason: Reason, message: &str) {
        let new = crds::condition(kind, holds, reason, message, self.generation, self.now);
        crds::set(self.conditions, new);
    }
}

fn judge_parts(
    new: &mut VectorTenantStatus,
    tenant: &VectorTenant,
    observed: &Observed,
    newest: Option<i64>,
    verdict: &Verdict<'_>,
    now: Timestamp,
) {
    let Outlook { reconciling: _, stalled: _, reason, message } = verdict.outlook();
    let live = matches!(observed.project, Project::Live(_));
    let project_done = live && observed.operations == Operations::Done;
    let schema_done = project_done && observed.schema_version >= newest && newest.is_some();
    let secret_done =
        matches!(observed.secret, Secret::Ours { content: _, intact: true, version: _ });
    let usable = live && observed.schema_version.is_some() && secret_done;
    let id = new.project_id.as_deref().unwrap_or_default();
    let schema = new.schema_version.unwrap_or_default();
    let name = new.binding.as_ref().map(|binding| binding.name.as_str()).unwrap_or_default();
    let parts = [
        (ConditionType::ProjectReady, project_done, format!("Project {id}")),
        (ConditionType::SchemaReady, schema_done, format!("Migrations applied up to {schema}")),
        (ConditionType::SecretReady, secret_done, format!("Secret {name} holds the connection")),
    ];
    let usable_words = format!("Secret {name} leads to the database, schema {schema}");
    let mut scribe =
        Scribe { conditions: &mut new.conditions, generation: tenant.metadata.generation, now };
    // The verdict speaks of the first part that is not done; but a name that is taken keeps all from being begun.
    let first = parts.iter().find(|(_, done, _)| !done).map(|(kind, _, _)| *kind);
    let conflict = reason == Reason::SecretConflict;
    let blamed = if conflict { Some(ConditionType::SecretReady) } else { first };
    for (kind, done, words) in parts {
        if done {
            scribe.say(kind, true, Reason::Ready, &words);
        } else if blamed == Some(kind) {
            scribe.say(kind, false, reason, &message);
        } else {
            scribe.say(kind, false, Reason::Pending, "Another step comes first");
        }
    }
    if usable {
        scribe.say(ConditionType::Ready, true, Reason::Ready, &usable_words);
        new.ready_at.get_or_insert(Time(now));
    } else {
        scribe.say(ConditionType::Ready, false, reason, &message);
    }
}

fn judge_whole(
    new: &mut VectorTenantStatus,
    tenant: &VectorTenant,
    verdict: &Verdict<'_>,
    now: Timestamp,
) {
    let Outlook { reconciling, stalled, reason, message } = verdict.outlook();
    let generation = tenant.metadata.generation;
    new.observed_generation = generation;
    let mut scribe = Scribe { conditions: &mut new.conditions, generation, now };
    // The one that holds says why; the other only says which of the two to read.
    let (about_work, about_person) = match (reconciling, stalled) {
        (true, _) => (message.as_str(), "It passes by itself: see Reconciling"),
        (false, true) => ("A person must act first: see Stalled", message.as_str()),
        (false, false) => (message.as_str(), message.as_str()),
    };
    scribe.say(ConditionType::Reconciling, reconciling, reason, about_work);
    scribe.say(ConditionType::Stalled, stalled, reason, about_person);
    // Parts that nobody has looked at yet say so, instead of being absent.
    for kind in ConditionType::ALL {
        if crds::find(scribe.conditions, kind).is_none() {
            scribe.say(kind, false, reason, &message);
        }
    }
    let order = |name: &str| ConditionType::ALL.iter().position(|kind| kind.to_string() == name);
    new.conditions.sort_by_key(|condition| order(&condition.type_));
}

/// Writes the status over the one that the pass knows.
///
/// # Errors
/// When somebody else has written it since, or the API server refuses or cannot be reached.
pub async fn write(
    ctx: &Context,
    tenant: &VectorTenant,
    known: &Known,
    new: &VectorTenantStatus,
) -> Result<(), Error> {
    let tenants = ctx.tenants(&tenant.namespace().unwrap_or_default());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
    for _ in 0..MOST_WRITES {
        // Replaced as a whole and not applied: nobody else has a share in it, and it costs the API server half as much.
        let mut object = VectorTenant { status: Some(new.clone()), ..tenant.clone() };
        object.metadata = ObjectMeta {
            name: tenant.metadata.name.clone(),
            namespace: tenant.metadata.namespace.clone(),
            uid: tenant.metadata.uid.clone(),
            resource_version: known.version(),
            ..ObjectMeta::default()
        };
        match tenants.replace_status(&tenant.name_any(), &params, &object).await {
            Ok(written) => {
                known.wrote(&written);
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => return Err(Error::Overtaken),
            Err(error) => return Err(error.into()),
        }
        // The object changed: its spec or a label, most likely, and that is no reason to forget what was found.
        let newest = tenants.get_opt(&tenant.name_any()).await?;
        match newest.filter(|newest| newest.uid() == tenant.uid()) {
            Some(newest) => known.saw(&newest)?,
            None => return Err(Error::Overtaken),
        }
    }
    Err(Error::Overtaken)
}

#[cfg(test)]
mod tests;
