//! Every object of every set of values, against the API server. In: what the chart renders. Out: nothing that the server's own
//! description does not know (kubeconform), nothing that the server refuses (a dry run of a server-side apply, as Helm 4 applies).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::{PATIENCE, run, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::lab::{Lab, lab, objects, rendered, value_sets};
use super::schemas;

/// Writes what the chart renders of a set into a file.
async fn manifest(lab: &Lab, folder: &str, name: &str, values: &Path) -> Result<(PathBuf, String)> {
    let text = rendered(name, folder, values).await?;
    let file = lab.folder(folder)?.join(format!("{name}.yaml"));
    fs::write(&file, &text)?;
    Ok((file, text))
}

async fn kubeconform(schemas: &Path, file: &Path) -> Result<acceptance::Output> {
    let mut command = Command::new(stack::install::go_program("kubeconform")?);
    let place = format!("{}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", schemas.display());
    command.args([
        "-strict",
        "-summary",
        "-skip",
        "CustomResourceDefinition",
        "-schema-location",
        &place,
    ]);
    command.arg(file);
    run(command).await
}

#[tokio::test]
async fn the_servers_own_description_knows_every_field() -> Result<()> {
    let lab = lab()?;
    let folder = lab.folder("schemas")?;
    // The server describes new definitions a moment after it serves them.
    let described = wait_until("monitors are described", PATIENCE, async || {
        let text = lab.kubectl_says(&["get", "--raw", "/openapi/v2"]).await?;
        ensure!(text.contains("com.coreos.monitoring.v1.ServiceMonitor"), "no ServiceMonitor yet");
        Ok(serde_json::from_str::<Value>(&text)?)
    });
    ensure!(schemas::write(&described.await?, &folder)? > 50, "there should be many kinds");
    for (name, values) in value_sets()? {
        let (file, _) = manifest(lab, "conform", &name, &values).await?;
        let said = kubeconform(&folder, &file).await?.success().context(name.clone())?;
        ensure!(said.contains("Invalid: 0, Errors: 0, Skipped: "), "{name}: {said}");
    }
    // A slip would be seen.
    let (file, text) = manifest(lab, "conform", "slip", &value_sets()?[0].1).await?;
    fs::write(&file, text.replace("readOnlyRootFilesystem", "readonlyRootFilesystem"))?;
    let said = kubeconform(&folder, &file).await?;
    ensure!(said.code != Some(0) && said.text.contains("readonlyRootFilesystem"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn the_server_takes_every_object() -> Result<()> {
    let lab = lab()?;
    lab.namespaces(&["dry-run"]).await?;
    // The server says which pods would not be admitted.
    let label = "pod-security.kubernetes.io/warn=restricted";
    lab.kubectl_says(&["label", "--overwrite", "namespace", "dry-run", label]).await?;
    for (name, values) in value_sets()? {
        let (file, text) = manifest(lab, "dry-run", &name, &values).await?;
        let all = objects(&text)?;
        let spaces: BTreeSet<&str> =
            all.iter().filter_map(|object| object["metadata"]["namespace"].as_str()).collect();
        lab.namespaces(&spaces.into_iter().collect::<Vec<_>>()).await?;
        let output = dry_run(lab, &file).await?;
        ensure!(!output.error.contains("would violate PodSecurity"), "{name}: {}", output.error);
        let said = output.success().context(name.clone())?;
        let taken = said.lines().filter(|line| line.contains("serverside-applied")).count();
        ensure!(taken == all.len() && taken > 1, "{name}: {taken} of {}: {said}", all.len());
    }
    // Slips would be seen: a right too many, and a word for a number.
    let (file, text) = manifest(lab, "dry-run", "lax", &value_sets()?[0].1).await?;
    fs::write(&file, text.replace("runAsNonRoot: true", "runAsNonRoot: false"))?;
    let said = dry_run(lab, &file).await?;
    ensure!(said.error.contains("would violate PodSecurity"), "{said:?}");
    let (file, text) = manifest(lab, "dry-run", "slip", &value_sets()?[0].1).await?;
    fs::write(
        &file,
        text.replace("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: soon"),
    )?;
    let said = dry_run(lab, &file).await?;
    ensure!(
        said.code != Some(0) && said.error.contains("terminationGracePeriodSeconds"),
        "{said:?}"
    );
    Ok(())
}

async fn dry_run(lab: &Lab, file: &Path) -> Result<acceptance::Output> {
    let mut command = lab.kubectl();
    command.args([
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
    ]);
    command.arg(file);
    run(command).await
}
