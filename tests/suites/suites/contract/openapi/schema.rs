//! Schemas of OpenAPI 3.0 as JSON Schemas (draft 7): `nullable` becomes a further type, references lead into the same
//! document. In: `components/schemas`. Out: validators, and fields that no schema declares.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

const PREFIX: &str = "#/components/schemas/";

/// All named schemas, converted.
pub(super) struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    pub(super) fn new(schemas: &Value) -> Self {
        let named = schemas.as_object().into_iter().flatten();
        Self(named.map(|(name, schema)| (name.clone(), converted(schema))).collect())
    }

    /// A validator for one schema, with only those named ones that it leads to.
    pub(super) fn compile(&self, schema: &Value) -> Result<Validator> {
        let schema = converted(schema);
        let mut needed = BTreeSet::new();
        self.reach(&schema, &mut needed);
        let named: Map<_, _> =
            needed.iter().map(|name| (name.clone(), self.0[name].clone())).collect();
        let document = json!({ "allOf": [schema], "components": { "schemas": named } });
        jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .build(&document)
            .map_err(|error| anyhow!("{error}"))
    }

    fn reach(&self, schema: &Value, needed: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                if let Some(name) =
                    map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(PREFIX))
                    && let Some(named) = self.0.get(name)
                    && needed.insert(name.to_owned())
                {
                    self.reach(named, needed);
                }
                map.values().for_each(|value| self.reach(value, needed));
            }
            Value::Array(items) => items.iter().for_each(|item| self.reach(item, needed)),
            _ => {}
        }
    }

    /// Fields of `value` that the schema does not name: an emulator must not invent what a client may come to need.
    pub(super) fn undeclared(&self, schema: &Value, value: &Value, path: String) -> Vec<String> {
        match value {
            Value::Object(fields) => {
                let mut known = BTreeMap::new();
                let open = self.properties(schema, &mut known);
                let mut unknown = Vec::new();
                for (name, value) in fields {
                    let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match (known.get(name), &open) {
                        (Some(schema), _) => unknown.extend(self.undeclared(schema, value, at)),
                        (None, Some(schema)) => unknown.extend(self.undeclared(schema, value, at)),
                        (None, None) => unknown.push(at),
                    }
                }
                unknown
            }
            Value::Array(items) => {
                let inner = self.named(schema)["items"].clone();
                items.iter().flat_map(|item| self.undeclared(&inner, item, path.clone())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn named<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|r| r.strip_prefix(PREFIX));
        name.and_then(|name| self.0.get(name)).unwrap_or(schema)
    }

    /// Collects the declared properties; returns the schema of further ones, where such are allowed for.
    fn properties(&self, schema: &Value, into: &mut BTreeMap<String, Value>) -> Option<Value> {
        let schema = self.named(schema);
        let mut open = None;
        for part in
            ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten()
        {
            open = self.properties(part, into).or(open);
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            into.insert(name.clone(), schema.clone());
        }
        let further = schema.get("additionalProperties").filter(|a| **a != json!(false));
        let bare = into.is_empty()
            && !["allOf", "oneOf", "anyOf"].iter().any(|key| schema.get(key).is_some());
        further.cloned().or(open).or_else(|| bare.then(|| json!({})))
    }
}

/// `nullable` in the words of JSON Schema.
fn converted(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut map: Map<_, _> =
                map.iter().map(|(key, value)| (key.clone(), converted(value))).collect();
            if map.remove("nullable") == Some(json!(true)) {
                if let Some(kind) = map.remove("type") {
                    map.insert("type".to_owned(), json!([kind, "null"]));
                }
                if let Some(Value::Array(words)) = map.get_mut("enum") {
                    words.push(Value::Null);
                }
            }
            Value::Object(map)
        }
        Value::Array(items) => items.iter().map(converted).collect(),
        other => other.clone(),
    }
}

#[test]
fn nullable_required_and_unknown_fields_are_judged() {
    let schemas = Schemas::new(&json!({
        "A": { "type": "object", "required": ["x"], "properties": {
            "x": { "type": "string", "nullable": true },
            "list": { "type": "array", "items": { "$ref": "#/components/schemas/B" } },
        } },
        "B": { "type": "object", "properties": { "at": { "type": "string", "format": "date-time" } } },
    }));
    let schema = json!({ "$ref": "#/components/schemas/A" });
    let validator = schemas.compile(&schema).unwrap();
    assert!(validator.is_valid(&json!({ "x": null })));
    assert!(!validator.is_valid(&json!({})));
    assert!(!validator.is_valid(&json!({ "x": "", "list": [{ "at": "yesterday" }] })));
    let value = json!({ "x": "", "list": [{ "other": 1 }], "y": 2 });
    assert_eq!(schemas.undeclared(&schema, &value, String::new()), ["list.other", "y"]);
}
