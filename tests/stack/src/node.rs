//! A real Kubernetes node on this machine: containerd, runc, kubelet, kube-proxy, kube-scheduler, in namespaces of its own.
//!
//! In: root, a run whose API server was told of the node (`Options::node`), image archives. Out: a node that is Ready and runs pods.
//! `namespaces` makes the place in which the whole stack then runs, `config` is what the parts read. Pods reach what listens on the
//! stack's loopback at [`ADDRESS`]. Nothing is written outside the run's folder but cgroups, which `namespaces::leave` removes.
//! NetworkPolicies are not enforced here: the bridge plugin knows none.

mod cgroups;
mod config;
mod image;
pub mod namespaces;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::certs::Certs;
use crate::child::{Child, poll};
use crate::kubeconfig::{self, Who};
use crate::run::{Run, Stop};
use crate::{install, tool};

/// The node's address on the bridge: where pods find the API server and, forwarded to loopback, everything else of the stack.
pub const ADDRESS: &str = "10.88.0.1";
/// The node's name.
pub const NAME: &str = "node1";
/// The range of addresses that pods get.
pub(crate) const PODS: &str = "10.88.0.0/16";
/// Where runtime sockets are, in the namespace's own /run.
const SOCKET: &str = "/run/containerd/containerd.sock";
const PATIENCE: Duration = Duration::from_secs(120);

/// What a node is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Archives (of docker or OCI) of the images that pods may use.
    pub images: Vec<PathBuf>,
}

/// Starts the node and waits until it is Ready. `cluster` is the `cluster` part of kubeconfigs.
pub(crate) fn start(
    run: &Run,
    wanted: &Wanted,
    certs: &Certs,
    cluster: &Value,
    kubectl: impl Fn() -> Command,
) -> Result<()> {
    let folder = run.subfolder("node")?;
    let containerd = start_containerd(run, &folder)?;
    import(&folder, wanted)?;
    let config = |name: &str| {
        let path = folder.join(format!("{name}.kubeconfig"));
        kubeconfig::write(&path, cluster, &Who::Certificate(certs, name))
    };
    let mut scheduler = Command::new(install::go_program("kube-scheduler")?);
    scheduler.args(["--leader-elect=false", "--bind-address=127.0.0.1", "--kubeconfig"]);
    let scheduler =
        run.spawn("kube-scheduler", scheduler.arg(config("scheduler")?), None, Stop::Kill)?;
    let mut proxy = Command::new(install::go_program("kube-proxy")?);
    proxy.args(config::proxy_flags()).arg("--kubeconfig").arg(config("proxy")?);
    let proxy = run.spawn("kube-proxy", &proxy, None, Stop::Kill)?;
    let file = folder.join("kubelet.json");
    fs::write(&file, config::kubelet(certs, &folder, &namespaces::cgroup()).to_string())?;
    let mut kubelet = Command::new(install::go_program("kubelet")?);
    kubelet.arg("--config").arg(&file).arg("--kubeconfig").arg(config("kubelet")?);
    kubelet.args(["--hostname-override", NAME, "--node-ip", ADDRESS]);
    kubelet.arg("--root-dir").arg(run.subfolder("node/kubelet")?);
    let kubelet = run.spawn("kubelet", &kubelet, None, Stop::Kill)?;
    await_ready(&[containerd, scheduler, proxy, kubelet], kubectl)
}

fn start_containerd(run: &Run, folder: &Path) -> Result<Child> {
    let program = install::go_program("containerd")?;
    let network = folder.join("cni");
    fs::create_dir_all(&network)?;
    fs::write(network.join("10-bridge.conflist"), config::network().to_string())?;
    let file = folder.join("containerd.toml");
    fs::write(&file, config::containerd(folder, &network))?;
    let mut command = Command::new(&program);
    command.arg("--config").arg(file);
    // It starts its shim and runc by name.
    let beside = program.parent().context("containerd's folder")?.display().to_string();
    command.env("PATH", format!("{beside}:/usr/sbin:/usr/bin:/sbin:/bin"));
    let containerd = run.spawn("containerd", &command, None, Stop::Kill)?;
    let up = poll(PATIENCE, || {
        let answers = ctr().is_ok_and(|mut ctr| {
            ctr.arg("version").output().is_ok_and(|output| output.status.success())
        });
        (answers || !containerd.is_running()).then_some(answers)
    });
    match up {
        Some(true) => Ok(containerd),
        _ => bail!("containerd did not start\n{}", containerd.last_lines(20)),
    }
}

fn ctr() -> Result<Command> {
    let mut ctr = Command::new(install::go_program("ctr")?);
    ctr.args(["--address", SOCKET, "--namespace", "k8s.io"]);
    Ok(ctr)
}

/// The archive of an image, for the runtime.
pub fn import_image(archive: &Path) -> Result<()> {
    let mut import = ctr()?;
    import.args(["images", "import", "--local"]).arg(archive);
    tool::output(&mut import).map(drop)
}

/// SIGKILL to the process of a container, by the container's id.
pub fn kill_container(id: &str) -> Result<()> {
    let mut kill = ctr()?;
    tool::output(kill.args(["task", "kill", "--signal", "SIGKILL", id])).map(drop)
}

fn import(folder: &Path, wanted: &Wanted) -> Result<()> {
    let pause = folder.join("pause.tar");
    image::write(&pause, config::PAUSE, &install::go_program("pause")?)?;
    import_image(&pause)?;
    wanted.images.iter().try_for_each(|archive| import_image(archive))
}

fn await_ready(parts: &[Child], kubectl: impl Fn() -> Command) -> Result<()> {
    let asked = || {
        let mut ready = kubectl();
        ready.args(["wait", "--for=condition=Ready", &format!("node/{NAME}"), "--timeout=1s"]);
        let mut account = kubectl();
        account.args(["get", "serviceaccount/default"]);
        [ready, account]
            .iter_mut()
            .all(|command| command.output().is_ok_and(|output| output.status.success()))
    };
    let answered = poll(PATIENCE, || {
        if let Some(dead) = parts.iter().find(|part| !part.is_running()) {
            return Some(Err(anyhow!("{}\n{}", dead.epitaph(), dead.last_lines(20))));
        }
        asked().then_some(Ok(()))
    });
    answered.unwrap_or_else(|| {
        let logs: Vec<String> = parts.iter().map(|part| part.last_lines(10)).collect();
        Err(anyhow!("the node was not Ready within {PATIENCE:?}\n{}", logs.join("\n")))
    })
}
