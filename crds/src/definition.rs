//! The `CustomResourceDefinition` as it is installed.
//!
//! In: the derived definition. Out: the same with the two defaults that a derive cannot express, as an object and
//! as YAML. `vectortenants.yaml` beside this crate is its output; a test fails when the two differ.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::VectorTenant;

/// The definition of [`VectorTenant`].
///
/// - `status` gets the default `{observedGeneration: -1}`: without one, GitOps tools take a tenant that nobody has
///   looked at yet for a healthy one.
/// - `spec` gets the default `{}`, so that a tenant needs no more than a name.
#[must_use]
pub fn custom_resource_definition() -> CustomResourceDefinition {
    let mut definition = VectorTenant::crd();
    for version in &mut definition.spec.versions {
        let root = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(root) = root {
            set_default(root, "spec", json!({}));
            set_default(root, "status", json!({"observedGeneration": -1}));
            unwrap_descriptions(root);
        }
    }
    definition
}

fn set_default(root: &mut JSONSchemaProps, property: &str, value: serde_json::Value) {
    root.required = None; // what has a default need not be written
    if let Some(schema) = root.properties.as_mut().and_then(|all| all.get_mut(property)) {
        schema.default = Some(JSON(value));
        schema.nullable = None;
    }
}

/// `kubectl explain` wraps lines itself: the line ends of doc comments would stand in its way.
fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(description) = schema.description.as_mut() {
        *description = description.replace('\n', " ");
    }
    for property in schema.properties.iter_mut().flat_map(|all| all.values_mut()) {
        unwrap_descriptions(property);
    }
}

/// The definition as YAML, with a heading that says where it comes from.
///
/// # Errors
/// Only when the definition cannot be written as YAML, which a test rules out.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    // Through JSON values: the field order is then alphabetical and does not depend on the derive.
    let value = serde_json::to_value(custom_resource_definition()).unwrap_or_default();
    let body = serde_saphyr::to_string(&value)?;
    Ok(format!("# Generated from crds/src by `make generate`: change it there.\n{body}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_yaml_is_what_the_code_generates() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectortenants.yaml");
        let committed =
            std::fs::read_to_string(path).expect("crds/vectortenants.yaml is committed");
        assert!(committed == super::yaml().unwrap(), "run `make generate` and commit the result");
    }
}
