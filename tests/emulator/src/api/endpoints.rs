//! Endpoints: list (project, branch), get, create, update, delete, start, suspend, restart. In: decoded calls. Out:
//! replies; the state changes when the operations of the call end.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{branch_of, existing, lifecycle, settled};
use crate::app::{Shared, now};
use crate::gate::Context;
use crate::reply::{ApiError, Reply, created, ok};
use crate::requests::{self, EndpointFields};
use crate::wire;
use crate::world::{Compute, Endpoint, World};

type OneOf = Path<(String, String)>;

fn missing() -> ApiError {
    ApiError::not_found("endpoint")
}

pub(crate) async fn list(State(app): State<Shared>, Path(id): Path<String>) -> Reply {
    let world = app.world();
    let project = existing(&world, &id)?;
    ok(
        json!({ "endpoints": project.endpoints.iter().map(|e| wire::endpoint(project, e)).collect::<Value>() }),
    )
}

pub(crate) async fn list_of_branch(State(app): State<Shared>, Path((id, branch)): OneOf) -> Reply {
    let world = app.world();
    let project = existing(&world, &id)?;
    let branch = branch_of(project, &branch)?;
    let mine = project.endpoints.iter().filter(|e| e.branch_id == branch.id);
    ok(json!({ "endpoints": mine.map(|e| wire::endpoint(project, e)).collect::<Value>() }))
}

pub(crate) async fn get(State(app): State<Shared>, Path((id, endpoint)): OneOf) -> Reply {
    let world = app.world();
    let project = existing(&world, &id)?;
    ok(
        json!({ "endpoint": wire::endpoint(project, project.endpoint(&endpoint).ok_or_else(missing)?) }),
    )
}

fn check(wanted: &EndpointFields) -> Result<(), ApiError> {
    requests::compute(wanted.autoscaling_limit_min_cu, wanted.autoscaling_limit_max_cu)?;
    requests::length("endpoint.name", wanted.name.as_deref(), 64)?;
    requests::suspend_timeout(wanted.suspend_timeout_seconds)
}

fn apply(endpoint: &mut Endpoint, wanted: EndpointFields) -> Result<(), ApiError> {
    let min = wanted.autoscaling_limit_min_cu.unwrap_or(endpoint.min_cu);
    let max = wanted.autoscaling_limit_max_cu.unwrap_or(endpoint.max_cu);
    requests::compute(Some(min), Some(max))?;
    (endpoint.min_cu, endpoint.max_cu) = (min, max);
    endpoint.suspend_timeout_seconds =
        wanted.suspend_timeout_seconds.unwrap_or(endpoint.suspend_timeout_seconds);
    endpoint.settings.extend(wanted.settings.unwrap_or_default());
    endpoint.passwordless_access =
        wanted.passwordless_access.unwrap_or(endpoint.passwordless_access);
    endpoint.disabled = wanted.disabled.unwrap_or(endpoint.disabled);
    endpoint.name = wanted.name.or_else(|| endpoint.name.take());
    endpoint.updated_at = now();
    if endpoint.disabled {
        endpoint.change(Compute::Idle, now());
    }
    Ok(())
}

pub(crate) async fn create(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: EndpointFields = requests::inside(&bytes, "endpoint")?;
    check(&wanted)?;
    let branch = wanted
        .branch_id
        .clone()
        .ok_or_else(|| ApiError::body("endpoint.branch_id (field required)"))?;
    let kind = match wanted.kind.as_deref() {
        Some(kind @ ("read_write" | "read_only")) => kind.to_owned(),
        _ => {
            return Err(ApiError::body("endpoint.type (field required: read_write or read_only)"));
        }
    };
    let defaults = {
        let mut world = app.world();
        let project = settled(&mut world, &id, now())?;
        branch_of(project, &branch)?;
        if kind == "read_write" && project.main_endpoint(&branch).is_some() {
            return Err(ApiError::new(StatusCode::CONFLICT, "read_write endpoint already exists"));
        }
        project.default_endpoint_settings.clone()
    };
    let mut endpoint = lifecycle::new_endpoint(&app, &id, &branch, &defaults)?;
    endpoint.kind = kind;
    apply(&mut endpoint, wanted)?;
    let endpoint_id = endpoint.id.clone();
    let mut world = app.world();
    world.live_mut(&id).ok_or_else(|| ApiError::not_found("project"))?.endpoints.push(endpoint);
    created(operated(&mut world, &id, &endpoint_id, "start_compute", &context)?)
}

/// The reply of a call on one endpoint, with the operation it began.
fn operated(
    world: &mut World,
    id: &str,
    endpoint: &str,
    action: &str,
    context: &Context,
) -> Result<Value, ApiError> {
    let branch = existing(world, id)?.endpoint(endpoint).ok_or_else(missing)?.branch_id.clone();
    let actions = [(action, branch.as_str(), Some(endpoint))];
    let made = world.operations(id, now(), &actions, &context.effects.operations);
    let project = existing(world, id)?;
    let endpoint = wire::endpoint(project, project.endpoint(endpoint).ok_or_else(missing)?);
    Ok(json!({ "endpoint": endpoint, "operations": wire::operations(&made) }))
}

pub(crate) async fn update(
    State(app): State<Shared>,
    Path((id, endpoint)): OneOf,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: EndpointFields = requests::inside(&bytes, "endpoint")?;
    check(&wanted)?;
    let mut world = app.world();
    let project = settled(&mut world, &id, now())?;
    apply(project.endpoint_mut(&endpoint).ok_or_else(missing)?, wanted)?;
    ok(operated(&mut world, &id, &endpoint, "apply_config", &context)?)
}

pub(crate) async fn delete(
    State(app): State<Shared>,
    Path((id, endpoint)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    let mut world = app.world();
    settled(&mut world, &id, now())?;
    let body = operated(&mut world, &id, &endpoint, "suspend_compute", &context)?;
    if let Some(project) = world.live_mut(&id) {
        project.endpoints.iter().filter(|e| e.id == endpoint).for_each(Endpoint::close);
        project.endpoints.retain(|e| e.id != endpoint);
    }
    ok(body)
}

pub(crate) async fn start(
    State(app): State<Shared>,
    Path((id, endpoint)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    change(&app, &id, &endpoint, (Compute::Active, "start_compute"), &context)
}

pub(crate) async fn suspend(
    State(app): State<Shared>,
    Path((id, endpoint)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    change(&app, &id, &endpoint, (Compute::Idle, "suspend_compute"), &context)
}

/// A restart cuts every connection and starts again.
pub(crate) async fn restart(
    State(app): State<Shared>,
    Path((id, endpoint)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    {
        let mut world = app.world();
        let it = settled(&mut world, &id, now())?.endpoint_mut(&endpoint).ok_or_else(missing)?;
        it.change(Compute::Idle, now());
        it.state = Compute::Idle;
    }
    change(&app, &id, &endpoint, (Compute::Active, "start_compute"), &context)
}

fn change(app: &Shared, id: &str, endpoint: &str, to: (Compute, &str), context: &Context) -> Reply {
    let mut world = app.world();
    let now = now();
    let project = settled(&mut world, id, now)?;
    let it = project.endpoint_mut(endpoint).ok_or_else(missing)?;
    if it.pending.is_some_and(|(target, _)| target != to.0) {
        let text = "endpoint is in some transitive state, could not suspend";
        return Err(ApiError::new(StatusCode::LOCKED, text));
    }
    if it.disabled && to.0 == Compute::Active {
        return Err(ApiError::refused("endpoint is disabled"));
    }
    it.change(to.0, now);
    ok(operated(&mut world, id, endpoint, to.1, context)?)
}
