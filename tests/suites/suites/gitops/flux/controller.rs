//! The kustomize-controller of this test process. In: nothing. Out: one process, started by the first test that needs it,
//! which serves every namespace with an administrator's rights; its kinds come from Flux's own Go modules.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use acceptance::{World, world};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use stack::Child;

/// The controller watches kinds of both; the versions belong together.
const MODULES: [&str; 2] =
    ["github.com/fluxcd/kustomize-controller@v1.9.5", "github.com/fluxcd/source-controller@v1.9.5"];

/// The running controller; the first call starts it. It blocks.
pub(super) fn controller() -> Result<Child> {
    static CONTROLLER: OnceLock<Result<Child, String>> = OnceLock::new();
    let start = || world().and_then(start).map_err(|error| format!("{error:#}"));
    CONTROLLER.get_or_init(start).clone().map_err(|error| anyhow!("no Flux: {error}"))
}

fn start(world: &'static World) -> Result<Child> {
    let program = stack::install::go_program("kustomize-controller")?;
    let mut apply = world.kubectl();
    apply.args(["apply", "--server-side"]);
    for folder in definitions()? {
        apply.arg("-f").arg(folder);
    }
    stack::tool::output(&mut apply)?;
    let mut wait = world.kubectl();
    wait.args(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    stack::tool::output(&mut wait)?;

    let mut command = Command::new(program);
    command.args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"]);
    command.args(["--no-remote-bases", "--concurrent=8", "--requeue-dependency=1s"]);
    command.args(["--interval-jitter-percentage=0", "--log-encoding=json"]);
    command.env("KUBECONFIG", world.stack().kubeconfig());
    command.env("RUNTIME_NAMESPACE", "flux-system").env("NO_PROXY", "127.0.0.1");
    command.env("TMPDIR", world.stack().scratch_dir()?);
    world.stack().spawn("kustomize-controller", &command)
}

/// Folders with the definitions of Flux's kinds, downloaded where they are not there yet.
fn definitions() -> Result<Vec<PathBuf>> {
    let go = stack::install::require("go", "install Go 1.26 or newer from https://go.dev/dl/")?;
    let mut download = Command::new(go);
    download.args(["mod", "download", "-json"]).args(MODULES);
    let text = stack::tool::output(download.current_dir(std::env::temp_dir()))?;
    let modules = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let folders = modules.map(|module| {
        let module = module?;
        let folder = module["Dir"].as_str().with_context(|| format!("no folder: {module}"))?;
        Ok(Path::new(folder).join("config/crd/bases"))
    });
    let folders: Vec<PathBuf> = folders.collect::<Result<_>>()?;
    ensure!(folders.len() == MODULES.len(), "{text}");
    Ok(folders)
}
