//! The reference of the kind, for people: `docs/api.md`.
//!
//! In: the definition as it is installed, the documentation of conditions and reasons. Out: Markdown. A field, limit or reason is
//! described where it is declared and nowhere else; `docs/api.md` is this function's output, and a test fails when the two differ.

mod fields;
mod reasons;
mod words;

use serde_json::Value;

use crate::{ConditionType, Reason, custom_resource_definition};

/// The text of `docs/api.md`.
#[must_use]
pub fn reference() -> String {
    // Only the schema's own types could fail to become JSON, and they do not.
    let definition = serde_json::to_value(custom_resource_definition()).unwrap_or_default();
    let version = &definition["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let properties = &schema["properties"];
    [
        words::head(&definition),
        format!("## Spec\n\n{}", fields::table(&properties["spec"], "spec")),
        format!("### What the API server refuses\n\n{}", fields::rules(schema, "")),
        words::EXAMPLES.to_owned(),
        format!(
            "## Status\n\n{}\n\n{}",
            words::STATUS,
            fields::table(&properties["status"], "status")
        ),
        format!("## Conditions\n\n{}\n\n{}", words::CONDITIONS, conditions()),
        format!("### Reasons\n\n{}\n\n{}", words::REASONS, reasons()),
        format!("## Columns of `kubectl get`\n\n{}", columns(&version["additionalPrinterColumns"])),
        words::names(),
    ]
    .join("\n")
}

fn conditions() -> String {
    let row = |kind: &ConditionType| format!("| `{kind}` | {} |\n", cell(&kind.meaning()));
    let rows: String = ConditionType::ALL.iter().map(row).collect();
    format!("| type | True says |\n|---|---|\n{rows}")
}

fn reasons() -> String {
    let row = |reason: &Reason| {
        let (state, remedy) = (reasons::state(*reason), reasons::remedy(*reason));
        format!("| `{reason}` | {} | {state} | {} |\n", cell(&reason.meaning()), cell(remedy))
    };
    let rows: String = Reason::ALL.iter().map(row).collect();
    format!("| reason | meaning | the tenant | what to do |\n|---|---|---|---|\n{rows}")
}

fn columns(columns: &Value) -> String {
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    let row = |column: &Value| {
        let wide =
            if column["priority"].as_i64().unwrap_or(0) > 0 { "`-o wide`" } else { "always" };
        let (name, path) = (text(column, "name"), text(column, "jsonPath"));
        format!("| {name} | {wide} | `{path}` | {} |\n", cell(&text(column, "description")))
    };
    let rows: String = columns.as_array().into_iter().flatten().map(row).collect();
    format!("| column | shown | from | meaning |\n|---|---|---|---|\n{rows}")
}

/// Text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VectorTenant;

    #[test]
    fn the_committed_reference_is_what_the_code_generates() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
        let committed = std::fs::read_to_string(path).expect("docs/api.md is committed");
        assert!(committed == reference(), "run `make generate` and commit the result");
    }

    /// Every field that a person may write, every reason and every message of a rule is in it.
    #[test]
    fn nothing_is_left_out() {
        let text = reference();
        let spec = serde_json::to_value(crate::VectorTenantSpec::default()).unwrap();
        for field in spec.as_object().unwrap().keys() {
            assert!(text.contains(&format!("| `{field}` |")), "{field}");
        }
        for reason in Reason::ALL {
            assert!(text.contains(&format!("| `{reason}` | ")), "{reason}");
        }
        let definition = serde_json::to_value(crate::custom_resource_definition()).unwrap();
        let messages = messages(&definition);
        assert!(messages.len() >= 10, "{messages:?}");
        for message in messages {
            assert!(text.contains(&message), "{message}");
        }
        assert!(!text.contains("null"), "a value of the schema was not found");
    }

    /// What the rules anywhere in a value say.
    fn messages(value: &Value) -> Vec<String> {
        let rules = value["x-kubernetes-validations"].as_array().into_iter().flatten();
        let own = rules.filter_map(|rule| rule["message"].as_str()).map(ToOwned::to_owned);
        let below: Vec<&Value> = match value {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(items) => items.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        own.chain(below.into_iter().flat_map(messages)).collect()
    }

    #[test]
    fn the_examples_are_tenants() {
        let text = reference();
        let blocks: Vec<&str> =
            text.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
        assert!(blocks.len() >= 4, "{}", blocks.len());
        for block in blocks {
            let tenant: VectorTenant = serde_saphyr::from_str(block).expect(block);
            assert!(tenant.metadata.name.is_some(), "{block}");
        }
    }
}
