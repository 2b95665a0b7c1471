//! Branches: list with annotations, get, create, update (rename, protect), delete. In: decoded calls. Out: replies. A new
//! branch here is empty (the real one is a copy): no part of the operator uses branches other than the default one.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::{branch_of, existing, lifecycle, settled};
use crate::app::{Shared, now};
use crate::gate::Context;
use crate::ids;
use crate::reply::{ApiError, Reply, created, ok};
use crate::requests::{self, BranchCreate, BranchFields, QueryMap, number};
use crate::wire;
use crate::world::{Branch, Project, Settings};

pub(crate) async fn list(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<QueryMap>,
) -> Reply {
    let limit = number(&query, "limit", 10_000, (1, 10_000))?;
    let by = query.get("sort_by").map_or("updated_at", String::as_str);
    let order = query.get("sort_order").map_or("desc", String::as_str);
    if !matches!(by, "name" | "created_at" | "updated_at") || !matches!(order, "asc" | "desc") {
        return Err(ApiError::invalid("query: sort_by or sort_order: unknown value"));
    }
    let world = app.world();
    let project = existing(&world, &id)?;
    let search = query.get("search").map_or("", String::as_str);
    let mut found: Vec<&Branch> = project
        .branches
        .iter()
        .filter(|b| b.name.contains(search) || b.id.contains(search))
        .collect();
    found.sort_by(|a, b| match by {
        "name" => a.name.cmp(&b.name),
        "created_at" => a.created_at.cmp(&b.created_at),
        _ => a.updated_at.cmp(&b.updated_at),
    });
    if order == "desc" {
        found.reverse();
    }
    let after = query.get("cursor").and_then(|c| cursor_id(c));
    let start = after.and_then(|id| found.iter().position(|b| b.id == id)).map_or(0, |at| at + 1);
    let page: Vec<_> =
        found.into_iter().skip(start).take(usize::try_from(limit).unwrap_or(10_000)).collect();
    let annotated = page.iter().filter(|b| !b.annotations.is_empty());
    let annotations: Map<_, _> = annotated.map(|b| (b.id.clone(), wire::annotation(b))).collect();
    let branches: Value = page.iter().map(|b| wire::branch(project, b)).collect();
    let mut body = json!({ "branches": branches, "annotations": annotations });
    if let Some(last) = page.last() {
        let order = order.to_uppercase();
        let next = json!({ "branch_id": last.id, "sort_by": by, "sort_order": order }).to_string();
        let next = base64::engine::general_purpose::STANDARD.encode(next);
        body["pagination"] = json!({ "next": next, "sort_by": by, "sort_order": order });
    }
    ok(body)
}

fn cursor_id(cursor: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(cursor).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value["branch_id"].as_str().map(str::to_owned)
}

pub(crate) async fn count(State(app): State<Shared>, Path(id): Path<String>) -> Reply {
    ok(json!({ "count": existing(&app.world(), &id)?.branches.len() }))
}

pub(crate) async fn get(
    State(app): State<Shared>,
    Path((id, branch)): Path<(String, String)>,
) -> Reply {
    let world = app.world();
    let project = existing(&world, &id)?;
    let branch = branch_of(project, &branch)?;
    ok(json!({ "branch": wire::branch(project, branch), "annotation": wire::annotation(branch) }))
}

pub(crate) async fn create(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: BranchCreate = match bytes.is_empty() {
        true => BranchCreate::default(),
        false => requests::body(&bytes)?,
    };
    requests::length("branch.name", wanted.branch.name.as_deref(), 256)?;
    let seed = seed(&app, &id, &wanted)?;
    let branch_id = ids::branch_id();
    let with_endpoint = !wanted.endpoints.is_empty();
    let branch = new_branch(&app, &branch_id, wanted, &seed).await?;
    let endpoint = match with_endpoint {
        true => Some(lifecycle::new_endpoint(&app, &id, &branch_id, &seed.defaults)?),
        false => None,
    };
    let mut world = app.world();
    let project = world.live_mut(&id).ok_or_else(|| ApiError::not_found("project"))?;
    project.branches.push(branch);
    let endpoint_id = endpoint.as_ref().map(|e| e.id.clone());
    project.endpoints.extend(endpoint);
    let mut actions = vec![("create_branch", branch_id.as_str(), None)];
    actions.extend(endpoint_id.as_deref().map(|e| ("start_compute", branch_id.as_str(), Some(e))));
    let made = world.operations(&id, now(), &actions, &context.effects.operations);
    let project = existing(&world, &id)?;
    let branch = branch_of(project, &branch_id)?;
    created(created_body(&world.settings, project, branch, wire::operations(&made)))
}

/// What a new branch takes over from its parent.
struct Seed {
    parent_id: String,
    role: String,
    database: String,
    defaults: Map<String, Value>,
}

fn seed(app: &Shared, id: &str, wanted: &BranchCreate) -> Result<Seed, ApiError> {
    let mut world = app.world();
    let project = settled(&mut world, id, now())?;
    if project.branches.iter().any(|b| Some(&b.name) == wanted.branch.name.as_ref()) {
        return Err(ApiError::exists("branch"));
    }
    let parent = match wanted.branch.parent_id.as_deref().filter(|p| !p.is_empty()) {
        Some(parent) => branch_of(project, parent)?,
        None => project.default_branch(),
    };
    Ok(Seed {
        parent_id: parent.id.clone(),
        role: parent.roles.first().map_or("neondb_owner", |r| &r.name).to_owned(),
        database: parent.databases.first().map_or("neondb", |d| &d.name).to_owned(),
        defaults: project.default_endpoint_settings.clone(),
    })
}

async fn new_branch(
    app: &Shared,
    id: &str,
    wanted: BranchCreate,
    seed: &Seed,
) -> Result<Branch, ApiError> {
    let role = lifecycle::new_role(app, id, &seed.role).await?;
    let database = lifecycle::new_database(app, id, &seed.database, &role).await?;
    Ok(Branch {
        name: wanted.branch.name.unwrap_or_else(|| id.to_owned()),
        id: id.to_owned(),
        parent_id: Some(seed.parent_id.clone()),
        default: false,
        protected: wanted.branch.protected.unwrap_or(false),
        annotations: wanted.annotation_value,
        created_at: now(),
        updated_at: now(),
        roles: vec![role],
        databases: vec![database],
    })
}

fn created_body(
    settings: &Settings,
    project: &Project,
    branch: &Branch,
    operations: Value,
) -> Value {
    let endpoint = project.main_endpoint(&branch.id);
    let mut body = json!({
        "branch": wire::branch(project, branch),
        "endpoints": endpoint.iter().map(|e| wire::endpoint(project, e)).collect::<Value>(),
        "operations": operations,
        "roles": branch.roles.iter().map(|r| wire::role(branch, r, false)).collect::<Value>(),
        "databases": branch.databases.iter().map(|d| wire::database(branch, d)).collect::<Value>(),
    });
    if let Some(endpoint) = endpoint {
        body["connection_uris"] = json!([wire::connection(
            settings,
            endpoint,
            &branch.roles[0],
            &branch.databases[0].name
        )]);
    }
    body
}

pub(crate) async fn update(
    State(app): State<Shared>,
    Path((id, branch_id)): Path<(String, String)>,
    bytes: Bytes,
) -> Reply {
    let wanted: BranchFields = requests::inside(&bytes, "branch")?;
    requests::length("branch.name", wanted.name.as_deref(), 256)?;
    let mut world = app.world();
    let project = settled(&mut world, &id, now())?;
    if project.branches.iter().any(|b| Some(&b.name) == wanted.name.as_ref() && b.id != branch_id) {
        return Err(ApiError::exists("branch"));
    }
    let branch = project.branch_mut(&branch_id).ok_or_else(|| ApiError::not_found("branch"))?;
    branch.name = wanted.name.unwrap_or_else(|| branch.name.clone());
    branch.protected = wanted.protected.unwrap_or(branch.protected);
    branch.updated_at = now();
    let project = existing(&world, &id)?;
    ok(
        json!({ "branch": wire::branch(project, branch_of(project, &branch_id)?), "operations": [] }),
    )
}

pub(crate) async fn delete(
    State(app): State<Shared>,
    Path((id, branch_id)): Path<(String, String)>,
    Extension(context): Extension<Context>,
) -> Reply {
    let (branch, view) = {
        let mut world = app.world();
        let project = settled(&mut world, &id, now())?;
        let branch = branch_of(project, &branch_id)?;
        if branch.default {
            return Err(ApiError::refused("cannot delete the default branch"));
        }
        if project.branches.iter().any(|b| b.parent_id.as_ref() == Some(&branch_id)) {
            return Err(ApiError::refused("cannot delete branch that has children"));
        }
        if branch.protected {
            return Err(ApiError::refused("cannot delete protected branch"));
        }
        let view = wire::branch(project, branch);
        let branch = branch.clone();
        project.endpoints.iter().filter(|e| e.branch_id == branch_id).for_each(|e| e.close());
        project.endpoints.retain(|e| e.branch_id != branch_id);
        project.branches.retain(|b| b.id != branch_id);
        (branch, view)
    };
    let roles: Vec<_> = branch.roles.iter().map(|r| r.physical.clone()).collect();
    let databases: Vec<_> = branch.databases.iter().map(|d| d.physical.clone()).collect();
    lifecycle::drop_data(&app, &roles, &databases).await?;
    let actions = [("delete_timeline", branch_id.as_str(), None)];
    let made = app.world().operations(&id, now(), &actions, &context.effects.operations);
    ok(json!({ "branch": view, "operations": wire::operations(&made) }))
}
