//! Request bodies and query values, with Neon's ranges. In: bytes or query strings. Out: typed values, or the 400 that
//! Neon gives. It changes nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::reply::ApiError;

/// `POST /projects`, inside `project`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ProjectCreate {
    pub(crate) name: Option<String>,
    pub(crate) region_id: Option<String>,
    pub(crate) pg_version: Option<i64>,
    pub(crate) provisioner: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) store_passwords: Option<bool>,
    pub(crate) history_retention_seconds: Option<i64>,
    #[serde(default)]
    pub(crate) branch: NewBranch,
    pub(crate) default_endpoint_settings: Option<Map<String, Value>>,
    pub(crate) autoscaling_limit_min_cu: Option<f64>,
    pub(crate) autoscaling_limit_max_cu: Option<f64>,
    pub(crate) settings: Option<Map<String, Value>>,
}

/// The default branch of a new project.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NewBranch {
    pub(crate) name: Option<String>,
    pub(crate) role_name: Option<String>,
    pub(crate) database_name: Option<String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// `PATCH /projects/{id}`, inside `project`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ProjectUpdate {
    pub(crate) name: Option<String>,
    pub(crate) settings: Option<Map<String, Value>>,
    pub(crate) default_endpoint_settings: Option<Map<String, Value>>,
    pub(crate) history_retention_seconds: Option<i64>,
}

/// `POST …/branches`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BranchCreate {
    #[serde(default)]
    pub(crate) branch: BranchFields,
    #[serde(default)]
    pub(crate) endpoints: Vec<EndpointFields>,
    #[serde(default)]
    pub(crate) annotation_value: BTreeMap<String, String>,
}

/// Fields of a branch in create and update.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BranchFields {
    pub(crate) name: Option<String>,
    pub(crate) parent_id: Option<String>,
    pub(crate) protected: Option<bool>,
}

/// Fields of an endpoint in create and update.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EndpointFields {
    pub(crate) branch_id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) autoscaling_limit_min_cu: Option<f64>,
    pub(crate) autoscaling_limit_max_cu: Option<f64>,
    pub(crate) suspend_timeout_seconds: Option<i64>,
    pub(crate) settings: Option<Map<String, Value>>,
    pub(crate) disabled: Option<bool>,
    pub(crate) passwordless_access: Option<bool>,
}

/// `POST …/databases` and its update, inside `database`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DatabaseFields {
    pub(crate) name: Option<String>,
    pub(crate) owner_name: Option<String>,
}

/// `POST …/roles`, inside `role`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RoleFields {
    pub(crate) name: Option<String>,
}

/// Decodes a whole body.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(ApiError::body)
}

/// Decodes what a body holds under its one required key.
pub(crate) fn inside<T: DeserializeOwned>(bytes: &[u8], key: &str) -> Result<T, ApiError> {
    let mut map: Map<String, Value> = body(bytes)?;
    let value = map.remove(key).ok_or_else(|| ApiError::body(format!("{key} (field required)")))?;
    serde_json::from_value(value).map_err(|error| ApiError::body(format!("{key} ({error})")))
}

/// Refuses a value outside of Neon's range.
pub(crate) fn range(name: &str, value: Option<i64>, from: i64, to: i64) -> Result<(), ApiError> {
    match value {
        Some(value) if value < from => {
            Err(ApiError::body(format!("{name} (value {value} less than {from})")))
        }
        Some(value) if value > to => {
            Err(ApiError::body(format!("{name} (value {value} greater than {to})")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn length(name: &str, value: Option<&str>, to: usize) -> Result<(), ApiError> {
    match value.map(|v| v.chars().count()) {
        Some(0) => Err(ApiError::body(format!("{name} (len 0 less than minimum 1)"))),
        Some(n) if n > to => {
            Err(ApiError::body(format!("{name} (len {n} greater than maximum {to})")))
        }
        _ => Ok(()),
    }
}

/// Names of roles and databases: what Postgres takes.
pub(crate) fn identifier(name: &str, value: Option<&str>) -> Result<(), ApiError> {
    match value {
        Some(v) if v.is_empty() || v.len() > 63 || v.contains('\0') => {
            Err(ApiError::refused(format!("invalid {name}: must have 1 to 63 bytes")))
        }
        _ => Ok(()),
    }
}

/// Compute sizes: each at least 0.25, and min <= max.
pub(crate) fn compute(min: Option<f64>, max: Option<f64>) -> Result<(), ApiError> {
    for (name, value) in [("autoscaling_limit_min_cu", min), ("autoscaling_limit_max_cu", max)] {
        if value.is_some_and(|v| v < 0.25) {
            return Err(ApiError::body(format!("{name} (value less than 0.25)")));
        }
    }
    match (min, max) {
        (Some(min), Some(max)) if min > max => Err(ApiError::refused(
            "autoscaling_limit_min_cu must not exceed autoscaling_limit_max_cu",
        )),
        (_, Some(max)) if max > 56.0 => {
            Err(ApiError::refused("autoscaling_limit_max_cu exceeds the plan's limit"))
        }
        _ => Ok(()),
    }
}

/// -1 never, 0 default, else a minute to a week.
pub(crate) fn suspend_timeout(value: Option<i64>) -> Result<(), ApiError> {
    range("suspend_timeout_seconds", value, -1, 604_800)?;
    match value {
        Some(1..60) => Err(ApiError::refused("suspend_timeout_seconds must be at least 60")),
        _ => Ok(()),
    }
}

/// The same rules for a `default_endpoint_settings` object.
pub(crate) fn endpoint_settings(map: &Map<String, Value>) -> Result<(), ApiError> {
    for key in ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu"] {
        if map.get(key).is_some_and(|v| !v.is_number()) {
            return Err(ApiError::body(format!(
                "default_endpoint_settings.{key} (number expected)"
            )));
        }
    }
    if map.get("suspend_timeout_seconds").is_some_and(|v| !v.is_i64()) {
        return Err(ApiError::body(
            "default_endpoint_settings.suspend_timeout_seconds (integer expected)",
        ));
    }
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    compute(number("autoscaling_limit_min_cu"), number("autoscaling_limit_max_cu"))?;
    suspend_timeout(map.get("suspend_timeout_seconds").and_then(Value::as_i64))
}

/// Query values of one call.
pub(crate) type QueryMap = BTreeMap<String, String>;

/// Go's idea of a boolean: Neon accepts `True` from Python.
pub(crate) fn flag(query: &QueryMap, name: &str) -> Result<bool, ApiError> {
    match query.get(name).map(String::as_str) {
        None | Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some(other) => Err(ApiError::invalid(format!("query: {name}: invalid boolean {other:?}"))),
    }
}

pub(crate) fn number(
    query: &QueryMap,
    name: &str,
    default: i64,
    range: (i64, i64),
) -> Result<i64, ApiError> {
    let Some(text) = query.get(name) else {
        return Ok(default);
    };
    match text.parse::<i64>() {
        Ok(value) if value >= range.0 && value <= range.1 => Ok(value),
        _ => Err(ApiError::invalid(format!(
            "query: {name}: {text:?} is not within {} and {}",
            range.0, range.1
        ))),
    }
}

pub(crate) fn required<'a>(query: &'a QueryMap, name: &str) -> Result<&'a str, ApiError> {
    let missing = || ApiError::invalid(format!("query: {name} (field required)"));
    query.get(name).map(String::as_str).filter(|v| !v.is_empty()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_project_reads_like_the_recorded_reply() {
        let error = inside::<ProjectCreate>(b"{}", "project").unwrap_err();
        assert_eq!(
            error.message,
            "invalid request: decode application/json: invalid: project (field required)"
        );
    }

    #[test]
    fn booleans_are_gos() {
        let query = |v: &str| QueryMap::from([("pooled".to_owned(), v.to_owned())]);
        assert!(flag(&query("True"), "pooled").unwrap() && flag(&query("1"), "pooled").unwrap());
        assert!(!flag(&query("F"), "pooled").unwrap() && flag(&query("yes"), "pooled").is_err());
    }

    #[test]
    fn neons_ranges_hold() {
        assert!(suspend_timeout(Some(-1)).is_ok() && suspend_timeout(Some(604_800)).is_ok());
        for bad in [-2, 1, 59, 604_801] {
            assert!(suspend_timeout(Some(bad)).is_err(), "{bad}");
        }
        assert!(compute(Some(0.25), Some(2.0)).is_ok());
        assert!(compute(Some(0.1), None).is_err() && compute(Some(2.0), Some(1.0)).is_err());
        assert!(
            length("name", Some(&"x".repeat(257)), 256).is_err()
                && length("name", Some(""), 256).is_err()
        );
    }
}
