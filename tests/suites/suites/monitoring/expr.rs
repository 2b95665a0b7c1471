//! Names out of a query. In: PromQL. Out: the metrics and recorded series of ours that it asks for.

use std::collections::BTreeSet;

/// Words that begin as our names do, outside of strings.
pub(super) fn names(expr: &str) -> BTreeSet<String> {
    let outside: String = expr.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = outside.split(|c| !is_part(c));
    let ours = ["tenantry_", "tenantry:", "process_"];
    words
        .filter(|word| ours.iter().any(|start| word.starts_with(start)))
        .map(ToOwned::to_owned)
        .collect()
}

/// Every word of a query that could be a name but is none of ours, nor PromQL's: a name that was mistyped at its beginning.
pub(super) fn strangers(expr: &str) -> Vec<String> {
    const KNOWN: [&str; 33] = [
        "sum",
        "max",
        "min",
        "count",
        "by",
        "rate",
        "increase",
        "histogram_quantile",
        "or",
        "and",
        "on",
        "unless",
        "vector",
        "absent",
        "count_over_time",
        "le",
        "namespace",
        "job",
        "instance",
        "route",
        "stage",
        "model",
        "outcome",
        "status",
        "reason",
        "kind",
        "state",
        "phase",
        "result",
        "step",
        "version",
        "condition",
        "__rate_interval",
    ];
    let outside: String = expr.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = outside.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let named =
        words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    let ours = names(expr);
    named
        .filter(|word| !KNOWN.contains(word) && !ours.contains(*word))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn names_are_found_and_strings_are_not() {
    let expr =
        r#"sum by (le) (rate(tenantry_x_bucket{status=~"tenantry_no"}[5m])) / tenantry:y:rate5m"#;
    let found: Vec<String> = names(expr).into_iter().collect();
    assert_eq!(found, ["tenantry:y:rate5m", "tenantry_x_bucket"]);
    assert_eq!(
        strangers(r#"sum(tenant_x{status="a"}) or tenantry_x{name="y"}"#),
        ["tenant_x", "name"]
    );
}
