//! The files of examples/gitops. In: the folder. Out: every kustomization builds and is taken by the API server, what the
//! files say of each other is true, and they are at hand for the other tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use acceptance::{TestOperator, World};
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::flux::Flux;

/// Where production's tenants live, in the files as they are.
const PRODUCTION: &str = "tenants-production";

fn folder() -> PathBuf {
    stack::paths::checkout().join("examples/gitops")
}

/// All files by their path in the repository, with production's namespace renamed.
pub(super) fn files(namespace: &str) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    collect(&folder(), &mut files)?;
    let kustomized = files.into_iter().filter(|(path, _)| path.ends_with(".yaml"));
    Ok(kustomized.map(|(path, text)| (path, rename(&text, namespace))).collect())
}

/// Only where it is the namespace: the Kustomizations' names begin with the same words.
fn rename(text: &str, namespace: &str) -> String {
    text.replace(&format!("namespace: {PRODUCTION}\n"), &format!("namespace: {namespace}\n"))
}

fn collect(folder: &Path, files: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let name = path.strip_prefix(stack::paths::checkout())?.to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The documents of a file of YAML.
fn documents(file: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(folder().join(file)).with_context(|| file.to_owned())?;
    serde_saphyr::from_multiple(&text).with_context(|| file.to_owned())
}

/// The Kustomizations of a file of the Flux example, with production's namespace renamed and none of their own.
pub(super) fn kustomizations(file: &str, namespace: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(folder().join("flux").join(file))?;
    Ok(serde_saphyr::from_multiple(&rename(&text, namespace))?)
}

/// A tenant as a file.
pub(super) fn tenant(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata: {{namespace: {namespace}, name: {name}}}\nspec: {spec}\n"
    )
}

/// Builds a folder and lets the API server judge every object of it; their names.
fn dry_run(world: &World, folder: &Path) -> Result<String> {
    let mut build = world.kubectl();
    let built = stack::tool::output(build.arg("kustomize").arg(folder))?;
    let mut apply = world.kubectl();
    apply.args(["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "name"]);
    piped(apply.args(["-f", "-"]), &built)
}

/// Runs a command with this on its standard input; what it prints.
pub(super) fn piped(command: &mut Command, input: &str) -> Result<String> {
    use std::io::Write;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut stdin = child.stdin.take().context("standard input")?;
    let input = input.to_owned();
    // On a thread: a program that answers while it reads would else block both.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    let (text, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?}: {text}{error}");
    writer.join().map_err(|_| anyhow::anyhow!("writing panicked"))??;
    Ok(text.into_owned())
}

#[tokio::test]
async fn every_example_builds_and_is_taken_by_the_server() -> Result<()> {
    let t = TestOperator::named("gitops-examples").idle().start().await?;
    // Brings Flux's kinds.
    let Some(_flux) = Flux::start("examples", &t).await? else { return Ok(()) };
    // A dry run makes no namespace for the objects that come after it.
    let namespaces: Api<Namespace> = Api::all(t.client.clone());
    let needed = ["tenants", "tenants-staging", PRODUCTION, "flux-system", "argocd"];
    for name in needed {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let apply = PatchParams::apply("acceptance");
        namespaces.patch(name, &apply, &Patch::Apply(&object)).await?;
    }
    let world = t.world;
    let mut all = BTreeMap::new();
    collect(&folder(), &mut all)?;
    let mut seen = Vec::new();
    for path in all.keys().filter_map(|path| path.strip_suffix("/kustomization.yaml")) {
        let folder = stack::paths::checkout().join(path);
        let names = tokio::task::spawn_blocking(move || dry_run(world, &folder)).await?;
        let names = names.with_context(|| path.to_owned())?;
        seen.push((path.to_owned(), names.lines().count()));
    }
    let short = |path: &str| path.trim_start_matches("examples/gitops/").to_owned();
    let seen: Vec<_> = seen.iter().map(|(path, count)| (short(path), *count)).collect();
    let expected = [
        ("base", 2),
        ("flux", 4),
        ("overlays/production/customers", 2),
        ("overlays/production", 4),
        ("overlays/production/pilot", 2),
        ("overlays/staging", 3),
    ];
    assert_eq!(seen, expected.map(|(path, count)| (path.to_owned(), count)));
    let config = folder().join("argocd/argocd-cm.yaml").to_string_lossy().into_owned();
    t.kubectl(&["apply", "-n", "argocd", "--server-side", "--dry-run=server", "-f", &config])
        .await?
        .success()?;
    for name in needed {
        namespaces.delete(name, &DeleteParams::background()).await?;
    }
    Ok(())
}

#[test]
fn what_the_examples_say_of_each_other_is_true() -> Result<()> {
    let checkout = stack::paths::checkout();
    let mut waves = documents("flux/staging.yaml")?;
    waves.extend(documents("flux/production.yaml")?);
    let names: Vec<&Value> = waves.iter().map(|wave| &wave["metadata"]["name"]).collect();
    let source = &documents("flux/source.yaml")?[0];
    for wave in &waves {
        let spec = &wave["spec"];
        let path = spec["path"].as_str().context("path")?;
        ensure!(checkout.join(path).join("kustomization.yaml").is_file(), "{path}");
        assert_eq!(spec["sourceRef"]["name"], source["metadata"]["name"]);
        for before in spec["dependsOn"].as_array().into_iter().flatten() {
            ensure!(names.contains(&&before["name"]), "{before} is no wave");
        }
        let waits = spec["wait"] == true || spec["healthChecks"].is_array();
        ensure!(waits, "{} waits for nothing", wave["metadata"]["name"]);
    }
    let application = &documents("argocd/application.yaml")?[0];
    let path = application["spec"]["source"]["path"].as_str().context("path")?;
    ensure!(checkout.join(path).join("kustomization.yaml").is_file(), "{path}");
    assert_eq!(application["spec"]["source"]["repoURL"], source["spec"]["url"]);
    Ok(())
}

/// Both files for the chart lead to the chart of this checkout, and their values are values of it.
#[tokio::test]
async fn the_chart_is_installed_with_values_that_it_takes() -> Result<()> {
    let application = documents("argocd/chart.yaml")?.remove(0);
    let release = documents("flux/chart.yaml")?.remove(1);
    let source = &application["spec"]["source"];
    let chart = &release["spec"]["chart"]["spec"];
    assert_eq!(source["path"], "charts/tenantry");
    assert_eq!(chart["chart"], "./charts/tenantry");
    let version = format!("v{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(source["targetRevision"], version);
    assert_eq!(documents("flux/chart.yaml")?[0]["spec"]["ref"]["tag"], version);
    let home = "tenantry-system";
    assert_eq!(application["spec"]["destination"]["namespace"], home);
    assert_eq!(release["spec"]["targetNamespace"], home);
    for values in [&source["helm"]["valuesObject"], &release["spec"]["values"]] {
        ensure!(values.is_object(), "no values");
        let mut helm = Command::new(stack::install::go_program("helm")?);
        helm.args(["template", "tenantry"]).arg(stack::paths::checkout().join("charts/tenantry"));
        helm.args(["--namespace", home, "--values", "-"]);
        let (values, home) = (values.to_string(), stack::paths::cache_folder("helm")?);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(name, &home);
        }
        let made = tokio::task::spawn_blocking(move || piped(&mut helm, &values)).await??;
        ensure!(made.contains("name: tenantry-operator"), "{made}");
    }
    Ok(())
}

#[test]
fn the_config_map_holds_the_text_of_the_health_check() -> Result<()> {
    let lua = fs::read_to_string(folder().join("argocd/health.lua"))?;
    let config = &documents("argocd/argocd-cm.yaml")?[0];
    let key = "resource.customizations.health.tenantry.dev_VectorTenant";
    assert_eq!(config["data"][key].as_str(), Some(lua.as_str()));
    Ok(())
}
