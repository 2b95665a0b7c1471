//! Steps on the Neon project.

use std::collections::BTreeMap;

use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    context::Context,
    desired::{self, Desired},
    error::Error,
    naming, neon,
    observe::{assemble, live_project},
    observed::{LiveProject, Observed, Operations, Outcome, Project},
};

/// The project that a step works on.
pub(super) fn bound(observed: &Observed) -> Result<&LiveProject, Error> {
    match &observed.project {
        Project::Live(live) => Ok(live),
        Project::Unbound
        | Project::Missing { id: _ }
        | Project::Foreign { id: _, why: _ }
        | Project::NotAdoptable { id: _, why: _ } => {
            Err(Error::Incomplete("no project is bound to this tenant".to_owned()))
        }
    }
}

pub(super) async fn create(ctx: &Context, desired: &Desired) -> Result<Outcome, Error> {
    let owner = (desired::OWNER_ANNOTATION.to_owned(), desired.uid.clone());
    let created = ctx
        .neon
        .create_project(&neon::NewProject {
            name: desired.project_name.clone(),
            region_id: desired.region.clone(),
            pg_version: desired.postgres_version,
            history_retention_seconds: desired.settings.history_retention_seconds,
            autoscaling_min_cu: desired.settings.min.to_api(),
            autoscaling_max_cu: desired.settings.max.to_api(),
            suspend_timeout_seconds: desired.settings.suspend_timeout_seconds,
            branch_name: desired::BRANCH.to_owned(),
            role_name: desired::ROLE.to_owned(),
            database_name: desired::DATABASE.to_owned(),
            annotations: BTreeMap::from([owner]),
        })
        .await?;
    Ok(Outcome::Bound(Box::new(assemble(&created.project, &created.endpoint))))
}

/// Takes over a project that carries this tenant's name, unless its marker says that it is another's.
pub(super) async fn bind(ctx: &Context, uid: &str, id: &str) -> Result<Outcome, Error> {
    let Some(live) = live_project(ctx, id).await? else {
        return Ok(Outcome::Gone(id.to_owned()));
    };
    Ok(match foreign_marker(ctx, uid, id).await? {
        Some(why) => Outcome::NotBound(Project::Foreign { id: live.id, why }),
        None => Outcome::Bound(Box::new(live)),
    })
}

/// What on the project's default branch says that it belongs to another tenant.
async fn foreign_marker(ctx: &Context, uid: &str, id: &str) -> Result<Option<String>, Error> {
    let branches = ctx.neon.branches(id).await?;
    let marker = branches
        .iter()
        .find(|branch| branch.default)
        .and_then(|branch| branch.annotations.get(desired::OWNER_ANNOTATION));
    Ok(marker
        .filter(|owner| *owner != uid)
        .map(|owner| format!("its branch is marked as that of the tenant with UID {owner}")))
}

/// Takes over the project that the annotation names, and gives it this tenant's name.
pub(super) async fn adopt(ctx: &Context, desired: &Desired, id: &str) -> Result<Outcome, Error> {
    let refused =
        |why: String| Ok(Outcome::NotBound(Project::NotAdoptable { id: id.to_owned(), why }));
    let Some(project) = ctx.neon.project(id).await? else {
        return refused("Neon has no such project".to_owned());
    };
    if let Some(why) = in_use(ctx, desired, &project).await? {
        return refused(why);
    }
    let Some(live) = live_project(ctx, id).await? else {
        return refused("Neon has no such project".to_owned());
    };
    if let Some(why) = misfit(ctx, desired, &project, &live).await? {
        return refused(why);
    }
    ctx.neon.rename_project(id, &desired.project_name).await?;
    let name = desired.project_name.clone();
    Ok(Outcome::Bound(Box::new(LiveProject { name, ..live })))
}

/// Whether another tenant of this cluster still has the project.
async fn in_use(
    ctx: &Context,
    desired: &Desired,
    project: &neon::Project,
) -> Result<Option<String>, Error> {
    let owner = naming::tenant_uid(&project.name).filter(|uid| *uid != desired.uid);
    let apis: Vec<Api<crds::VectorTenant>> = if ctx.namespaces.is_empty() {
        vec![Api::all(ctx.kube.clone())]
    } else {
        ctx.namespaces.iter().map(|namespace| ctx.tenants(namespace)).collect()
    };
    for api in apis {
        for other in api.list(&ListParams::default()).await? {
            let uid = other.uid().unwrap_or_default();
            let bound = other.status.as_ref().and_then(|status| status.project_id.as_deref());
            let has_it = owner == Some(uid.as_str()) || bound == Some(project.id.as_str());
            if has_it && uid != desired.uid {
                let (space, name) = (other.namespace().unwrap_or_default(), other.name_any());
                return Ok(Some(format!(
                    "the tenant {space}/{name} has it: delete that one first"
                )));
            }
        }
    }
    Ok(None)
}

/// What of the project differs from what cannot be changed later.
async fn misfit(
    ctx: &Context,
    desired: &Desired,
    project: &neon::Project,
    live: &LiveProject,
) -> Result<Option<String>, Error> {
    if project.region_id != desired.region {
        return Ok(Some(format!("it is in {}: set spec.region to that", project.region_id)));
    }
    if project.pg_version != desired.postgres_version {
        let version = project.pg_version;
        return Ok(Some(format!("it is Postgres {version}: set spec.postgresVersion to that")));
    }
    let databases = ctx.neon.databases(&project.id, &live.branch_id).await?;
    let fits = |database: &neon::Database| {
        database.name == desired::DATABASE && database.owner_name == desired::ROLE
    };
    Ok((!databases.iter().any(fits))
        .then(|| format!("it has no database {} owned by {}", desired::DATABASE, desired::ROLE)))
}

pub(super) async fn restore_name(
    ctx: &Context,
    desired: &Desired,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let live = bound(observed)?.clone();
    ctx.neon.rename_project(&live.id, &desired.project_name).await?;
    let name = desired.project_name.clone();
    Ok(Outcome::Changed(Box::new(LiveProject { name, ..live })))
}

pub(super) async fn check_operations(ctx: &Context, observed: &Observed) -> Result<Outcome, Error> {
    let operations = ctx.neon.operations(&bound(observed)?.id).await?;
    Ok(Outcome::Operations(summarise(&operations)))
}

/// Newest first: whatever failed before the newest success has been made good since.
pub(super) fn summarise(operations: &[neon::Operation]) -> Operations {
    if operations.iter().any(neon::Operation::is_pending) {
        return Operations::Pending;
    }
    let since_success = operations.iter().take_while(|operation| !operation.is_finished());
    match since_success.last() {
        None => Operations::Done,
        Some(failed) => {
            let why = failed.error.as_deref().unwrap_or("Neon gives no reason");
            Operations::Failed(format!("{}: {why}", failed.action))
        }
    }
}

/// The project first: its endpoint is what `decide` compares, so a crash in between is seen.
pub(super) async fn apply_settings(
    ctx: &Context,
    desired: &Desired,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let live = bound(observed)?;
    let wanted = neon::EndpointPatch {
        autoscaling_min_cu: Some(desired.settings.min.to_api()),
        autoscaling_max_cu: Some(desired.settings.max.to_api()),
        suspend_timeout_seconds: Some(desired.settings.suspend_timeout_seconds),
    };
    let patch = neon::ProjectPatch {
        name: None,
        history_retention_seconds: desired.settings.history_retention_seconds,
        default_endpoint_settings: Some(wanted),
    };
    let (project, _) = ctx.neon.update_project(&live.id, &patch).await?;
    let (endpoint, _) = ctx.neon.update_endpoint(&live.id, &live.endpoint_id, &wanted).await?;
    Ok(Outcome::Changed(Box::new(assemble(&project, &endpoint))))
}

/// Deletes a project of this tenant. One that was never bound to it, and carries its name with another's marker, is
/// left alone; one that was bound may carry the marker of the tenant that it was adopted from.
pub(super) async fn delete(
    ctx: &Context,
    tenant: &crds::VectorTenant,
    id: &str,
) -> Result<Outcome, Error> {
    let uid = tenant.uid().unwrap_or_default();
    let status = tenant.status.as_ref();
    let was_bound = status.and_then(|status| status.project_id.as_deref()) == Some(id);
    let marker = if was_bound { Ok(None) } else { foreign_marker(ctx, &uid, id).await };
    match marker {
        Ok(None) => {}
        Ok(Some(why)) => {
            tracing::warn!(project = id, why, "a project with this tenant's name is left alone");
            return Ok(Outcome::Gone(id.to_owned()));
        }
        Err(Error::Neon(error)) if error.is_gone() => return Ok(Outcome::Gone(id.to_owned())),
        Err(error) => return Err(error),
    }
    match ctx.neon.delete_project(id).await {
        Ok(neon::Deletion::Accepted) => Ok(Outcome::Deleted(id.to_owned())),
        Ok(neon::Deletion::AlreadyGone) => Ok(Outcome::Gone(id.to_owned())),
        // A protected branch, for one: the project is there, and letting go of the object would leak it.
        Err(error) if matches!(error.category(), "refused" | "conflict") => {
            Err(Error::DeletionRefused(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Gone in any of the forms that Neon may give it: unknown, marked as deleted, or kept for a while to be recovered.
pub(super) async fn confirm_gone(ctx: &Context, id: &str) -> Result<Outcome, Error> {
    let Some(project) = ctx.neon.project(id).await? else {
        return Ok(Outcome::Gone(id.to_owned()));
    };
    let recoverable = ctx.neon.recoverable(&project.name).await?;
    Ok(if recoverable.iter().any(|kept| kept.id == id) {
        Outcome::Gone(id.to_owned())
    } else {
        Outcome::StillThere
    })
}
