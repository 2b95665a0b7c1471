//! The node's cgroups: one in every hierarchy of the machine, named after the process that made the node's namespaces.
//!
//! In: the folder of hierarchies, names. Out: cgroups made and removed. Only `rmdir` removes, which the kernel refuses while a process
//! is in a cgroup; and nothing is removed whose owner lives.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::run_folder::owner_line;

/// Where this machine has its hierarchies.
pub(super) const ROOT: &str = "/sys/fs/cgroup";
/// A cgroup of ours is called this, then the process id and start time of whoever made the namespaces.
const PREFIX: &str = "tenantry-";

/// A cgroup in every hierarchy of version 1, and in the unified one beside them.
pub(super) fn create(root: &Path, name: &str) -> Result<()> {
    for hierarchy in hierarchies(root) {
        fs::create_dir_all(hierarchy.join(name))?;
    }
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let all = fs::read(root.join("cpuset").join(file))?;
        fs::write(root.join("cpuset").join(name).join(file), all)?;
    }
    Ok(())
}

/// The folders of every hierarchy: also of those that no part of ours asked for, runc makes a cgroup in each.
fn hierarchies(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    // Links are second names: `cpu` of `cpu,cpuacct`.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Name of the cgroup that this process's namespaces use.
pub(super) fn own() -> String {
    name_of(std::process::id())
}

fn name_of(owner: u32) -> String {
    format!("{PREFIX}{}", owner_line(owner).replace(' ', "-"))
}

/// Removes a cgroup from each hierarchy; whether it is gone from all.
pub(super) fn remove(root: &Path, name: &str) -> bool {
    let cgroups: Vec<_> = hierarchies(root).iter().map(|folder| folder.join(name)).collect();
    for cgroup in &cgroups {
        remove_below(cgroup);
    }
    !cgroups.iter().any(|cgroup| cgroup.exists())
}

/// A cgroup is removed by `rmdir`, those in it first; the kernel refuses one that holds a process.
fn remove_below(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    let _ = fs::remove_dir(cgroup);
}

/// Removes cgroups whose owner has ended without removing them. It must not be called where other owners cannot be seen.
pub(super) fn remove_abandoned(root: &Path) {
    let mut names: Vec<String> = hierarchies(root)
        .iter()
        .flat_map(|hierarchy| fs::read_dir(hierarchy).into_iter().flatten().flatten())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_abandoned(name))
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| hierarchies(root).iter().all(|hierarchy| is_empty(&hierarchy.join(name))));
    for name in names {
        remove(root, &name);
    }
}

/// Named as ours are, by a process that is no more: its id may be another's by now.
fn is_abandoned(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    let pid = owner.and_then(|(pid, _)| pid.parse().ok());
    pid.is_some_and(|pid| name != name_of(pid))
}

/// Whether no process is in a cgroup, nor in any below it. One that is not there is empty too.
fn is_empty(cgroup: &Path) -> bool {
    let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut below = fs::read_dir(cgroup).into_iter().flatten().flatten();
    processes.trim().is_empty()
        && below.all(|entry| {
            !entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_empty(&entry.path())
        })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::paths;

    /// Folders stand for cgroups; one that holds a file, as the kernel's do not, could not be removed.
    #[test]
    fn only_empty_cgroups_of_the_dead_are_removed_from_every_hierarchy() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let dead = format!("{PREFIX}{}-77", dead.id());
        let living = own();
        let reused = format!("{PREFIX}{}-1", std::process::id());
        for path in [
            &format!("memory/{dead}/pods/one"),
            &format!("unified/{dead}/pods"),
            &format!("memory/{living}"),
            &format!("unified/{reused}"),
        ] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        for other in ["memory/tenantry-", "memory/tenantry-x", "memory/system"] {
            fs::create_dir_all(root.join(other)).unwrap();
        }
        let busy = root.join(format!("memory/{dead}/pods/one/cgroup.procs"));
        fs::write(&busy, "4242\n").unwrap();
        remove_abandoned(&root);
        assert!(root.join(format!("unified/{dead}/pods")).is_dir(), "a process still lives in it");
        fs::remove_file(busy).unwrap();
        remove_abandoned(&root);
        for gone in
            [format!("memory/{dead}"), format!("unified/{dead}"), format!("unified/{reused}")]
        {
            assert!(!root.join(&gone).exists(), "{gone}");
        }
        for kept in [living.as_str(), "tenantry-", "tenantry-x", "system"] {
            assert!(root.join("memory").join(kept).is_dir(), "{kept}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
