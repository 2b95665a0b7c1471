//! Namespaces in which a node can live beside everything else on this machine.
//!
//! In: root. Out: `missing` says what keeps a node from running here, `enter` runs a command in namespaces of its own (mounts,
//! network, processes, host name, IPC), `furnish` makes them a home for a node, `leave` removes what remains in the end: cgroups.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::ADDRESS;
use crate::{install, paths, tool};

const CGROUPS: &str = "/sys/fs/cgroup";
/// Says to a process that it runs in such namespaces, and how its cgroup is called.
const MARK: &str = "TENANTRY_NODE_CGROUP";
const CONTROLLERS: [&str; 9] =
    ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"];
/// What the kubelet writes at its start; a file of ours takes each write.
const SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Whether this process runs in namespaces that `enter` made.
pub fn inside() -> bool {
    crate::options::env(MARK).is_some()
}

/// Name of the node's cgroup.
pub(super) fn cgroup() -> String {
    crate::options::env(MARK).unwrap_or_default()
}

/// What keeps a node from running here; installs the packages that it needs.
pub fn missing() -> Result<(), String> {
    if paths::uid() != 0 {
        return Err("a node needs root".to_owned());
    }
    if !Path::new(CGROUPS).join("memory").is_dir() {
        return Err("a node here needs cgroup v1 (v2 alone is not supported yet)".to_owned());
    }
    install::node_packages().map_err(|error| format!("{error:#}"))?;
    let bridge = "ip link add t0 type bridge && nft add table ip t && mount -t tmpfs t /run && mkdir /run/{l,u,w,m} \
                  && mount -t overlay -o lowerdir=/run/l,upperdir=/run/u,workdir=/run/w o /run/m";
    let mut probe = namespaces();
    probe.args(["bash", "-ec", bridge]);
    let failed =
        |error| format!("namespaces, bridges, nftables or overlays cannot be had: {error:#}");
    tool::output(&mut probe).map(drop).map_err(failed)
}

fn namespaces() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]);
    unshare.arg("--mount-proc");
    unshare
}

/// The same command, in namespaces of its own; it must call `furnish` first.
pub fn enter(command: &Command) -> Command {
    let mut entered = namespaces();
    entered.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => entered.env(name, value),
            None => entered.env_remove(name),
        };
    }
    entered.env(MARK, format!("tenantry-{}", std::process::id()));
    entered
}

/// Removes the cgroups of the namespaces that this process's `enter` made, once all in them have ended.
pub fn leave() {
    let name = format!("tenantry-{}", std::process::id());
    for controller in CONTROLLERS {
        remove_below(&Path::new(CGROUPS).join(controller).join(&name));
    }
}

/// A cgroup is removed by `rmdir`, those in it first.
fn remove_below(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    let _ = fs::remove_dir(cgroup);
}

/// Makes the namespaces of this process, the first in them, a home for a node.
pub fn furnish() -> Result<()> {
    ensure!(std::process::id() == 1, "only the first process of a PID namespace furnishes it");
    mounts()?;
    network()?;
    cgroups()
}

fn mounts() -> Result<()> {
    run("mount", &["--make-rprivate", "/"])?;
    // What containerd, the kubelet and the network plugin write outside their own folders ends with the namespace.
    // And other runs' folders, whose owners cannot be seen from here, must not be taken for those of the dead.
    let runs = paths::cache_folder("run")?.display().to_string();
    for place in ["/run", "/var/lib", "/var/log", "/dev/shm", &runs] {
        run("mount", &["-t", "tmpfs", "tmpfs", place])?;
    }
    let folder = Path::new("/run/sysctl");
    fs::create_dir_all(folder)?;
    for (key, value) in SYSCTLS {
        let file = folder.join(key.replace('/', "_"));
        fs::write(&file, value)?;
        run("mount", &["--bind", &file.display().to_string(), &format!("/proc/sys/{key}")])?;
    }
    run("mount", &["--make-rshared", "/"])?;
    run("hostname", &[super::NAME])
}

/// A bridge for pods. What they ask of the node's address is answered by whoever listens on loopback, and so it is for our own
/// processes, but for the ports above: those are bound at that address itself.
fn network() -> Result<()> {
    run("ip", &["link", "set", "lo", "up"])?;
    run("ip", &["link", "add", "cni0", "type", "bridge"])?;
    run("ip", &["address", "add", &format!("{ADDRESS}/16"), "dev", "cni0"])?;
    run("ip", &["link", "set", "cni0", "up"])?;
    run("ip", &["route", "add", "default", "dev", "cni0"])?;
    let sysctl = Path::new("/proc/sys/net/ipv4");
    for key in ["ip_forward", "conf/all/route_localnet", "conf/cni0/route_localnet"] {
        fs::write(sysctl.join(key), "1").with_context(|| format!("sysctl {key}"))?;
    }
    let rule = format!("ip daddr {ADDRESS} tcp dport 20000-32767 dnat to 127.0.0.1");
    for (chain, hook) in [("from-pods", "prerouting"), ("from-here", "output")] {
        let head = format!("{{ type nat hook {hook} priority -110; }}");
        run("nft", &["add", "table", "ip", "stack"])?;
        run("nft", &["add", "chain", "ip", "stack", chain, &head])?;
        run("nft", &["add", "rule", "ip", "stack", chain, &rule])?;
    }
    Ok(())
}

fn cgroups() -> Result<()> {
    let place = |controller: &str| -> PathBuf { Path::new(CGROUPS).join(controller) };
    for controller in CONTROLLERS.into_iter().filter(|name| place(name).is_dir()) {
        fs::create_dir_all(place(controller).join(cgroup()))?;
    }
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let all = fs::read(place("cpuset").join(file))?;
        fs::write(place("cpuset").join(cgroup()).join(file), all)?;
    }
    Ok(())
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    tool::output(Command::new(program).args(args)).map(drop)
}
