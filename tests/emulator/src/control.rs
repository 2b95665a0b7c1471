//! `/_emulator`: what tests ask and command, beneath no key. In: JSON. Out: the ledger, calls, connections, fault rules,
//! settings, and acts done "out of band", as if someone else did them in Neon's console.

mod acts;
mod crowd;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, response::IntoResponse as _, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::Shared;
use crate::faults::{Active, Rule};
use crate::requests::QueryMap;
use crate::wire::time_millis;
use crate::world::SettingsPatch;

/// What a control route gives back.
type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn problem(status: StatusCode, text: impl std::fmt::Display) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": text.to_string() })))
}

pub(crate) fn router(app: &Shared) -> Router {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/requests", get(requests))
        .route("/connections", get(connections))
        .route("/faults", get(faults).post(add_fault).delete(delete_faults))
        .route("/faults/{id}", get(fault).delete(delete_fault))
        .route("/faults/{id}/release", post(release_fault))
        .route("/keys", post(set_key))
        .route("/secrets", get(secrets))
        .route("/crowd", post(crowd::crowd))
        .route("/clock/settings", get(settings).post(change_settings))
        .merge(acts::router())
        .with_state(app.clone())
}

fn since(query: &QueryMap) -> u64 {
    query.get("since").and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Every commit, and the projects that stand now, so that orphans and duplicates can be counted.
async fn ledger(State(app): State<Shared>, Query(query): Query<QueryMap>) -> Json<Value> {
    let world = app.world();
    let standing = world.projects.values().filter(|p| p.deleted_at.is_none());
    let standing: Value = standing.map(|p| json!({ "project_id": p.id, "name": p.name })).collect();
    Json(json!({ "entries": app.ledger.entries(since(&query)), "standing": standing }))
}

async fn requests(State(app): State<Shared>, Query(query): Query<QueryMap>) -> Json<Value> {
    Json(json!({ "requests": app.ledger.calls(since(&query)) }))
}

async fn connections(State(app): State<Shared>) -> Json<Value> {
    let world = app.world();
    let endpoints: Value = world
        .projects
        .values()
        .flat_map(|p| p.endpoints.iter().map(move |e| (p, e)))
        .map(|(p, e)| {
            json!({
                "project_id": p.id,
                "project_name": p.name,
                "deleted": p.deleted_at.is_some(),
                "endpoint_id": e.id,
                "state": e.state.as_str(),
                "pending_state": e.pending.map(|(state, _)| state.as_str()),
                "connections_ever": e.connections_ever,
                "connections_open": e.connections_open,
                "wakes": e.wakes,
                "last_active": e.last_active.map(time_millis),
                "suspended_at": e.suspended_at.map(time_millis),
                "host": e.host(false),
                "pooler_host": e.host(true),
            })
        })
        .collect();
    Json(json!({ "endpoints": endpoints }))
}

async fn faults(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "faults": app.faults.all().iter().map(|rule| rule.json()).collect::<Value>() }))
}

async fn add_fault(State(app): State<Shared>, Json(form): Json<Value>) -> Response {
    match Rule::parse(form) {
        Ok(rule) => (StatusCode::CREATED, Json(app.faults.add(rule).json())).into_response(),
        Err(error) => problem(StatusCode::BAD_REQUEST, error).into_response(),
    }
}

fn shown(rule: Option<std::sync::Arc<Active>>) -> Answer {
    let rule = rule.ok_or_else(|| problem(StatusCode::NOT_FOUND, "no such fault"))?;
    Ok(Json(rule.json()))
}

async fn fault(State(app): State<Shared>, Path(id): Path<u64>) -> Answer {
    shown(app.faults.get(id))
}

async fn release_fault(State(app): State<Shared>, Path(id): Path<u64>) -> Answer {
    shown(app.faults.release(id))
}

async fn delete_fault(State(app): State<Shared>, Path(id): Path<u64>) -> Answer {
    shown(app.faults.delete(id))
}

async fn delete_faults(State(app): State<Shared>) -> Json<Value> {
    let gone: Value =
        app.faults.all().iter().filter_map(|r| app.faults.delete(r.id)).map(|r| r.json()).collect();
    Json(json!({ "faults": gone }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
    good: bool,
}

/// Makes an API key beside the first, or revokes one.
async fn set_key(State(app): State<Shared>, Json(Key { key, good }): Json<Key>) -> Json<Value> {
    app.secrets.set_key(&key, good);
    Json(json!({ "good": good }))
}

/// What nobody may find in a log.
async fn secrets(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "secrets": app.secrets.ever() }))
}

async fn settings(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "settings": app.world().settings }))
}

async fn change_settings(State(app): State<Shared>, Json(form): Json<Value>) -> Answer {
    let patch: SettingsPatch =
        serde_json::from_value(form).map_err(|error| problem(StatusCode::BAD_REQUEST, error))?;
    let mut world = app.world();
    world.settings.patch(patch);
    Ok(Json(json!({ "settings": world.settings })))
}
