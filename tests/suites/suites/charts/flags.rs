//! Every flag of both programs can be set by a value, and the chart's defaults are theirs.
//!
//! In: the tables of README.md and docs/app.md (tests of the programs keep them true), what the chart renders. Out: no flag is
//! missing, no default differs but for the reasons below, and in the set "everything" each has another value than usual.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::lab::{chart, object, objects, rendered};

/// Flags that have no value, and why.
const WITHOUT_VALUE: &[(&str, &str)] = &[
    ("KUBECONFIG", "a pod has its own account"),
    ("NEON_API_KEY", "the key comes as a file"),
    ("HOSTNAME", "every pod has it"),
    ("DEMO_LOGIN", "refused unless the app listens on loopback"),
];

/// Flags whose default in a cluster is another, and why.
const OTHER_DEFAULT: &[(&str, &str)] = &[
    ("TENANTRY_LISTEN", "probes and Prometheus come from outside the pod"),
    ("TENANTRY_APP_LISTEN", "so do people"),
    ("TENANTRY_APP_ADMIN_LISTEN", "and here probes"),
    ("TENANTRY_LOG_FORMAT", "clusters collect JSON"),
    ("TENANTRY_LEADER_ELECTION", "there are two pods"),
    ("TENANTRY_LEASE_NAME", "the Deployment's name, so that two releases do not share it"),
    ("DRAIN_SECONDS", "a Service takes some seconds to notice that a pod goes"),
    ("FILES", "the volume's folder"),
    ("PUBLIC_URL", "there is no default address of a cluster"),
];

/// The same in every set.
const FIXED: &[&str] = &[
    "NEON_API_KEY_FILE",
    "TENANTRY_APP_LISTEN",
    "TENANTRY_APP_ADMIN_LISTEN",
    "TENANTRY_LEADER_ELECTION",
    "TENANTRY_LEASE_NAMESPACE",
];

/// Environment names of a document's tables, with their defaults.
fn documented(file: &str) -> Result<BTreeMap<String, Option<String>>> {
    let text = fs::read_to_string(stack::paths::checkout().join(file))?;
    let code = |cell: &str| {
        let cell = cell.trim().strip_prefix('`')?.strip_suffix('`')?;
        Some(cell.to_owned())
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `--")?.split('|').collect();
        Some((code(cells.get(1)?)?, code(cells.get(2)?)))
    };
    let rows: BTreeMap<_, _> = text.lines().filter_map(row).collect();
    ensure!(rows.len() > 15, "{file} has no table of flags");
    Ok(rows)
}

/// What the container of a component gets: names, and values where they are plain.
async fn environment(set: &str, component: &str) -> Result<BTreeMap<String, Option<String>>> {
    let file = chart().join(format!("ci/{set}-values.yaml"));
    let objects = objects(&rendered("tenantry", "home", &file).await?)?;
    let prefix = if set == "everything" { "databases" } else { "tenantry" };
    let deployment = object(&objects, "Deployment", &format!("{prefix}-{component}"))?;
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let env = env.with_context(|| format!("{component} has no environment"))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let named: BTreeMap<_, _> = env
        .iter()
        .map(|one| (text(&one["name"]).unwrap_or_default(), text(&one["value"])))
        .collect();
    ensure!(named.len() == env.len(), "{component} has a name twice: {env:?}");
    Ok(named)
}

fn listed(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == name)
}

async fn check(document: &str, component: &str, usual: &str) -> Result<()> {
    let flags = documented(document)?;
    let plain = environment(usual, component).await?;
    let everything = environment("everything", component).await?;
    for (name, default) in flags {
        if listed(WITHOUT_VALUE, &name) {
            continue;
        }
        ensure!(
            everything.contains_key(&name),
            "no value of the chart sets {name} of the {component}"
        );
        let usual = plain.get(&name).unwrap_or(&default);
        let differs = usual.is_none() || everything[&name] != *usual;
        ensure!(
            differs || FIXED.contains(&name.as_str()),
            "{name}: no value changes it from {usual:?}"
        );
        if let (Some(Some(given)), Some(default)) = (plain.get(&name), &default) {
            ensure!(
                given == default || listed(OTHER_DEFAULT, &name),
                "{name}: the chart gives {given}, {document} says {default}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_flag_of_the_operator_has_a_value() -> Result<()> {
    check("README.md", "operator", "default").await
}

#[tokio::test]
async fn every_flag_of_the_app_has_a_value() -> Result<()> {
    check("docs/app.md", "app", "app").await
}
