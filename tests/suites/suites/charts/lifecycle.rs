//! From install to uninstall. In: the chart, and the same chart one version on, whose definition has one more field. Out: the API
//! server takes the field after the upgrade and not after the way back; tenants outlive the release, and the next one finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::{PATIENCE, run, wait_until};
use anyhow::{Context, Result, ensure};

use super::lab::{Lab, NEON, chart, chart_arg, lab};

const HOME: &str = "lifecycle";
const TENANT: &str = "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata: { name: acme, namespace: lifecycle }\n";
const CRD: &str = "vectortenants.tenantry.dev";

/// A copy of the chart, one version on, whose tenants have a field `note`.
fn next_version(lab: &Lab) -> Result<PathBuf> {
    let copy = lab.folder("next")?.join("tenantry");
    stack::tool::output(Command::new("cp").arg("-r").arg(chart()).arg(&copy))?;
    let edit = |file: &str, from: &str, to: &str| -> Result<()> {
        let text = fs::read_to_string(copy.join(file))?;
        ensure!(text.contains(from), "{file} has no {from:?}");
        Ok(fs::write(copy.join(file), text.replacen(from, to, 1))?)
    };
    let version = |version: &str| format!("\nversion: {version}");
    edit("Chart.yaml", &version(env!("CARGO_PKG_VERSION")), &version("9999.0.0"))?;
    let paused = "              paused:\n";
    let note = "              note:\n                type: string\n";
    edit("files/vectortenants.yaml", paused, &format!("{note}{paused}"))?;
    Ok(copy)
}

async fn apply(lab: &Lab, folder: &Path, spec: &str) -> Result<acceptance::Output> {
    let file = folder.join("tenant.yaml");
    fs::write(&file, format!("{TENANT}spec: {spec}\n"))?;
    let mut command = lab.kubectl();
    command.args(["apply", "--server-side", "--validate=strict", "-f"]).arg(&file);
    run(command).await
}

/// Whether tenants may have a note now; the server learns of a new definition a moment later.
async fn wait_for_note(lab: &Lab, folder: &Path, taken: bool) -> Result<()> {
    wait_until("the definition is the new one", PATIENCE, async || {
        let said = apply(lab, folder, "{ note: hello }").await?;
        let right = if taken {
            said.code == Some(0)
        } else {
            said.error.contains("note") && said.code != Some(0)
        };
        ensure!(right, "with a note: {said:?}");
        Ok(())
    })
    .await
}

async fn kept(lab: &Lab, uid: &str) -> Result<()> {
    let said = lab
        .kubectl_says(&[
            "-n",
            HOME,
            "get",
            "vt",
            "acme",
            "-o",
            "jsonpath={.metadata.uid} {.metadata.deletionTimestamp}",
        ])
        .await?;
    ensure!(said.trim() == uid, "the tenant was {uid}, now: {said}");
    Ok(())
}

#[tokio::test]
async fn install_upgrade_roll_back_uninstall_and_again() -> Result<()> {
    let lab = lab()?;
    let (folder, next, chart) = (lab.folder(HOME)?, next_version(lab)?, chart_arg());
    let next = next.display().to_string();
    let install = ["install", "home", &chart, "--create-namespace", "--set", NEON];
    let said = lab.helm_says(HOME, &install).await?;
    ensure!(
        said.contains("kubectl -n lifecycle rollout status deployment/home-tenantry-operator"),
        "{said}"
    );
    let crd = format!("crd/{CRD}");
    lab.kubectl_says(&["wait", "--for=condition=Established", "--timeout=60s", &crd]).await?;
    wait_for_note(lab, &folder, false).await?;
    wait_until("a tenant", PATIENCE, async || apply(lab, &folder, "{}").await?.success()).await?;
    let uid = lab
        .kubectl_says(&["-n", HOME, "get", "vt", "acme", "-o", "jsonpath={.metadata.uid}"])
        .await?;

    a_tenant_that_is_not_retained_is_printed(lab).await?;

    lab.helm_says(HOME, &["upgrade", "home", &next, "--reset-then-reuse-values"]).await?;
    wait_for_note(lab, &folder, true).await?;
    kept(lab, &uid).await.context("after the upgrade")?;

    lab.helm_says(HOME, &["rollback", "home", "1"]).await?;
    wait_for_note(lab, &folder, false).await?;
    kept(lab, &uid).await.context("after rolling back")?;

    let said = lab.helm_says(HOME, &["uninstall", "home"]).await?;
    ensure!(said.contains(CRD), "Helm does not say what it kept: {said}");
    kept(lab, &uid).await.context("after uninstalling")?;
    let left = lab
        .kubectl_says(&[
            "get",
            LEFT,
            "--all-namespaces",
            "-l",
            "app.kubernetes.io/instance=home",
            "-o",
            "name",
        ])
        .await?;
    ensure!(left.is_empty(), "left behind: {left}");

    // Twice: what stayed is taken back, and no second one fights over it.
    lab.helm_says(HOME, &install).await.context("again")?;
    kept(lab, &uid).await.context("after installing again")?;
    let owner =
        ["get", &crd, "-o", "jsonpath={.metadata.annotations.meta\\.helm\\.sh/release-namespace}"];
    ensure!(lab.kubectl_says(&owner).await? == HOME);
    let second = ["install", "second", &chart, "--create-namespace", "--set", NEON];
    let refused = lab.helm_says("lifecycle-second", &second).await;
    ensure!(
        refused.is_err_and(|error| format!("{error:#}").contains("vectortenants.tenantry.dev")),
        "two own one definition"
    );
    lab.helm_says(HOME, &["uninstall", "home"]).await?;
    Ok(())
}

/// The look before all tenants are deleted, as docs/operations.md has it: a database depends on what it prints.
async fn a_tenant_that_is_not_retained_is_printed(lab: &Lab) -> Result<()> {
    let text = fs::read_to_string(stack::paths::checkout().join("docs/operations.md"))?;
    let guard = text.split("**This must print nothing.**").nth(1).context("no guard")?;
    let path = guard.split('\'').nth(1).context("no jsonpath")?;
    let look = ["-n", HOME, "get", "vt", "-o", &format!("jsonpath={path}")];
    let retain = |policy: &str| format!(r#"{{"spec":{{"deletionPolicy":{policy}}}}}"#);
    for (policy, printed) in [(None, true), (Some("\"Retain\""), false), (Some("null"), true)] {
        if let Some(policy) = policy {
            let patch = retain(policy);
            lab.kubectl_says(&["-n", HOME, "patch", "vt", "acme", "--type=merge", "-p", &patch])
                .await?;
        }
        let said = lab.kubectl_says(&look).await?;
        ensure!(said.contains("lifecycle/acme") == printed, "{policy:?}: {said:?}");
    }
    Ok(())
}

/// Everything that the chart makes and does not mean to keep.
const LEFT: &str = "deployment,service,serviceaccount,poddisruptionbudget,networkpolicy,role,rolebinding,clusterrole,clusterrolebinding";

/// Between one pod without a Lease and two with one, and between a volume and a bucket: the API server takes each way.
#[tokio::test]
async fn upgrades_between_ways_of_replacing_pods_are_taken() -> Result<()> {
    let lab = lab()?;
    let chart = chart_arg();
    let sets = |name: &str| chart_file(&format!("ci/{name}-values.yaml"));
    let (app, s3, single) =
        (sets("app"), sets("s3"), "operator.replicas=1,operator.leaderElection.enabled=false");
    let common = ["--set", "crds.install=false,app.tenantsNamespace=replaced-tenants"];
    let auto = "app.autoscaling.enabled=true";
    let steps: [&[&str]; 7] = [
        &["-f", &app],
        &["-f", &s3],
        &["-f", &app, "--set", single],
        &["-f", &app],
        &["-f", &s3],
        &["-f", &s3, "--set", auto],
        &["-f", &s3, "--set", auto],
    ];
    let mut scaled = false;
    for step in steps {
        let mut args = vec!["upgrade", "--install", "replaced", &chart, "--create-namespace"];
        args.extend(common);
        args.extend(step);
        lab.helm_says("replaced", &args).await.with_context(|| format!("{step:?}"))?;
        if step.contains(&auto) && !scaled {
            scaled = true;
            // As an autoscaler does. The next upgrade must neither fail over it nor take it back.
            let scale =
                ["-n", "replaced", "scale", "deployment/replaced-tenantry-app", "--replicas=4"];
            lab.kubectl_says(&scale).await?;
        }
    }
    let replicas = [
        "-n",
        "replaced",
        "get",
        "deployment/replaced-tenantry-app",
        "-o",
        "jsonpath={.spec.replicas}",
    ];
    ensure!(
        lab.kubectl_says(&replicas).await? == "4",
        "an upgrade took the autoscaler's number back"
    );
    let said = lab.helm_says("replaced", &["uninstall", "replaced"]).await?;
    ensure!(said.contains("replaced-tenants"), "the tenants' namespace was not kept: {said}");
    lab.kubectl_says(&["get", "namespace", "replaced-tenants"]).await.map(drop)
}

fn chart_file(name: &str) -> String {
    chart().join(name).display().to_string()
}
