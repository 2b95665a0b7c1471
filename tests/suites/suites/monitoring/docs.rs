//! The documents. In: docs/metrics.md, docs/alerts.md. Out: they list what the processes export, all of it and nothing else, with its
//! types, labels and their values; and every alert has its section that says why, where to look and what to do.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::exposition::Metric;
use super::{expr, rules};

/// Metrics of one process, by name.
type Exported = BTreeMap<String, Metric>;

/// One row of a table in docs/metrics.md.
struct Row {
    section: String,
    name: String,
    kind: String,
    /// Label and its values; none where they are described and not listed.
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn rows() -> Result<Vec<Row>> {
    let text = super::text("docs/metrics.md")?;
    let (mut rows, mut section) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.to_owned();
        }
        let ours = ["| `tenantry_", "| `process_"].iter().any(|start| line.starts_with(start));
        if !ours {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else {
            anyhow::bail!("not four cells: {line}")
        };
        ensure!(meaning.len() > 10, "says nothing: {line}");
        let name = name.trim_matches('`').to_owned();
        let labels = labels.split("; ").filter(|label| !label.is_empty()).map(label);
        let labels = labels.collect::<Result<_>>().with_context(|| name.clone())?;
        rows.push(Row { section: section.clone(), name, kind: kind.to_owned(), labels });
    }
    ensure!(rows.len() > 30, "{} rows", rows.len());
    Ok(rows)
}

/// From "`model`: `embedding`, `chat`" or "`route`: its template".
fn label(cell: &str) -> Result<(String, BTreeSet<String>)> {
    let mut quoted = cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned);
    let name = quoted.next().with_context(|| format!("a label without a name: {cell:?}"))?;
    Ok((name, quoted.collect()))
}

/// Both directions: what is exported is written down, and what is written down is exported.
pub(super) fn check(operator: &Exported, app: &Exported) -> Result<()> {
    let rows = rows()?;
    let mut wrong = Vec::new();
    let sections = [
        ("The operator", operator),
        ("The app", app),
        ("Both processes", operator),
        ("Both processes", app),
    ];
    for (section, exported) in sections {
        for row in rows.iter().filter(|row| row.section == section) {
            match exported.get(&row.name) {
                None => wrong.push(format!("{} ({section}) is exported by nobody", row.name)),
                Some(metric) => wrong.extend(differences(row, metric)),
            }
        }
    }
    for (section, exported) in [("The operator", operator), ("The app", app)] {
        let known = |name: &str| {
            rows.iter()
                .any(|row| row.name == name && [section, "Both processes"].contains(&&*row.section))
        };
        let unknown = exported.keys().filter(|name| !known(name));
        wrong.extend(unknown.map(|name| format!("{name} ({section}) is not in docs/metrics.md")));
    }
    ensure!(wrong.is_empty(), "docs/metrics.md:\n  {}", wrong.join("\n  "));
    Ok(())
}

fn differences(row: &Row, metric: &Metric) -> Vec<String> {
    let mut wrong = Vec::new();
    if row.kind != metric.kind {
        wrong.push(format!("{} is a {} and not a {}", row.name, metric.kind, row.kind));
    }
    let (written, seen): (Vec<_>, Vec<_>) =
        (row.labels.keys().collect(), metric.labels.keys().collect());
    if written != seen {
        wrong.push(format!("{} has the labels {seen:?} and not {written:?}", row.name));
    }
    for (label, values) in &row.labels {
        let seen = metric.labels.get(label).into_iter().flatten();
        let new = seen.filter(|value| !values.is_empty() && !values.contains(*value));
        wrong.extend(new.map(|value| format!("{}: {label}={value:?} is not listed", row.name)));
    }
    wrong
}

/// Names that are asked for in rules, on the dashboard and in documents must be exported.
pub(super) fn check_names(exported: &[&Exported], asked: &[(String, String)]) -> Result<()> {
    let all = exported.iter().flat_map(|process| process.values());
    let samples: BTreeSet<&String> = all.flat_map(|metric| &metric.samples).collect();
    let mut wrong = Vec::new();
    for (place, text) in asked {
        let names = expr::names(text).into_iter();
        let unknown = names.filter(|name| !name.contains(':') && !samples.contains(name));
        wrong.extend(unknown.map(|name| format!("{place}: {name} is exported by nobody")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The commands and queries of docs/alerts.md, which are indented or between backticks.
pub(super) fn queries_of_alerts() -> Result<Vec<(String, String)>> {
    let text = super::text("docs/alerts.md")?;
    let quoted = text.split('`').skip(1).step_by(2);
    Ok(quoted.map(|code| ("docs/alerts.md".to_owned(), code.to_owned())).collect())
}

#[test]
fn every_alert_has_its_section_and_every_section_its_alert() -> Result<()> {
    let text = super::text("docs/alerts.md")?;
    let sections: BTreeMap<&str, &str> =
        text.split("\n### ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let alerts: BTreeSet<String> =
        rules::named("alert")?.into_iter().map(|(name, _)| name).collect();
    let written: BTreeSet<String> = sections.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(alerts, written);
    for (alert, section) in sections {
        for part in ["**Cause.** ", "**Look here.** ", "**Do this.** "] {
            ensure!(section.contains(part), "{alert} lacks {part}");
        }
        let look = section.split("**Look here.**").nth(1).unwrap_or_default();
        let look = look.split("**Do this.**").next().unwrap_or_default();
        ensure!(look.contains('`'), "{alert}: no command and no query to look with");
    }
    Ok(())
}

#[test]
fn every_recorded_series_is_written_down() -> Result<()> {
    let text = super::text("docs/metrics.md")?;
    for (name, _) in rules::named("record")? {
        ensure!(text.contains(&format!("| `{name}` |")), "{name} is not in docs/metrics.md");
    }
    let written = text.lines().filter_map(|line| line.strip_prefix("| `tenantry:")).count();
    assert_eq!(written, rules::named("record")?.len());
    Ok(())
}
