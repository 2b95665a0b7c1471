//! The rules by themselves. In: rules.yaml and its tests. Out: promtool agrees, and no alert is left out, of its tests or of the words
//! that people read when it fires.

use std::collections::BTreeSet;
use std::process::Command;

use acceptance::run;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::expr;

/// Every rule of the file.
pub(super) fn all() -> Result<Vec<Value>> {
    let file: Value = serde_saphyr::from_str(&super::text("charts/tenantry/files/rules.yaml")?)?;
    let groups = file["groups"].as_array().context("groups")?;
    let rules: Vec<Value> =
        groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect();
    ensure!(rules.len() > 20, "{} rules", rules.len());
    Ok(rules)
}

/// Those that have this: `alert` or `record`.
pub(super) fn named(what: &str) -> Result<Vec<(String, Value)>> {
    let name = |rule: &Value| rule[what].as_str().map(ToOwned::to_owned);
    Ok(all()?.into_iter().filter_map(|rule| Some((name(&rule)?, rule))).collect())
}

pub(super) fn expr_of(rule: &Value) -> &str {
    rule["expr"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn promtool_finds_no_fault_and_every_alert_fires_and_clears() -> Result<()> {
    let Some(programs) = super::prometheus("monitoring::rules::promtool") else { return Ok(()) };
    let mut check = Command::new(&programs.promtool);
    check
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .arg(super::chart_file("rules.yaml"));
    let checked = run(check).await?;
    ensure!(checked.code == Some(0), "{}{}", checked.text, checked.error);
    let mut test = Command::new(&programs.promtool);
    test.args(["test", "rules", "rules_test.yaml"]);
    test.current_dir(stack::paths::checkout().join("tests/monitoring"));
    let tested = run(test).await?;
    ensure!(tested.code == Some(0), "{}{}", tested.text, tested.error);
    Ok(())
}

#[test]
fn every_alert_is_tried_before_at_and_after_it_fires() -> Result<()> {
    let file: Value = serde_saphyr::from_str(&super::text("tests/monitoring/rules_test.yaml")?)?;
    let tests = file["tests"].as_array().context("tests")?;
    for (alert, rule) in named("alert")? {
        let asked = format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}");
        // In the order of time: whether it fires.
        let tried = tests.iter().map(|test| -> Vec<bool> {
            let cases = test["promql_expr_test"].as_array().into_iter().flatten();
            let ours = cases.filter(|case| case["expr"] == *asked);
            ours.map(|case| case["exp_samples"].as_array().is_some_and(|all| !all.is_empty()))
                .collect()
        });
        let full = tried.into_iter().any(|states| states == [false, true, false]);
        ensure!(
            full,
            "{alert} ({}): no test in which it does not fire, fires, and clears",
            expr_of(&rule)
        );
    }
    Ok(())
}

#[test]
fn every_alert_says_how_bad_it_is_and_where_to_read_on() -> Result<()> {
    let names: Vec<String> = named("alert")?.into_iter().map(|(name, _)| name).collect();
    ensure!(names.iter().collect::<BTreeSet<_>>().len() == names.len(), "{names:?}");
    for (alert, rule) in named("alert")? {
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        ensure!(["critical", "warning", "info"].contains(&severity), "{alert}: {severity:?}");
        for key in ["summary", "description", "runbook_url"] {
            let words = rule["annotations"][key].as_str().unwrap_or_default();
            ensure!(!words.is_empty(), "{alert} has no {key}");
        }
        let url = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
        ensure!(
            url.ends_with(&format!("docs/alerts.md#{}", alert.to_lowercase())),
            "{alert}: {url}"
        );
    }
    Ok(())
}

#[test]
fn no_rule_assumes_a_job_and_each_builds_on_what_is_recorded() -> Result<()> {
    let recorded: Vec<String> = named("record")?.into_iter().map(|(name, _)| name).collect();
    for rule in all()? {
        let text = expr_of(&rule);
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        ensure!(!words.any(|word| word == "job"), "assumes a job: {text}");
        ensure!(expr::strangers(text).is_empty(), "{:?} in {text}", expr::strangers(text));
        let built_on = expr::names(text).into_iter().filter(|name| name.contains(':'));
        for name in built_on {
            ensure!(recorded.contains(&name), "{name} is recorded nowhere: {text}");
        }
    }
    Ok(())
}
