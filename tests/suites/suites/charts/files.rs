//! What needs no cluster. In: the chart's files. Out: they are in order, current, and do in Helm 4 and in Helm 3's engine what their
//! own tests say.

use std::fs;
use std::process::Command;

use acceptance::run;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::lab::{chart, chart_arg, helm, rendered, value_sets};

#[tokio::test]
async fn every_set_of_values_passes_lint_and_has_notes() -> Result<()> {
    let sets = value_sets()?;
    ensure!(sets.len() >= 10, "there should be ten sets: {sets:?}");
    for (name, file) in sets {
        let mut lint = helm()?;
        lint.args(["lint", "--strict", "--quiet", &chart_arg(), "--values"]).arg(&file);
        run(lint).await?.success().context(name.clone())?;
        ensure!(rendered("r", "home", &file).await?.contains("kind: Deployment"), "{name}");
    }
    Ok(())
}

/// helm-unittest embeds Helm 3's engine: this is also the proof that Helm 3 renders the chart.
#[tokio::test]
async fn the_charts_own_tests_pass() -> Result<()> {
    let mut command = Command::new(stack::install::go_program("helm-unittest")?);
    command.args(["--strict", "--color=false"]).arg(chart());
    let said = run(command).await?.success()?;
    ensure!(said.contains(" 0 failed") || !said.contains("failed"), "{said}");
    let files = fs::read_dir(chart().join("tests"))?.collect::<Result<Vec<_>, _>>()?;
    let is_suite =
        |file: &&fs::DirEntry| file.file_name().to_string_lossy().ends_with("_test.yaml");
    let suites = files.iter().filter(is_suite).count();
    ensure!(
        suites > 0 && said.contains(&format!("Test Suites: {suites} passed")),
        "a suite is missing: {said}"
    );
    Ok(())
}

#[tokio::test]
async fn the_readme_is_what_helm_docs_writes() -> Result<()> {
    let mut command = Command::new(stack::install::go_program("helm-docs")?);
    command.args(["--chart-search-root", &chart_arg(), "--dry-run", "--log-level", "warning"]);
    command.args(["--sort-values-order", "file"]);
    let said = run(command).await?.success()?;
    let committed = fs::read_to_string(chart().join("README.md"))?;
    ensure!(
        said.trim_end() == committed.trim_end(),
        "charts/tenantry/README.md is not current: run helm-docs -c charts --sort-values-order file"
    );
    // Every value has its words: helm-docs leaves the last column empty otherwise.
    let bare: Vec<&str> =
        committed.lines().filter(|line| line.starts_with('|') && line.ends_with("|  |")).collect();
    ensure!(bare.is_empty(), "values without documentation: {bare:#?}");
    Ok(())
}

#[test]
fn the_definition_in_the_chart_is_the_generated_one() -> Result<()> {
    let copy = fs::read_to_string(chart().join("files/vectortenants.yaml"))?;
    let source = fs::read_to_string(stack::paths::checkout().join("crds/vectortenants.yaml"))?;
    ensure!(
        copy == source,
        "charts/tenantry/files/vectortenants.yaml differs: run `make generate`"
    );
    Ok(())
}

/// The images' tag is the programs' version.
#[test]
fn the_chart_installs_the_programs_of_this_checkout() -> Result<()> {
    let about: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml"))?)?;
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
    Ok(())
}

#[tokio::test]
async fn the_definition_that_is_rendered_is_the_generated_one() -> Result<()> {
    let text = rendered("r", "home", &chart().join("ci/default-values.yaml")).await?;
    let objects = super::lab::objects(&text)?;
    let made =
        super::lab::object(&objects, "CustomResourceDefinition", "vectortenants.tenantry.dev")?;
    let source: Value = serde_saphyr::from_str(&fs::read_to_string(
        stack::paths::checkout().join("crds/vectortenants.yaml"),
    )?)?;
    ensure!(
        alike(&made["spec"], &source["spec"]),
        "rendering changed the definition: {made} is not {source}"
    );
    Ok(())
}

/// Whether two texts mean the same: 1 and 1.0 do.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, inner)| other.get(name).is_some_and(|other| alike(inner, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

/// The schema knows no value that is not there: each would be a promise that nothing keeps.
#[test]
fn the_schema_names_the_values_that_there_are() -> Result<()> {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json"))?)?;
    let values: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml"))?)?;
    same_names("", &schema, &values)
}

fn same_names(path: &str, schema: &Value, values: &Value) -> Result<()> {
    let (Some(promised), Some(values)) = (schema["properties"].as_object(), values.as_object())
    else {
        return Ok(());
    };
    ensure!(
        schema["additionalProperties"] == false || path == ".global",
        "{path}: the schema lets anything in"
    );
    for (name, inner) in promised {
        let value =
            values.get(name).with_context(|| format!("{path}.{name} is in the schema alone"))?;
        same_names(&format!("{path}.{name}"), inner, value)?;
    }
    let unknown = values.keys().find(|name| !promised.contains_key(*name));
    ensure!(unknown.is_none(), "{path}: {unknown:?} is not in the schema");
    Ok(())
}
