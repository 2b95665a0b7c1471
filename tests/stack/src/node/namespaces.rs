//! Namespaces in which a node can live beside everything else on this machine.
//!
//! In: root. Out: `missing` says what keeps a node from running here, `enter` runs a command in namespaces of its own (mounts,
//! network, processes, host name, IPC), `furnish` makes them a home for a node, `leave` removes what remains in the end: cgroups.
//! What a killed owner could not remove, the next `enter` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{ADDRESS, cgroups};
use crate::child::poll;
use crate::{install, options, paths, tool};

/// Says to a process that it runs in such namespaces, and how its cgroup is called.
const MARK: &str = "TENANTRY_NODE_CGROUP";
/// Where containerd, the kubelet and the network plugin write outside their own folders. They get an empty file system that ends with
/// the namespaces. All of /var/lib, because the folders that they use there may be missing on this machine, and making them would change
/// it; so nothing that the walk needs may lie below any of these.
const COVERED: [&str; 4] = ["/run", "/var/lib", "/var/log", "/dev/shm"];
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
    options::env(MARK).is_some()
}

/// Name of the node's cgroup.
pub(super) fn cgroup() -> String {
    options::env(MARK).unwrap_or_default()
}

/// What keeps a node from running here; installs the packages that it needs.
pub fn missing() -> Result<(), String> {
    if paths::uid() != 0 {
        return Err("a node needs root".to_owned());
    }
    if !Path::new(cgroups::ROOT).join("memory").is_dir() {
        return Err("a node here needs cgroup v1 (v2 alone is not supported yet)".to_owned());
    }
    for (what, place) in needed().map_err(|error| format!("{error:#}"))? {
        if let Some(cover) = covering(&place) {
            return Err(format!(
                "{what} ({}) lies below {cover}, which a node covers: move it",
                place.display()
            ));
        }
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

/// Folders that the walk uses, as the kernel knows them.
fn needed() -> Result<Vec<(&'static str, PathBuf)>> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("the current executable has no folder")?;
    let mut places = vec![
        ("the checkout", paths::checkout()),
        ("the cache", paths::cache()?),
        ("the build", programs.into()),
    ];
    places.extend(options::env("HOME").map(|home| ("HOME", home.into())));
    let real = |(what, place): (_, PathBuf)| (what, place.canonicalize().unwrap_or(place));
    Ok(places.into_iter().map(real).collect())
}

/// The covered place that hides a folder.
fn covering(folder: &Path) -> Option<&'static str> {
    COVERED.into_iter().find(|place| folder.starts_with(place))
}

fn namespaces() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]);
    unshare.arg("--mount-proc");
    unshare
}

/// The same command, in namespaces of its own; it must call `furnish` first.
pub fn enter(command: &Command) -> Command {
    if !inside() {
        // Inside, the owners of others cannot be seen.
        cgroups::remove_abandoned(Path::new(cgroups::ROOT));
    }
    let mut entered = namespaces();
    entered.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => entered.env(name, value),
            None => entered.env_remove(name),
        };
    }
    entered.env(MARK, cgroups::own());
    entered
}

/// Removes the cgroups of the namespaces that this process's `enter` made, if it did. Those in them have ended or been killed; it may
/// take a moment until the kernel lets go of the last.
pub fn leave() {
    if !inside() {
        let gone = || cgroups::remove(Path::new(cgroups::ROOT), &cgroups::own()).then_some(());
        poll(Duration::from_secs(10), gone);
    }
}

/// Makes the namespaces of this process, the first in them, a home for a node.
pub fn furnish() -> Result<()> {
    // Before anything is mounted: as the first process of somebody's container it would cover that container's folders.
    ensure!(inside(), "only `stack e2e-pods` starts this, in namespaces that it makes for it");
    ensure!(std::process::id() == 1, "only the first process of a PID namespace furnishes it");
    mounts()?;
    network()?;
    cgroups::create(Path::new(cgroups::ROOT), &cgroup())
}

fn mounts() -> Result<()> {
    run("mount", &["--make-rprivate", "/"])?;
    // Other runs' folders, whose owners cannot be seen from here, must not be taken for those of the dead.
    let runs = paths::cache_folder("run")?.display().to_string();
    for place in COVERED.into_iter().chain([runs.as_str()]) {
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

fn run(program: &str, args: &[&str]) -> Result<()> {
    tool::output(Command::new(program).args(args)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_covered_place_is_hidden() {
        assert_eq!(covering(Path::new("/var/lib/jenkins/workspace/a")), Some("/var/lib"));
        assert_eq!(covering(Path::new("/run/user/1000")), Some("/run"));
        for seen in ["/var/tmp/tenantry-0", "/var/library", "/home/somebody", "/runner"] {
            assert_eq!(covering(Path::new(seen)), None, "{seen}");
        }
    }
}
