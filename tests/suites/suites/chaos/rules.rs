//! What faults look like. In: which calls, when, what happens to them. Out: rules in the emulator's JSON form; they are
//! scoped to one project only when a `Case` posts them.

use serde_json::{Value, json};

/// Paths, beneath the API's root.
pub(super) const LIST: &str = "^/projects$";
pub(super) const PROJECT: &str = "^/projects/[^/]+$";
pub(super) const OPERATIONS: &str = "^/projects/[^/]+/operations$";
pub(super) const ENDPOINT: &str = "^/projects/[^/]+/endpoints/[^/]+$";
pub(super) const URI: &str = "^/projects/[^/]+/connection_uri$";

/// Phases.
pub(super) const BEFORE: &str = "before_commit";
pub(super) const AFTER: &str = "after_commit";

/// A rule about calls of one method to one path.
pub(super) fn rule(method: &str, path: &str, phase: &str, action: Value) -> Value {
    json!({ "method": method, "path": path, "phase": phase, "action": action })
}

/// The same, for the first `count` of them only.
pub(super) fn first(count: u64, mut rule: Value) -> Value {
    rule["count"] = json!(count);
    rule
}

/// Holds them until released.
pub(super) fn hold(method: &str, path: &str, phase: &str) -> Value {
    rule(method, path, phase, json!({ "type": "hold" }))
}

/// Only counts them, with the time of each.
pub(super) fn count(method: &str, path: &str) -> Value {
    rule(method, path, "before_auth", json!({ "type": "delay", "millis": 0 }))
}

/// An answer in Neon's form.
pub(super) fn answer(status: u16) -> Value {
    json!({ "type": "reply", "status": status })
}

/// An answer with Neon's code and message.
pub(super) fn says(status: u16, code: &str, message: &str) -> Value {
    json!({ "type": "reply", "status": status, "body": { "code": code, "message": message } })
}

/// An answer with a header.
pub(super) fn with_header(status: u16, name: &str, value: &str) -> Value {
    json!({ "type": "reply", "status": status, "headers": { name: value } })
}

/// What a gateway shows when the server behind it takes too long.
pub(super) fn html(status: u16) -> Value {
    let page = format!("<!DOCTYPE html><html><title>{status}: A timeout occurred</title></html>");
    json!({ "type": "reply", "status": status, "body": page })
}

/// A rule about connections to the tenant's database, straight to the compute.
pub(super) fn direct(action: Value) -> Value {
    rule("DIRECT", "", "in_connection", action)
}

/// A rule about the operations that the creation of the project begins.
pub(super) fn creation_operations(mut fault: Value) -> Value {
    fault["type"] = json!("operation");
    rule("POST", LIST, "in_operation", fault)
}
