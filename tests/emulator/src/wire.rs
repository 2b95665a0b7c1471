//! What the world looks like on the wire: one function per schema of the API, fields in the order of the recorded
//! replies. In: state. Out: JSON. The contract tests hold every one of these against Neon's OpenAPI file.

use serde_json::{Map, Value, json};

use crate::world::{Branch, Database, Endpoint, Millis, Operation, Project, Role, Settings};

const NEVER: &str = "0001-01-01T00:00:00Z";

/// RFC 3339 in seconds, as Neon writes times.
pub(crate) fn time(at: Millis) -> String {
    stamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3339 in milliseconds, for the control routes.
pub(crate) fn time_millis(at: Millis) -> String {
    stamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn stamp(at: Millis) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::MAX)
}

fn region(project: &Project) -> &str {
    project.region_id.trim_start_matches("aws-").trim_start_matches("azure-")
}

fn proxy_host(project: &Project) -> String {
    format!("{}.{}.neon.tech", region(project), platform(project))
}

fn platform(project: &Project) -> &str {
    if project.region_id.starts_with("azure-") { "azure" } else { "aws" }
}

fn project_base(project: &Project) -> Map<String, Value> {
    let value = json!({
        "id": project.id,
        "platform_id": platform(project),
        "region_id": project.region_id,
        "name": project.name,
        "provisioner": project.provisioner,
        "default_endpoint_settings": project.default_endpoint_settings,
        "settings": project.settings,
        "pg_version": project.pg_version,
        "proxy_host": proxy_host(project),
        "branch_logical_size_limit": 512,
        "branch_logical_size_limit_bytes": 536_870_912,
        "store_passwords": project.store_passwords,
        "cpu_used_sec": 0,
        "creation_source": "console",
        "history_retention_seconds": project.history_retention_seconds,
        "created_at": time(project.created_at),
        "updated_at": time(project.updated_at),
        "owner_id": project.org_id.as_deref().unwrap_or("92cdd2ee-a6d8-4647-868f-124531123b03"),
    });
    let mut map = object(value);
    if let Some(org) = &project.org_id {
        map.insert("org_id".into(), json!(org));
    }
    if let Some(at) = project.endpoints.iter().filter_map(|e| e.last_active).max() {
        map.insert("compute_last_active_at".into(), json!(time(at)));
    }
    if let Some(at) = project.deleted_at {
        map.insert("deleted_at".into(), json!(time(at)));
        if project.recoverable {
            map.insert("recoverable_until".into(), json!(time(at + 7 * 86_400_000)));
        }
    }
    map
}

/// A project in a reply of its own. Only a plain read has the real period and the owner.
pub(crate) fn project(project: &Project, read: bool) -> Value {
    let mut map = project_base(project);
    map.extend(object(json!({
        "data_storage_bytes_hour": 0,
        "data_transfer_bytes": 0,
        "written_data_bytes": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "consumption_period_start": NEVER,
        "consumption_period_end": NEVER,
    })));
    if read {
        let start = stamp(crate::app::now()).strftime("%Y-%m-01T00:00:00Z").to_string();
        map.insert("consumption_period_start".into(), json!(start));
        map.insert("consumption_period_end".into(), json!(time(crate::app::now() + 86_400_000)));
        let owner = json!({ "email": "owner@example.com", "name": "Owner", "branches_limit": 10, "subscription_type": "free_v2" });
        map.insert("owner".into(), owner);
    }
    Value::Object(map)
}

/// A project in a list.
pub(crate) fn project_item(project: &Project) -> Value {
    let mut map = project_base(project);
    map.insert("active_time".into(), json!(0));
    Value::Object(map)
}

pub(crate) fn branch(project: &Project, branch: &Branch) -> Value {
    let ready = project
        .endpoints
        .iter()
        .all(|e| e.branch_id != branch.id || e.state != crate::world::Compute::Init);
    let mut map = object(json!({
        "id": branch.id,
        "project_id": project.id,
        "name": branch.name,
        "current_state": if ready { "ready" } else { "init" },
        "state_changed_at": time(branch.created_at),
        "creation_source": "console",
        "primary": branch.default,
        "default": branch.default,
        "protected": branch.protected,
        "cpu_used_sec": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "written_data_bytes": 0,
        "data_transfer_bytes": 0,
        "created_at": time(branch.created_at),
        "updated_at": time(branch.updated_at),
        "init_source": "parent-data",
    }));
    if !ready {
        map.insert("pending_state".into(), json!("ready"));
    }
    if let Some(parent) = &branch.parent_id {
        map.insert("parent_id".into(), json!(parent));
    }
    Value::Object(map)
}

pub(crate) fn annotation(branch: &Branch) -> Value {
    json!({
        "object": { "type": "console/branch", "id": branch.id },
        "value": branch.annotations,
        "created_at": time(branch.created_at),
        "updated_at": time(branch.created_at),
    })
}

pub(crate) fn endpoint(project: &Project, endpoint: &Endpoint) -> Value {
    let mut map = object(json!({
        "host": endpoint.host(false),
        "id": endpoint.id,
        "project_id": project.id,
        "branch_id": endpoint.branch_id,
        "autoscaling_limit_min_cu": endpoint.min_cu,
        "autoscaling_limit_max_cu": endpoint.max_cu,
        "region_id": project.region_id,
        "type": endpoint.kind,
        "current_state": endpoint.state.as_str(),
        "settings": endpoint.settings,
        "pooler_enabled": false,
        "pooler_mode": "transaction",
        "disabled": endpoint.disabled,
        "passwordless_access": endpoint.passwordless_access,
        "creation_source": "console",
        "created_at": time(endpoint.created_at),
        "updated_at": time(endpoint.updated_at),
        "started_at": time(endpoint.started_at),
        "proxy_host": proxy_host(project),
        "suspend_timeout_seconds": endpoint.suspend_timeout_seconds,
        "provisioner": project.provisioner,
    }));
    if let Some((pending, _)) = endpoint.pending {
        map.insert("pending_state".into(), json!(pending.as_str()));
    }
    for (key, at) in
        [("last_active", endpoint.last_active), ("suspended_at", endpoint.suspended_at)]
    {
        if let Some(at) = at {
            map.insert(key.into(), json!(time(at)));
        }
    }
    if let Some(name) = &endpoint.name {
        map.insert("name".into(), json!(name));
    }
    Value::Object(map)
}

/// A role; its password only in the reply that made it.
pub(crate) fn role(branch: &Branch, role: &Role, with_password: bool) -> Value {
    let mut map = object(json!({
        "branch_id": branch.id,
        "name": role.name,
        "protected": false,
        "created_at": time(role.created_at),
        "updated_at": time(role.updated_at),
    }));
    if with_password {
        map.insert("password".into(), json!(role.password));
    }
    Value::Object(map)
}

pub(crate) fn database(branch: &Branch, database: &Database) -> Value {
    json!({
        "id": database.id,
        "branch_id": branch.id,
        "name": database.name,
        "owner_name": database.owner_name,
        "created_at": time(database.created_at),
        "updated_at": time(database.updated_at),
    })
}

/// An operation: `now` for a read, none in the reply of the call that made it.
pub(crate) fn operation(operation: &Operation, now: Option<Millis>) -> Value {
    let status = now.map_or(operation.first_status(), |now| operation.status(now));
    let updated =
        now.map_or(operation.created_at, |now| now.min(operation.end).max(operation.created_at));
    let mut map = object(json!({
        "id": operation.id,
        "project_id": operation.project_id,
        "action": operation.action,
        "status": status,
        "failures_count": u8::from(operation.failed() && updated >= operation.end),
        "created_at": time(operation.created_at),
        "updated_at": time(updated),
        "total_duration_ms": (updated - operation.created_at).clamp(0, i64::from(i32::MAX)),
    }));
    for (key, value) in
        [("branch_id", &operation.branch_id), ("endpoint_id", &operation.endpoint_id)]
    {
        if let Some(value) = value {
            map.insert(key.into(), json!(value));
        }
    }
    if let (Some(error), "failed" | "error" | "cancelled") = (&operation.error, status) {
        map.insert("error".into(), json!(error));
    }
    Value::Object(map)
}

pub(crate) fn operations(made: &[Operation]) -> Value {
    made.iter().map(|o| operation(o, None)).collect()
}

/// A connection URI as the API composes it. The port in the host is this emulator's declared deviation.
pub(crate) fn uri(
    settings: &Settings,
    endpoint: &Endpoint,
    role: &Role,
    database: &str,
    pooled: bool,
) -> String {
    let (user, host, password) = (encoded(&role.name), endpoint.host(pooled), &role.password);
    let more = if settings.channel_binding { "&channel_binding=require" } else { "" };
    format!("postgresql://{user}:{password}@{host}/{}?sslmode=require{more}", encoded(database))
}

pub(crate) fn connection(
    settings: &Settings,
    endpoint: &Endpoint,
    role: &Role,
    database: &str,
) -> Value {
    json!({
        "connection_uri": uri(settings, endpoint, role, database, false),
        "connection_parameters": {
            "database": database,
            "password": role.password,
            "role": role.name,
            "host": endpoint.host(false),
            "pooler_host": endpoint.host(true),
        },
    })
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                (b as char).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
