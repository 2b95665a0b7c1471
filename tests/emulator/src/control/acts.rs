//! Acts done out of band: on a project (delete, recover, purge, rename, protect, reset a password, how "gone" looks), on
//! an endpoint (suspend, start, refuse, accept, cut, disable, enable, move to other ports), on an operation. In: ids and
//! small JSON bodies. Out: what stands afterwards. The ledger notes them without a request id, or as `out-of-band`.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, problem};
use crate::api::{lifecycle, set_new_password};
use crate::app::{Shared, now};
use crate::gate::{Context, Effects};
use crate::reply::ApiError;
use crate::requests::ProjectCreate;
use crate::world::{Compute, Gone, Operation, Outcome, World};
use crate::{proxy, wire};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/projects", get(projects).post(create))
        .route("/projects/{id}/{act}", post(on_project))
        .route("/endpoints/{id}/{act}", post(on_endpoint))
        .route("/operations/{id}", post(on_operation))
}

impl From<ApiError> for (StatusCode, Json<Value>) {
    fn from(error: ApiError) -> Self {
        problem(error.status, error.message)
    }
}

fn missing(what: &str) -> (StatusCode, Json<Value>) {
    problem(StatusCode::NOT_FOUND, format!("no such {what}"))
}

/// All projects, deleted ones too, with the names that they have in Postgres.
async fn projects(State(app): State<Shared>) -> Json<Value> {
    let world = app.world();
    let shown: Value = world.projects.keys().filter_map(|id| project(&world, id)).collect();
    Json(json!({ "projects": shown }))
}

fn project(world: &World, id: &str) -> Option<Value> {
    let project = world.projects.get(id)?;
    let branches: Value = project
        .branches
        .iter()
        .map(|b| {
            let roles: Value =
                b.roles.iter().map(|r| json!({ "name": r.name, "physical": r.physical })).collect();
            let databases: Value = b
                .databases
                .iter()
                .map(|d| json!({ "name": d.name, "physical": d.physical }))
                .collect();
            json!({ "id": b.id, "protected": b.protected, "roles": roles, "databases": databases })
        })
        .collect();
    Some(json!({
        "project": wire::project(project, true),
        "recoverable": project.recoverable,
        "branches": branches,
        "endpoints": project.endpoints.iter().map(|e| wire::endpoint(project, e)).collect::<Value>(),
    }))
}

/// A project that someone else made: the body is what `POST /projects` takes inside `project`.
async fn create(State(app): State<Shared>, Json(form): Json<Value>) -> Answer {
    let wanted: ProjectCreate =
        serde_json::from_value(form).map_err(|e| problem(StatusCode::BAD_REQUEST, e))?;
    let context = Context { request_id: "out-of-band".to_owned(), effects: Effects::default() };
    let id = lifecycle::create_project(&app, wanted, &context).await?;
    project(&app.world(), &id).map(Json).ok_or_else(|| missing("project"))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnProject {
    name: Option<String>,
    branch: Option<String>,
    role: Option<String>,
    protected: Option<bool>,
    gone: Option<Gone>,
    soft_delete: Option<bool>,
    store_passwords: Option<bool>,
}

async fn on_project(
    State(app): State<Shared>,
    Path((id, act)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Answer {
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let form: OnProject =
        serde_json::from_slice(text).map_err(|e| problem(StatusCode::BAD_REQUEST, e))?;
    {
        let mut world = app.world();
        let project = world.projects.get_mut(&id).ok_or_else(|| missing("project"))?;
        project.gone = form.gone.or(project.gone);
        project.soft_delete = form.soft_delete.or(project.soft_delete);
        project.store_passwords = form.store_passwords.unwrap_or(project.store_passwords);
    }
    match act.as_str() {
        "delete" => lifecycle::delete_project(&app, &id, None).await?,
        "recover" => lifecycle::recover_project(&app, &id, None).await?,
        "purge" => lifecycle::purge_project(&app, &id).await?,
        "gone" | "set" => {}
        "rename" => rename(&app, &id, form.name)?,
        "protect" => protect(&app, &id, form.branch.as_deref(), form.protected.unwrap_or(true))?,
        "reset_password" => {
            let (branch, role) = default_role(&app, &id, form.branch, form.role)?;
            set_new_password(&app, (&id, &branch, &role), None).await?;
        }
        _ => return Err(missing("act on a project")),
    }
    project(&app.world(), &id).map(Json).ok_or_else(|| missing("project"))
}

fn rename(app: &Shared, id: &str, name: Option<String>) -> Result<(), (StatusCode, Json<Value>)> {
    let name = name.ok_or_else(|| problem(StatusCode::BAD_REQUEST, "name is missing"))?;
    let mut world = app.world();
    let project = world.live_mut(id).ok_or_else(|| missing("project"))?;
    (project.name, project.updated_at) = (name, now());
    app.ledger.commit("rename", (id, &project.name), None);
    Ok(())
}

fn protect(
    app: &Shared,
    id: &str,
    branch: Option<&str>,
    on: bool,
) -> Result<(), (StatusCode, Json<Value>)> {
    let mut world = app.world();
    let project = world.live_mut(id).ok_or_else(|| missing("project"))?;
    let id = branch.unwrap_or(&project.default_branch().id).to_owned();
    project.branch_mut(&id).ok_or_else(|| missing("branch"))?.protected = on;
    Ok(())
}

fn default_role(
    app: &Shared,
    id: &str,
    branch: Option<String>,
    role: Option<String>,
) -> Result<(String, String), (StatusCode, Json<Value>)> {
    let world = app.world();
    let project = world.live(id).ok_or_else(|| missing("project"))?;
    let branch = project.branch(branch.as_deref().unwrap_or(&project.default_branch().id));
    let branch = branch.ok_or_else(|| missing("branch"))?;
    let first = || branch.roles.first().map(|r| r.name.clone());
    Ok((branch.id.clone(), role.or_else(first).ok_or_else(|| missing("role"))?))
}

async fn on_endpoint(State(app): State<Shared>, Path((id, act)): Path<(String, String)>) -> Answer {
    let owner = |world: &World| {
        world.projects.values().find(|p| p.endpoint(&id).is_some()).map(|p| p.id.clone())
    };
    let mut world = app.world();
    let owner = owner(&world).ok_or_else(|| missing("endpoint"))?;
    let project = world.projects.get_mut(&owner).ok_or_else(|| missing("project"))?;
    let endpoint = project.endpoint_mut(&id).ok_or_else(|| missing("endpoint"))?;
    match act.as_str() {
        "suspend" => endpoint.change(Compute::Idle, now()),
        "start" => endpoint.change(Compute::Active, now()),
        "refuse" => endpoint.door.send_modify(|door| door.listening = false),
        "accept" => endpoint.door.send_modify(|door| door.listening = true),
        "cut" => endpoint.cut(),
        "disable" => {
            endpoint.disabled = true;
            endpoint.change(Compute::Idle, now());
        }
        "enable" => endpoint.disabled = false,
        "rehost" => {
            let doors = proxy::bind(app.args.listen.ip())
                .map_err(|e| problem(StatusCode::INTERNAL_SERVER_ERROR, e))?;
            endpoint.close();
            endpoint.door = tokio::sync::watch::Sender::new(crate::world::Door::open());
            endpoint.ports = doors.ports;
            doors.open(&app, &owner, endpoint);
        }
        _ => return Err(missing("act on an endpoint")),
    }
    world.tick(now());
    let project = world.projects.get(&owner).ok_or_else(|| missing("project"))?;
    let endpoint = project.endpoint(&id).ok_or_else(|| missing("endpoint"))?;
    Ok(Json(json!({ "endpoint": wire::endpoint(project, endpoint) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnOperation {
    outcome: Outcome,
}

/// Ends an operation that a fault made stuck (or makes it so).
async fn on_operation(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Json(form): Json<OnOperation>,
) -> Answer {
    let mut world = app.world();
    let now = now();
    let found = |o: &&mut Operation| o.id == id;
    let project = world.projects.values_mut().find(|p| p.operations.iter().any(|o| o.id == id));
    let project = project.ok_or_else(|| missing("operation"))?;
    let endpoint = {
        let operation =
            project.operations.iter_mut().find(found).ok_or_else(|| missing("operation"))?;
        (operation.outcome, operation.forced_status) = (form.outcome, None);
        (operation.start, operation.end) = (operation.start.min(now), now);
        operation.endpoint_id.clone()
    };
    if let Some(endpoint) = endpoint.and_then(|id| project.endpoint_mut(&id))
        && let Some(pending) = &mut endpoint.pending
    {
        pending.1 = if form.outcome == Outcome::Finished { now } else { i64::MAX };
    }
    let operation =
        project.operations.iter().find(|o| o.id == id).ok_or_else(|| missing("operation"))?;
    Ok(Json(json!({ "operation": wire::operation(operation, Some(now)) })))
}
