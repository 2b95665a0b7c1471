//! Fields of the schema as table rows, and its rules as a list.
//!
//! In: a schema as JSON, as the API server reads it. Out: Markdown. It must not know any field by name, but for the conditions,
//! whose parts are Kubernetes' own.

use serde_json::Value;

use super::cell;

/// A row for each field under `schema`, nested ones with their path.
pub(super) fn table(schema: &Value, root: &str) -> String {
    let mut rows = String::new();
    collect(schema, "", &mut rows);
    format!(
        "| field of `{root}` | type | default | limits | meaning |\n|---|---|---|---|---|\n{rows}"
    )
}

fn collect(schema: &Value, prefix: &str, rows: &mut String) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let default = match &field["default"] {
            // Shown by the fields in it.
            Value::Null | Value::Object(_) => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            value => format!("`{value}`"),
        };
        let description = field["description"].as_str().unwrap_or_default();
        rows.push_str(&format!(
            "| `{path}` | {} | {default} | {} | {} |\n",
            type_of(field),
            cell(&limits(field)),
            cell(description)
        ));
        collect(field, &format!("{path}."), rows);
    }
}

fn type_of(field: &Value) -> String {
    let name = field["type"].as_str().unwrap_or("any");
    match (name, field["format"].as_str()) {
        ("object", _) if field["additionalProperties"].is_object() => "map of strings".to_owned(),
        ("array", _) => "list".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// What the schema itself allows; rules over several fields are listed apart.
fn limits(field: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(values) = field["enum"].as_array() {
        let names: Vec<String> =
            values.iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
        parts.push(names.join(" or "));
    }
    if let (Some(least), Some(most)) = (field["minimum"].as_f64(), field["maximum"].as_f64()) {
        parts.push(format!("{least} to {most}"));
    }
    if let Some(most) = field["maxLength"].as_u64() {
        parts.push(format!("{} to {most} characters", field["minLength"].as_u64().unwrap_or(0)));
    }
    if let Some(most) = field["maxProperties"].as_u64() {
        parts.push(format!("at most {most}"));
    }
    if let Some(pattern) = field["pattern"].as_str() {
        parts.push(format!("`{pattern}`"));
    }
    if rules_of(field).any(|(rule, _)| rule == "self == oldSelf") {
        parts.push("**cannot be changed**".to_owned());
    }
    parts.join(", ")
}

fn rules_of(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    all.map(|rule| {
        (rule["rule"].as_str().unwrap_or_default(), rule["message"].as_str().unwrap_or_default())
    })
}

/// The message of every rule, with the field that it stands on.
pub(super) fn rules(schema: &Value, path: &str) -> String {
    let place = if path.is_empty() { "metadata" } else { path };
    let own = rules_of(schema).map(|(_, message)| format!("- `{place}`: {message}\n"));
    let mut lines: String = own.collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        lines.push_str(&rules(field, &below));
    }
    lines
}
