//! The chart as an OCI artifact. In: a registry on loopback. Out: what is pushed comes back byte for byte, and installs from there.

use std::fs;
use std::process::Command;
use std::time::Duration;

use acceptance::run;
use anyhow::{Context, Result, ensure};

use super::lab::{NEON, chart_arg, helm, lab};

/// The chart's version is that of everything here.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_chart_is_pushed_pulled_and_installed_from_a_registry() -> Result<()> {
    let lab = lab()?;
    let mut serve = Command::new(stack::install::go_program("crane")?);
    serve.args(["registry", "serve", "--address", "127.0.0.1:0"]);
    let registry = lab.spawn("chart-registry", &serve)?;
    let said = registry.wait_for_log("serving on port", PATIENCE)?;
    let port = said.rsplit(' ').next().context("no port")?.trim().to_owned();
    let place = format!("oci://127.0.0.1:{port}/charts");

    let (made, pulled) = (lab.folder("made")?, lab.folder("pulled")?);
    let helm_in = async |folder: &std::path::Path, args: &[&str]| {
        let mut command = helm()?;
        command.args(args).current_dir(folder);
        run(command).await?.success()
    };
    helm_in(&made, &["package", &chart_arg()]).await?;
    let package = &format!("tenantry-{VERSION}.tgz");
    helm_in(&made, &["push", package, &place, "--plain-http"]).await?;
    let remote = format!("{place}/tenantry");
    helm_in(&pulled, &["pull", &remote, "--version", VERSION, "--plain-http"]).await?;
    ensure!(
        fs::read(made.join(package))? == fs::read(pulled.join(package))?,
        "it came back changed"
    );

    // What is checked with the chart does not travel with it.
    let listing = Command::new("tar").args(["tzf", package]).current_dir(&made).output()?;
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    ensure!(listing.contains("tenantry/files/vectortenants.yaml"), "{listing}");
    ensure!(!listing.contains("tenantry/ci/") && !listing.contains("tenantry/tests/"), "{listing}");

    let install =
        ["install", "pulled", &remote, "--version", VERSION, "--plain-http", "--create-namespace"];
    let sets = ["--set", NEON, "--set", "crds.install=false"];
    lab.helm_says("registry", &[&install[..], &sets[..]].concat()).await?;
    lab.kubectl_says(&["-n", "registry", "get", "deployment", "pulled-tenantry-operator"]).await?;
    lab.helm_says("registry", &["uninstall", "pulled"]).await?;
    registry.terminate();
    Ok(())
}
