//! The dashboard by itself. In: dashboard.json. Out: it is of Grafana's types, everything on it is named and explained, nothing lies
//! on something else, and it shows whatever data source, namespace and job somebody chooses.

use std::collections::BTreeSet;

use acceptance::run;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stack::install;

use super::expr;

pub(super) fn read() -> Result<Value> {
    Ok(serde_json::from_str(&super::text("charts/tenantry/files/dashboard.json")?)?)
}

/// Panels that show something: all but the rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().into_iter().flatten();
    all.filter(|panel| panel["type"] != "row").collect()
}

/// Every query with the title of its panel, as Grafana would send it where everything is chosen.
pub(super) fn queries() -> Result<Vec<(String, String)>> {
    let dashboard = read()?;
    let mut all = Vec::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().with_context(|| format!("{title} has no query"))?;
            let chosen = expr.replace("$namespace", ".*").replace("$job", ".*");
            let chosen = chosen.replace("$__rate_interval", "1m");
            ensure!(!chosen.contains('$'), "{title}: an unknown variable in {expr}");
            all.push((title.to_owned(), chosen));
        }
    }
    ensure!(all.len() > 40, "{} queries", all.len());
    Ok(all)
}

#[tokio::test]
async fn it_is_of_grafanas_types() -> Result<()> {
    let folder = stack::paths::checkout().join("tests/monitoring");
    let folder = match install::npm(&folder) {
        Ok(folder) => folder,
        Err(error) => {
            let reason = format!("{error:#}").replace('\n', " ");
            stack::skip("monitoring::dashboard::it_is_of_grafanas_types", &reason);
            return Ok(());
        }
    };
    let scratch = std::env::temp_dir().join(format!("tenantry-{}", stack::paths::random_hex(6)?));
    std::fs::create_dir(&scratch)?;
    let mut check = std::process::Command::new("node");
    check.arg(folder.join("dashboard.mjs")).arg(super::chart_file("dashboard.json")).arg(&scratch);
    let checked = run(check).await;
    std::fs::remove_dir_all(&scratch)?;
    let checked = checked?;
    ensure!(checked.code == Some(0), "{}\n{}", checked.text, checked.error);
    Ok(())
}

#[test]
fn everything_on_it_is_named_explained_and_has_a_unit() -> Result<()> {
    let dashboard = read()?;
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("panels")? {
        let title = panel["title"].as_str().unwrap_or_default();
        ensure!(!title.trim().is_empty(), "no title: {panel}");
        ensure!(ids.insert(panel["id"].as_u64()), "{title}: an id that another has");
        if panel["type"] == "row" {
            continue;
        }
        ensure!(panel["description"].as_str().is_some_and(|words| words.ends_with('.')), "{title}");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        ensure!(unit.is_some_and(|unit| !unit.is_empty()), "{title} has no unit");
        for one in panel["targets"].as_array().context("targets")?.iter().chain([panel]) {
            ensure!(one["datasource"]["uid"] == "${datasource}", "{title}: a fixed data source");
        }
    }
    let rows = dashboard["panels"].as_array().into_iter().flatten();
    let rows: Vec<&str> = rows
        .filter(|panel| panel["type"] == "row")
        .filter_map(|row| row["title"].as_str())
        .collect();
    assert_eq!(rows, ["Fleet", "Neon API", "Operator", "App", "Ingest", "Search and chat"]);
    Ok(())
}

#[test]
fn every_query_can_be_narrowed_and_needs_no_rules() -> Result<()> {
    let dashboard = read()?;
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = target["expr"].as_str().unwrap_or_default();
            let chosen = text.matches(r#"{namespace=~"$namespace", job=~"$job""#).count();
            let selectors = text.matches('{').count();
            ensure!(selectors > 0 && chosen == selectors, "{}: {text}", panel["title"]);
            ensure!(expr::strangers(&text.replace("$__", "__")).is_empty(), "{text}");
            ensure!(!text.contains("tenantry:"), "needs the recording rules: {text}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().context("variables")?;
    let names: Vec<&str> = variables.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["datasource", "namespace", "job"]);
    Ok(())
}

#[test]
fn no_panel_lies_on_another() -> Result<()> {
    let dashboard = read()?;
    let place = |panel: &Value| {
        ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or(99))
    };
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("panels")? {
        let [x, y, w, h] = place(panel);
        ensure!(x + w <= 24, "{} is out of the grid", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            ensure!(taken.insert(cell), "{} lies on another panel", panel["title"]);
        }
    }
    Ok(())
}
