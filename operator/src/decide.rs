//! What happens next: the heart of the operator.
//!
//! In: what is declared, what is known, the time. Out: one [`Plan`]. Pure: every partial world that a crash can
//! leave is a row of the tests below, and doing what `decide` says leads from each of them to `Converged`.

use std::time::Duration;

use crds::DeletionPolicy;
use jiff::Timestamp;

use crate::{
    desired::Desired,
    observed::{Connection, Intent, LiveProject, Lookup, Observed, Operations, Project, Secret},
    plan::{Plan, Refusal, Step, Waiting},
    secret::Content,
};

/// What a decision depends on beside the tenant.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Now.
    pub now: Timestamp,
    /// How long after its request a project may still come into being.
    pub create_grace: Duration,
    /// Version of the newest tenant migration, `None` where there are none.
    pub newest_migration: Option<i64>,
}

/// The next step towards what is declared.
#[must_use]
pub fn decide(desired: &Desired, observed: &Observed, circumstances: &Circumstances) -> Plan {
    if desired.paused {
        return Plan::Wait(Waiting::Paused);
    }
    // Before anything is made: a name that is taken would leave a project without a Secret.
    if matches!(observed.secret, Secret::Foreign) {
        return Plan::Refuse(Refusal::SecretConflict { name: desired.secret_name.clone() });
    }
    if !observed.finalizer {
        return Plan::Do(Step::AddFinalizer);
    }
    match &observed.project {
        Project::Unbound => obtain_project(desired, observed, circumstances),
        Project::Missing { id } => match &desired.adopt {
            Some(other) if other != id => Plan::Do(Step::Adopt { project: other.clone() }),
            Some(_) | None => Plan::Refuse(Refusal::ProjectMissing { project: id.clone() }),
        },
        Project::Foreign { id, why } => {
            Plan::Refuse(Refusal::NotOurs { project: id.clone(), why: why.clone() })
        }
        Project::NotAdoptable { id, why } => {
            Plan::Refuse(Refusal::AdoptionRefused { project: id.clone(), why: why.clone() })
        }
        Project::Live(live) => furnish(desired, observed, live, circumstances),
    }
}

/// From no project to a project: intent, search, request, in this order.
fn obtain_project(desired: &Desired, observed: &Observed, circumstances: &Circumstances) -> Plan {
    if let Some(project) = &desired.adopt {
        return Plan::Do(Step::Adopt { project: project.clone() });
    }
    if observed.intent == Intent::None {
        return Plan::Do(Step::RecordIntent);
    }
    match &observed.lookup {
        Lookup::NotYet => Plan::Do(Step::LookUp),
        Lookup::Incomplete(found) | Lookup::Complete(found) if !found.is_empty() => {
            choose(observed, found)
        }
        Lookup::Incomplete(_) => Plan::Wait(Waiting::LookupIncomplete),
        Lookup::Complete(_) => match &observed.intent {
            Intent::ThisPass(_) => Plan::Do(Step::CreateProject),
            Intent::None => Plan::Do(Step::RecordIntent),
            Intent::Earlier(at) => match grace_left(*at, circumstances) {
                Some(until) => Plan::Wait(Waiting::CreationUncertain { until }),
                None => Plan::Do(Step::RecordIntent),
            },
        },
    }
}

/// One project is taken over. Of several, which only lost replies can leave, the oldest is kept and the others go
/// before it is bound; unless a Secret says that one of them was in use already.
fn choose(observed: &Observed, found: &[String]) -> Plan {
    let left = |id: &&String| !observed.gone.contains(*id) && !observed.deleted.contains(*id);
    let mut left = found.iter().filter(left);
    match (left.next(), left.next_back()) {
        (Some(_), Some(_))
            if matches!(observed.secret, Secret::Ours { content: _, intact: _, version: _ }) =>
        {
            Plan::Refuse(Refusal::Ambiguous { projects: found.to_vec() })
        }
        (_, Some(youngest)) => Plan::Do(Step::RemoveDuplicate { project: youngest.clone() }),
        (Some(only), None) => Plan::Do(Step::Bind { project: only.clone() }),
        (None, None) => Plan::Do(Step::LookUp),
    }
}

/// A request that was sent may take effect until then; afterwards an empty search is proof.
fn grace_left(requested: Timestamp, circumstances: &Circumstances) -> Option<Timestamp> {
    let until = requested.checked_add(circumstances.create_grace).unwrap_or(Timestamp::MAX);
    (circumstances.now < until).then_some(until)
}

/// From a project to a working tenant.
fn furnish(
    desired: &Desired,
    observed: &Observed,
    live: &LiveProject,
    circumstances: &Circumstances,
) -> Plan {
    match &observed.operations {
        Operations::Unknown => return Plan::Do(Step::CheckOperations),
        Operations::Pending => return Plan::Wait(Waiting::Operations),
        Operations::Failed(what) => {
            return Plan::Refuse(Refusal::OperationFailed { what: what.clone() });
        }
        Operations::Done => {}
    }
    if live.name != desired.project_name {
        return Plan::Do(Step::RestoreName);
    }
    if !live.settings.satisfy(&desired.settings) {
        return Plan::Do(Step::ApplySettings);
    }
    let (direct, pooled) = match &observed.connection {
        Connection::Unknown => return Plan::Do(Step::FetchConnection),
        Connection::PasswordLost => return Plan::Do(Step::ResetPassword),
        Connection::Known { direct, pooled } => (direct, pooled),
    };
    // A schema that is newer than ours was made by a newer operator: it is left alone.
    if observed.schema_version < circumstances.newest_migration {
        return Plan::Do(Step::Migrate);
    }
    let wanted = Content::new(desired, direct, pooled);
    match &observed.secret {
        Secret::Ours { content, intact: true, version: _ } if content.satisfies(&wanted) => {
            tidy(observed)
        }
        // Not intact: somebody edited it, or a crash came between its write and the status that names it.
        Secret::Ours { content: _, intact: _, version: _ } | Secret::Missing | Secret::Foreign => {
            Plan::Do(Step::WriteSecret)
        }
    }
}

/// What an earlier spec left behind.
fn tidy(observed: &Observed) -> Plan {
    match &observed.old_secret {
        Some(name) => Plan::Do(Step::RemoveSecret { name: name.clone() }),
        None => Plan::Converged,
    }
}

/// The next step towards nothing. Reads no more of the spec than the deletion policy.
#[must_use]
pub fn decide_deletion(
    policy: DeletionPolicy,
    observed: &Observed,
    circumstances: &Circumstances,
) -> Plan {
    if !observed.finalizer {
        return Plan::Converged;
    }
    if observed.lookup == Lookup::NotYet {
        return Plan::Do(Step::LookUp);
    }
    let found = observed.lookup.found().iter();
    let ours: Vec<String> = found.filter(|id| !observed.gone.contains(*id)).cloned().collect();
    if policy == DeletionPolicy::Retain && !ours.is_empty() {
        return Plan::Do(Step::RemoveFinalizer { retained: ours });
    }
    if observed.lingers {
        return Plan::Wait(Waiting::Deletion);
    }
    if let Some(project) = ours.first().cloned() {
        // An accepted deletion is not yet a proof.
        let deleted = observed.deleted.contains(&project);
        return Plan::Do(if deleted {
            Step::ConfirmGone { project }
        } else {
            Step::DeleteProject { project }
        });
    }
    if matches!(observed.lookup, Lookup::Incomplete(_)) {
        return Plan::Wait(Waiting::LookupIncomplete);
    }
    // A request on its way could still become a project that nobody knows.
    match observed.intent.at().and_then(|at| grace_left(at, circumstances)) {
        Some(until) => Plan::Wait(Waiting::CreationUncertain { until }),
        None => Plan::Do(Step::RemoveFinalizer { retained: Vec::new() }),
    }
}

#[cfg(test)]
mod tests;
