//! Projects: create, list, get, update, delete, recover, connection URI. In: decoded calls. Out: replies with the parts
//! that the recorded ones have. What a create or delete does to the data is in `lifecycle`.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{account, branch_of, existing, lifecycle, settled, visible};
use crate::app::{Shared, now};
use crate::gate::Context;
use crate::reply::{ApiError, Reply, created, ok};
use crate::requests::{self, ProjectCreate, ProjectUpdate, QueryMap, flag, number, required};
use crate::wire;
use crate::world::{Gone, ProjectQuery, page_projects};

pub(crate) async fn create(
    State(app): State<Shared>,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: ProjectCreate = requests::inside(&bytes, "project")?;
    check_create(&app, &wanted)?;
    let id = lifecycle::create_project(&app, wanted, &context).await?;
    let world = app.world_as_is();
    let project = world.live(&id).ok_or_else(|| ApiError::not_found("project"))?;
    let branch = project.default_branch();
    let endpoint =
        project.main_endpoint(&branch.id).ok_or_else(|| ApiError::not_found("endpoint"))?;
    let (role, database) = (&branch.roles[0], &branch.databases[0]);
    created(json!({
        "project": wire::project(project, false),
        "connection_uris": [wire::connection(&world.settings, endpoint, role, &database.name)],
        "roles": [wire::role(branch, role, true)],
        "databases": [wire::database(branch, database)],
        "operations": wire::operations(&project.operations),
        "branch": wire::branch(project, branch),
        "endpoints": [wire::endpoint(project, endpoint)],
    }))
}

fn check_create(app: &Shared, wanted: &ProjectCreate) -> Result<(), ApiError> {
    requests::length("name", wanted.name.as_deref(), 256)?;
    requests::range("pg_version", wanted.pg_version, 14, 18)?;
    requests::range("history_retention_seconds", wanted.history_retention_seconds, 0, 2_592_000)?;
    requests::length("branch.name", wanted.branch.name.as_deref(), 256)?;
    requests::identifier("database_name", wanted.branch.database_name.as_deref())?;
    requests::identifier("role_name", wanted.branch.role_name.as_deref())?;
    requests::compute(wanted.autoscaling_limit_min_cu, wanted.autoscaling_limit_max_cu)?;
    if let Some(settings) = &wanted.default_endpoint_settings {
        requests::endpoint_settings(settings)?;
    }
    if let Some(region) = wanted.region_id.as_deref().filter(|id| !account::is_region(id)) {
        return Err(ApiError::refused(format!(
            "region {region:?} does not exist: GET /regions lists them"
        )));
    }
    if wanted.branch.annotations.len() > 50 {
        return Err(ApiError::body("branch.annotations (more than 50 properties)"));
    }
    if let Some(provisioner) = &wanted.provisioner
        && !matches!(provisioner.as_str(), "k8s-pod" | "k8s-neonvm")
    {
        return Err(ApiError::body(format!("provisioner (unknown value {provisioner:?})")));
    }
    let world = app.world();
    let settings = &world.settings;
    if settings.require_org && wanted.org_id.is_none() {
        let text = "org_id is required, you can find it on your organization settings page";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, text));
    }
    if let (Some(wanted), Some(ours)) = (&wanted.org_id, &settings.org_id)
        && wanted != ours
    {
        return Err(ApiError::not_found("organization"));
    }
    let count = world.projects.values().filter(|p| p.deleted_at.is_none()).count();
    if settings.projects_limit.is_some_and(|limit| count >= limit) {
        let error = ApiError::refused("projects limit exceeded");
        return Err(ApiError { code: "PROJECTS_LIMIT_EXCEEDED", ..error });
    }
    Ok(())
}

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(context): Extension<Context>,
    Query(query): Query<QueryMap>,
) -> Reply {
    let limit = number(&query, "limit", 10, (1, 400))?;
    number(&query, "timeout", 10_000, (100, 30_000))?;
    let asked = ProjectQuery {
        cursor: query.get("cursor").map(String::as_str).filter(|c| !c.is_empty()),
        limit: usize::try_from(limit).unwrap_or(10),
        search: query.get("search").map(String::as_str),
        org_id: query.get("org_id").map(String::as_str).filter(|o| !o.is_empty()),
        recoverable: flag(&query, "recoverable")?,
        lag: context.effects.list_lag,
    };
    let world = app.world();
    let page = page_projects(&world, &asked, now());
    let unavailable = |id: &str| context.effects.unavailable.iter().any(|u| u == "*" || u == id);
    let (out, shown): (Vec<_>, Vec<_>) =
        page.items.iter().copied().partition(|p| unavailable(&p.id));
    let items: Value = shown.into_iter().map(wire::project_item).collect();
    let mut body = json!({ "projects": items, "applications": {}, "integrations": {} });
    if !out.is_empty() {
        body["unavailable_project_ids"] = out.iter().map(|p| p.id.as_str()).collect();
    }
    if let Some(cursor) = page.cursor {
        body["pagination"] = json!({ "cursor": cursor });
    }
    ok(body)
}

/// Nobody shares projects here; the recorded reply of an account without any has nothing else in it.
pub(crate) async fn shared(Query(query): Query<QueryMap>) -> Reply {
    number(&query, "limit", 10, (1, 400))?;
    ok(json!({ "projects": [] }))
}

pub(crate) async fn get(State(app): State<Shared>, Path(id): Path<String>) -> Reply {
    ok(json!({ "project": wire::project(visible(&app.world(), &id)?, true) }))
}

/// A rename alone is taken while operations run, as in the recordings; anything else waits for them.
pub(crate) async fn update(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: ProjectUpdate = requests::inside(&bytes, "project")?;
    requests::length("name", wanted.name.as_deref(), 256)?;
    requests::range("history_retention_seconds", wanted.history_retention_seconds, 0, 2_592_000)?;
    if let Some(settings) = &wanted.default_endpoint_settings {
        requests::endpoint_settings(settings)?;
    }
    let now = now();
    let mut world = app.world();
    let only_name = wanted.settings.is_none()
        && wanted.default_endpoint_settings.is_none()
        && wanted.history_retention_seconds.is_none();
    existing(&world, &id)?;
    let project =
        if only_name { world.live_mut(&id) } else { Some(settled(&mut world, &id, now)?) };
    let project = project.ok_or_else(|| ApiError::not_found("project"))?;
    if let Some(name) = wanted.name.filter(|name| *name != project.name) {
        project.name = name;
        app.ledger.commit("rename", (&id, &project.name), Some(&context.request_id));
    }
    merge(&mut project.settings, wanted.settings.unwrap_or_default());
    merge(
        &mut project.default_endpoint_settings,
        wanted.default_endpoint_settings.unwrap_or_default(),
    );
    project.history_retention_seconds =
        wanted.history_retention_seconds.unwrap_or(project.history_retention_seconds);
    project.updated_at = now;
    ok(json!({ "project": wire::project(project, false), "operations": [] }))
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

pub(crate) async fn delete(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Extension(context): Extension<Context>,
) -> Reply {
    {
        let world = app.world();
        let project = existing(&world, &id)?;
        if project.branches.iter().any(|b| b.protected) {
            return Err(ApiError::refused("project has protected branches and cannot be deleted"));
        }
        if world.settings.delete_conflicts && project.busy(now()) {
            return Err(ApiError::locked());
        }
    }
    lifecycle::delete_project(&app, &id, Some(&context.request_id)).await?;
    let world = app.world_as_is();
    let project = world.projects.get(&id).ok_or_else(|| ApiError::not_found("project"))?;
    let mut body = wire::project(project, false);
    // The recorded reply of a delete does not say when: only a look-up of a soft-deleted project does.
    if project.gone.unwrap_or(world.settings.gone) != Gone::DeletedAt
        && let Some(map) = body.as_object_mut()
    {
        map.retain(|key, _| key != "deleted_at" && key != "recoverable_until");
    }
    ok(json!({ "project": body }))
}

pub(crate) async fn recover(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Extension(context): Extension<Context>,
) -> Reply {
    lifecycle::recover_project(&app, &id, Some(&context.request_id)).await?;
    let world = app.world();
    let project = existing(&world, &id)?;
    let branches: Value = project.branches.iter().map(|b| wire::branch(project, b)).collect();
    ok(json!({ "project": wire::project(project, false), "branches": branches }))
}

pub(crate) async fn connection_uri(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<QueryMap>,
) -> Reply {
    let (database, role) = (required(&query, "database_name")?, required(&query, "role_name")?);
    let pooled = flag(&query, "pooled")?;
    let world = app.world();
    let project = existing(&world, &id)?;
    let branch = match query.get("branch_id") {
        Some(branch) => branch_of(project, branch)?,
        None => project.default_branch(),
    };
    let endpoint = match query.get("endpoint_id") {
        Some(id) => project.endpoint(id).filter(|e| e.branch_id == branch.id),
        None => project.main_endpoint(&branch.id),
    };
    let endpoint = endpoint.ok_or_else(|| ApiError::not_found("endpoint"))?;
    let role = branch.role(role).ok_or_else(|| ApiError::not_found("role"))?;
    let database = branch.database(database).ok_or_else(|| ApiError::not_found("database"))?;
    let mut uri = wire::uri(&world.settings, endpoint, role, &database.name, pooled);
    if !project.store_passwords {
        // Not documented; 412 is declared for reveal_password alone, so this goes without what is not there.
        uri = uri.replacen(&format!(":{}@", role.password), "@", 1);
    }
    ok(json!({ "uri": uri }))
}
