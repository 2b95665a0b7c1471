//! Operations: list (newest first, cursor = a time) and get. In: project and operation ids. Out: replies; reads only.

use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::existing;
use crate::app::{Shared, now};
use crate::reply::{ApiError, Reply, ok};
use crate::requests::{QueryMap, number};
use crate::wire;

pub(crate) async fn list(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<QueryMap>,
) -> Reply {
    let limit = number(&query, "limit", 100, (1, 1000))?;
    let before = match query.get("cursor").filter(|c| !c.is_empty()) {
        None => u64::MAX,
        Some(text) => {
            sequence(text).ok_or_else(|| ApiError::invalid("query: cursor: not a cursor"))?
        }
    };
    let world = app.world();
    let newest = existing(&world, &id)?.operations.iter().rev().filter(|o| o.sequence < before);
    let page: Vec<_> = newest.take(usize::try_from(limit).unwrap_or(100)).collect();
    let items: Value = page.iter().map(|o| wire::operation(o, Some(now()))).collect();
    let mut body = json!({ "operations": items });
    if let Some(last) = page.last() {
        body["pagination"] = json!({ "cursor": cursor(last.created_at, last.sequence) });
    }
    ok(body)
}

/// A time as on Neon; the fraction tells operations of one second apart.
fn cursor(created_at: i64, sequence: u64) -> String {
    wire::time(created_at).replace('Z', &format!(".{sequence:09}Z"))
}

fn sequence(cursor: &str) -> Option<u64> {
    cursor.strip_suffix('Z')?.split_once('.')?.1.parse().ok()
}

pub(crate) async fn get(
    State(app): State<Shared>,
    Path((id, operation)): Path<(String, String)>,
) -> Reply {
    if uuid::Uuid::parse_str(&operation).is_err() {
        return Err(ApiError::invalid("path: operation_id: invalid UUID"));
    }
    let world = app.world();
    let found = existing(&world, &id)?.operations.iter().find(|o| o.id == operation);
    let found = found.ok_or_else(|| ApiError::not_found("operation"))?;
    ok(json!({ "operation": wire::operation(found, Some(now())) }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cursor_is_a_time_and_finds_its_place_again() {
        let cursor = super::cursor(1_737_061_322_000, 42);
        assert_eq!(cursor, "2025-01-16T21:02:02.000000042Z");
        assert_eq!(super::sequence(&cursor), Some(42));
        assert_eq!(super::sequence("yesterday"), None);
    }
}
