//! Helm, the chart, and an API server for them.
//!
//! In: nothing. Out: commands that know where everything is and leave nothing in anybody's home. The server is this suite's own: the
//! tests here change the definition of tenants, by which all others live. Its parts die with the process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use acceptance::run;
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use stack::{Options, Stack};

/// What every installation must name.
pub(super) const NEON: &str = "neon.apiKey.existingSecret=neon";

/// An API server on which only charts are installed.
pub(super) struct Lab {
    stack: Stack,
}

/// The lab of this process; the first call starts it.
pub(super) fn lab() -> Result<&'static Lab> {
    static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
    // A thread of its own: starting blocks.
    let start = || {
        let started = std::thread::spawn(Lab::start).join();
        started.unwrap_or_else(|_| Err(anyhow!("starting panicked"))).map_err(|e| format!("{e:#}"))
    };
    LAB.get_or_init(start).as_ref().map_err(|error| anyhow!("no lab: {error}"))
}

impl Lab {
    fn start() -> Result<Self> {
        let options = Options {
            cluster: stack::options::Cluster::Own,
            emulator: None,
            pooler: false,
            operator_rights: false,
            ..Options::default()
        };
        let lab = Self { stack: Stack::start(options)? };
        // The definitions that monitors and rules need, as Prometheus Operator ships them.
        let mut apply = lab.kubectl();
        apply.args(["apply", "--server-side"]);
        for name in ["servicemonitors", "prometheusrules"] {
            apply
                .arg("-f")
                .arg(prometheus_operator()?.join(format!("monitoring.coreos.com_{name}.yaml")));
        }
        stack::tool::output(&mut apply)?;
        Ok(lab)
    }

    /// kubectl as the administrator.
    pub(super) fn kubectl(&self) -> Command {
        self.stack.kubectl()
    }

    /// kubectl to its end; what it printed.
    pub(super) async fn kubectl_says(&self, args: &[&str]) -> Result<String> {
        let mut command = self.kubectl();
        command.args(args);
        run(command).await?.success().with_context(|| format!("kubectl {}", args.join(" ")))
    }

    /// helm as the administrator, in a namespace, to its end; what it printed.
    pub(super) async fn helm_says(&self, namespace: &str, args: &[&str]) -> Result<String> {
        let mut command = helm()?;
        command.arg("--kubeconfig").arg(self.stack.kubeconfig());
        command.args(["--namespace", namespace]).args(args);
        run(command).await?.success().with_context(|| format!("helm {}", args.join(" ")))
    }

    /// Makes namespaces; those that are there already are fine.
    pub(super) async fn namespaces(&self, names: &[&str]) -> Result<()> {
        for name in names {
            let mut create = self.kubectl();
            create.args(["create", "namespace", name]);
            let output = run(create).await?;
            if !output.error.contains("AlreadyExists") {
                output.success()?;
            }
        }
        Ok(())
    }

    /// A folder for a test, gone with the lab.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.stack.scratch_dir()?.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Starts a program that ends with the lab.
    pub(super) fn spawn(&self, name: &str, command: &Command) -> Result<stack::Child> {
        self.stack.spawn(name, command)
    }
}

/// helm, which must not read or write what the user's own helm has.
pub(super) fn helm() -> Result<Command> {
    let home = stack::paths::cache_folder("helm")?;
    let mut command = Command::new(stack::install::go_program("helm")?);
    command.env_remove("KUBECONFIG");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, &home);
    }
    Ok(command)
}

/// The chart's folder.
pub(super) fn chart() -> PathBuf {
    stack::paths::checkout().join("charts/tenantry")
}

/// The chart's folder, as an argument.
pub(super) fn chart_arg() -> String {
    chart().display().to_string()
}

/// The committed sets of values: their names and files.
pub(super) fn value_sets() -> Result<Vec<(String, PathBuf)>> {
    let mut sets = Vec::new();
    for entry in std::fs::read_dir(chart().join("ci"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix("-values.yaml") {
            sets.push((name.to_owned(), path.clone()));
        }
    }
    sets.sort();
    Ok(sets)
}

/// What `helm template` makes of a set, as text.
pub(super) async fn rendered(release: &str, namespace: &str, values: &Path) -> Result<String> {
    let mut command = helm()?;
    command.args(["template", release, &chart_arg(), "--namespace", namespace, "--values"]);
    command.arg(values);
    run(command).await?.success()
}

/// The objects of a rendered chart.
pub(super) fn objects(text: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(all.into_iter().filter(|object| !object.is_null()).collect())
}

/// The one object of this kind and name.
pub(super) fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).with_context(|| format!("no {kind} {name}"))
}

/// Prometheus Operator's definitions, out of the Go module that ships them.
fn prometheus_operator() -> Result<PathBuf> {
    let module = "github.com/prometheus-operator/prometheus-operator";
    let go = stack::install::require("go", "install Go 1.26 or newer from https://go.dev/dl/")?;
    let mut download = Command::new(go);
    download.args(["mod", "download", "-json", module]);
    download.current_dir(stack::paths::checkout().join("tests/tools/prometheus-operator"));
    let said: Value = serde_json::from_str(&stack::tool::output(&mut download)?)?;
    let folder = said["Dir"].as_str().context("go mod download names no folder")?;
    Ok(Path::new(folder).join("example/prometheus-operator-crd"))
}
