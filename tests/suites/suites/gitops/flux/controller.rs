//! The kustomize-controller of this test process. In: nothing. Out: one process, started by the first test that needs it,
//! which serves every namespace with an administrator's rights; its kinds come from Flux's own Go modules.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use acceptance::{World, world};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use stack::Child;

/// Its go.mod says which version runs.
const TOOL: &str = "tests/tools/kustomize-controller";
const CONTROLLER: &str = "github.com/fluxcd/kustomize-controller";
/// The controller watches its kinds, too. Flux gives both programs the same number; no go.mod of ours names this one.
const SOURCES: &str = "github.com/fluxcd/source-controller";

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
    let checkout = stack::paths::checkout();
    let wanted = std::fs::read_to_string(checkout.join(TOOL).join("go.mod"))?;
    let version = version_of(&wanted, CONTROLLER)?;
    let modules = [CONTROLLER, SOURCES].map(|module| format!("{module}@{version}"));
    let mut download = Command::new(go);
    download.args(["mod", "download", "-json"]).args(&modules);
    let text = stack::tool::output(download.current_dir(checkout.join(TOOL)))?;
    let answers = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let folders = answers.map(|module| {
        let module = module?;
        let folder = module["Dir"].as_str().with_context(|| format!("no folder: {module}"))?;
        Ok(Path::new(folder).join("config/crd/bases"))
    });
    let folders: Vec<PathBuf> = folders.collect::<Result<_>>()?;
    ensure!(folders.len() == modules.len(), "{text}");
    Ok(folders)
}

/// The version of a module that a go.mod requires.
fn version_of<'a>(text: &'a str, module: &str) -> Result<&'a str> {
    let required = text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        line.strip_prefix(module)?.strip_prefix(' ')?.split(' ').next()
    });
    required.with_context(|| format!("{TOOL}/go.mod does not require {module}"))
}
