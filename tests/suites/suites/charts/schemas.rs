//! JSON schemas for kubeconform out of the API server's own description.
//!
//! In: what `/openapi/v2` says. Out: a file for each kind, with all that it refers to, in which what is not described is not allowed.
//! The server itself would drop such a field with a warning only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Writes `<kind>-<group>-<version>.json` (as kubeconform's `{{ .ResourceKind }}{{ .KindSuffix }}`) for every kind; how many.
pub(super) fn write(openapi: &Value, folder: &Path) -> Result<usize> {
    let definitions = openapi["definitions"].as_object().context("no definitions")?;
    let strict: BTreeMap<&str, (Value, BTreeSet<String>)> = definitions
        .iter()
        .map(|(name, schema)| (name.as_str(), made_strict(name, schema)))
        .collect();
    let mut written = 0;
    for (name, schema) in definitions.iter().filter(|(name, _)| !name.ends_with("List")) {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            let file = folder.join(file_name(kind)?);
            let whole = json!({"$ref": format!("#/definitions/{name}"), "definitions": needed(name, &strict)});
            fs::write(file, serde_json::to_vec(&whole)?)?;
            written += 1;
        }
    }
    Ok(written)
}

fn file_name(kind: &Value) -> Result<String> {
    let text = |field: &str| kind[field].as_str().with_context(|| format!("no {field} in {kind}"));
    let group = text("group")?.split('.').next().unwrap_or_default();
    let dash = if group.is_empty() { "" } else { "-" };
    Ok(format!("{}-{group}{dash}{}.json", text("kind")?.to_lowercase(), text("version")?))
}

/// The schema with nothing else allowed, and the names that it refers to.
fn made_strict(name: &str, schema: &Value) -> (Value, BTreeSet<String>) {
    let (mut schema, mut refers) = (schema.clone(), BTreeSet::new());
    if name == "io.k8s.apimachinery.pkg.api.resource.Quantity" {
        return (json!({"oneOf": [{"type": "string"}, {"type": "number"}]}), refers);
    }
    tighten(&mut schema, &mut refers);
    (schema, refers)
}

fn tighten(node: &mut Value, refers: &mut BTreeSet<String>) {
    match node {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                refers.extend(target.rsplit('/').next().map(str::to_owned));
            }
            if is_int_or_string(fields) {
                fields.remove("type");
                fields.remove("format");
                fields.insert("oneOf".to_owned(), json!([{"type": "string"}, {"type": "integer"}]));
            }
            fields.values_mut().for_each(|field| tighten(field, refers));
            let described = fields.get("properties").is_some_and(Value::is_object);
            let open = ["additionalProperties", "x-kubernetes-preserve-unknown-fields"];
            if described && !open.iter().any(|name| fields.contains_key(*name)) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tighten(item, refers)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_int_or_string(fields: &Map<String, Value>) -> bool {
    fields.get("x-kubernetes-int-or-string") == Some(&json!(true))
        || fields.get("format") == Some(&json!("int-or-string"))
}

/// Everything that a definition refers to, itself included.
fn needed<'a>(
    name: &'a str,
    all: &'a BTreeMap<&str, (Value, BTreeSet<String>)>,
) -> BTreeMap<&'a str, &'a Value> {
    let (mut found, mut open) = (BTreeMap::new(), vec![name]);
    while let Some(name) = open.pop() {
        let Some((schema, refers)) = all.get(name) else { continue };
        if found.insert(name, schema).is_none() {
            open.extend(refers.iter().map(String::as_str));
        }
    }
    found
}
