//! Looks at the world and changes nothing.
//!
//! In: the object, and what it declares. Out: [`Observed`]. A settled tenant costs one read of its Secret and two
//! calls to Neon; its database is never connected to, so that its compute can sleep.

use std::collections::BTreeSet;

use crds::{ConditionType, VectorTenant, VectorTenantStatus};
use kube::ResourceExt;

use crate::{
    context::Context,
    desired::{ComputeUnits, Desired},
    error::Error,
    naming, neon,
    observed::{
        Connection, Intent, LiveProject, LiveSettings, Lookup, Observed, Operations, Project,
        Secret,
    },
    secret::{self, Content},
};

/// Everything that a decision needs, as far as it costs little; steps find out the rest.
///
/// # Errors
/// When Kubernetes or Neon cannot be asked.
pub async fn observe(
    ctx: &Context,
    tenant: &VectorTenant,
    desired: &Desired,
) -> Result<Observed, Error> {
    let status = tenant.status.clone().unwrap_or_default();
    let bound = status.project_id.as_deref().filter(|_| !desired.paused);
    let (secret, old_secret, project) = tokio::try_join!(
        wanted_secret(ctx, desired, &status),
        old_secret(ctx, desired, &status),
        async {
            match bound {
                Some(id) => bound_project(ctx, id, &desired.uid).await,
                None => Ok(Project::Unbound),
            }
        },
    )?;
    // Operations that were done stay done: whatever starts new ones says so.
    let known_done = crds::is_true(&status.conditions, ConditionType::ProjectReady);
    Ok(Observed {
        finalizer: has_finalizer(tenant),
        intent: intent(&status),
        lookup: Lookup::NotYet,
        project,
        operations: if known_done { Operations::Done } else { Operations::Unknown },
        connection: Connection::Unknown,
        schema_version: status.schema_version,
        secret,
        old_secret,
        deleted: BTreeSet::new(),
        gone: BTreeSet::new(),
        lingers: false,
    })
}

/// What deletion needs: every project that is ours, by name and by what the status remembers.
///
/// # Errors
/// When Neon cannot be asked.
pub async fn observe_deletion(ctx: &Context, tenant: &VectorTenant) -> Result<Observed, Error> {
    let status = tenant.status.clone().unwrap_or_default();
    let uid = tenant.uid().unwrap_or_default();
    let finalizer = has_finalizer(tenant);
    let mut lookup = Lookup::NotYet;
    if finalizer {
        lookup = look_up(ctx, &naming::project_name(&ctx.cluster, &uid)).await?;
        if let Some(renamed) = renamed_project(ctx, &status, &uid, &lookup).await? {
            match &mut lookup {
                Lookup::NotYet => {}
                Lookup::Incomplete(ids) | Lookup::Complete(ids) => ids.push(renamed),
            }
        }
    }
    Ok(Observed {
        finalizer,
        intent: intent(&status),
        lookup,
        project: Project::Unbound,
        operations: Operations::Unknown,
        connection: Connection::Unknown,
        schema_version: status.schema_version,
        secret: Secret::Missing,
        old_secret: None,
        deleted: BTreeSet::new(),
        gone: BTreeSet::new(),
        lingers: false,
    })
}

/// The project that the status names, where the search by name does not find it and it is still ours: a person
/// renamed it. One that carries another tenant's name was adopted by that tenant, and is its own.
async fn renamed_project(
    ctx: &Context,
    status: &VectorTenantStatus,
    uid: &str,
    lookup: &Lookup,
) -> Result<Option<String>, Error> {
    let Some(id) = status.project_id.as_ref().filter(|id| !lookup.found().contains(id)) else {
        return Ok(None);
    };
    Ok(match bound_project(ctx, id, uid).await? {
        Project::Live(live) => Some(live.id),
        Project::Unbound
        | Project::Missing { id: _ }
        | Project::Foreign { id: _, why: _ }
        | Project::NotAdoptable { id: _, why: _ } => None,
    })
}

/// Searches by exact name, all pages.
///
/// # Errors
/// When Neon cannot be asked.
pub async fn look_up(ctx: &Context, project_name: &str) -> Result<Lookup, Error> {
    let mut search = ctx.neon.find_projects(project_name).await?;
    search.projects.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let ids = search.projects.into_iter().map(|project| project.id).collect();
    Ok(if search.complete { Lookup::Complete(ids) } else { Lookup::Incomplete(ids) })
}

/// The project with its branch, endpoint and settings; `None` where it is gone.
///
/// # Errors
/// When Neon cannot be asked, or the project has no endpoint that takes writes.
pub async fn live_project(ctx: &Context, id: &str) -> Result<Option<LiveProject>, Error> {
    let Some(project) = ctx.neon.project(id).await? else {
        return Ok(None);
    };
    let endpoints = match ctx.neon.endpoints(id).await {
        Ok(endpoints) => endpoints,
        Err(error) if error.is_gone() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let writes = |endpoint: &&neon::Endpoint| endpoint.kind == neon::EndpointKind::ReadWrite;
    match endpoints.iter().find(writes) {
        Some(endpoint) => Ok(Some(assemble(&project, endpoint))),
        None => Err(Error::Incomplete(format!(
            "project {id} has no read-write endpoint: create one for its default branch in Neon"
        ))),
    }
}

/// The project as a whole, from Neon's two views of it.
#[must_use]
pub fn assemble(project: &neon::Project, endpoint: &neon::Endpoint) -> LiveProject {
    LiveProject {
        id: project.id.clone(),
        name: project.name.clone(),
        branch_id: endpoint.branch_id.clone(),
        endpoint_id: endpoint.id.clone(),
        settings: LiveSettings {
            min: ComputeUnits::from_api(endpoint.autoscaling_min_cu),
            max: ComputeUnits::from_api(endpoint.autoscaling_max_cu),
            suspend_timeout_seconds: endpoint.suspend_timeout_seconds,
            history_retention_seconds: project.history_retention_seconds,
        },
    }
}

async fn bound_project(ctx: &Context, id: &str, uid: &str) -> Result<Project, Error> {
    let Some(live) = live_project(ctx, id).await? else {
        return Ok(Project::Missing { id: id.to_owned() });
    };
    Ok(match naming::tenant_uid(&live.name) {
        Some(other) if other != uid => Project::Foreign {
            why: format!("its name '{}' is that of another tenant", live.name),
            id: live.id,
        },
        Some(_) | None => Project::Live(live),
    })
}

async fn wanted_secret(
    ctx: &Context,
    desired: &Desired,
    status: &VectorTenantStatus,
) -> Result<Secret, Error> {
    let found = ctx.secrets(&desired.namespace).get_opt(&desired.secret_name).await?;
    Ok(match found {
        None => Secret::Missing,
        Some(secret) if !secret::is_owned_by(&secret, &desired.uid) => Secret::Foreign,
        Some(secret) => {
            let (content, version) = (Content::of(&secret), secret.resource_version());
            let recorded = status.binding.as_ref().and_then(|binding| binding.revision.as_ref());
            Secret::Ours { intact: recorded == Some(&content.revision()), content, version }
        }
    })
}

async fn old_secret(
    ctx: &Context,
    desired: &Desired,
    status: &VectorTenantStatus,
) -> Result<Option<String>, Error> {
    let Some(binding) = &status.binding else {
        return Ok(None);
    };
    if binding.name == desired.secret_name {
        return Ok(None);
    }
    let old = ctx.secrets(&desired.namespace).get_opt(&binding.name).await?;
    let ours = old.is_some_and(|secret| secret::is_owned_by(&secret, &desired.uid));
    Ok(ours.then(|| binding.name.clone()))
}

fn has_finalizer(tenant: &VectorTenant) -> bool {
    tenant.finalizers().iter().any(|name| name == crds::FINALIZER)
}

fn intent(status: &VectorTenantStatus) -> Intent {
    match &status.creation {
        Some(creation) => Intent::Earlier(creation.requested_at.0),
        None => Intent::None,
    }
}
