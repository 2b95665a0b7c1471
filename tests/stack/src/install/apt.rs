//! Debian packages without root: downloaded by apt-get (which checks signatures), unpacked by dpkg into a folder of ours.
//!
//! In: package names. Out: their files under a folder; nothing on the system changes and no service starts. Where the
//! machine's package lists are empty, private ones are fetched into the cache.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{paths, tool};

/// Downloads one of `names` (packages are renamed between releases; the first that exists wins) and unpacks it into `root`.
pub(super) fn unpack(names: &[&str], root: &Path) -> Result<()> {
    super::require("dpkg", "only Debian and its relatives have it")?;
    let package = package(names)?;
    fs::create_dir_all(root)?;
    let mut dpkg = Command::new("dpkg");
    dpkg.arg("-x").arg(package).arg(root);
    tool::output(&mut dpkg).map(drop)
}

/// Downloads one of `names` into the cache and gives its file.
pub(super) fn package(names: &[&str]) -> Result<std::path::PathBuf> {
    super::require("apt-get", "only Debian and its relatives have it")?;
    let folder = paths::cache_folder("debs")?;
    let mut result = download(names, &folder, &[]);
    if result.is_err() {
        let private = private_lists()?;
        result = download(names, &folder, &private);
    }
    result.with_context(|| format!("cannot download the Debian package {}", names.join(" or ")))
}

/// Downloads a package with everything that it needs and the machine lacks, and unpacks all of it into `root`.
pub(super) fn unpack_with_dependencies(name: &str, root: &Path) -> Result<()> {
    super::require("apt-get", "only Debian and its relatives have it")?;
    let cache = root.join("apt");
    fs::create_dir_all(cache.join("archives/partial"))?;
    let fetch = |lists: &[String]| {
        let mut command = Command::new("apt-get");
        command.args(["install", "--download-only", "--yes", "--no-install-recommends"]);
        command.args(lists).args(["-o", "Debug::NoLocking=1", "-o"]);
        command.arg(format!("Dir::Cache={}", cache.display())).arg(name);
        tool::run(&format!("downloading {name} and what it needs"), &command)
    };
    if fetch(&[]).is_err() {
        fetch(&private_lists()?)?;
    }
    for package in fs::read_dir(cache.join("archives"))?.flatten().map(|entry| entry.path()) {
        if package.extension().is_some_and(|extension| extension == "deb") {
            let mut dpkg = Command::new("dpkg");
            tool::output(dpkg.arg("-x").arg(&package).arg(root))?;
        }
    }
    Ok(fs::remove_dir_all(cache)?)
}

/// Versions of the packages that the machine's package lists offer, in the order of `names`; none where the lists are empty.
pub(super) fn candidates(names: &[&str]) -> Vec<String> {
    let mut policy = Command::new("apt-cache");
    policy.arg("policy").args(names).env("LC_ALL", "C");
    offered(&tool::output(&mut policy).unwrap_or_default())
}

fn offered(policy: &str) -> Vec<String> {
    let versions = policy.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
    versions.filter(|version| *version != "(none)").map(ToOwned::to_owned).collect()
}

/// Installs packages into the system; only root may.
pub(super) fn install(names: &[&str]) -> Result<()> {
    super::require("apt-get", "only Debian and its relatives have it")?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(names);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let what = format!("installing {}", names.join(" "));
    if tool::run(&what, &install).is_ok() {
        return Ok(());
    }
    tool::run("fetching package lists", Command::new("apt-get").arg("update"))?;
    tool::run(&what, &install)
}

fn download(names: &[&str], folder: &Path, options: &[String]) -> Result<std::path::PathBuf> {
    let mut last = anyhow::anyhow!("no package was named");
    for name in names {
        let mut command = Command::new("apt-get");
        command.arg("download").args(options).arg(name).current_dir(folder);
        match tool::run(&format!("downloading {name}"), &command) {
            Ok(()) => return newest(folder, name),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn newest(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let ours = |path: &std::path::PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(&format!("{name}_")) && file.ends_with(".deb")
    };
    let files = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(ours);
    let newest = files.max_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok());
    newest.with_context(|| format!("apt-get left no {name}_*.deb in {}", folder.display()))
}

/// Package lists of our own, because only root may refresh the machine's.
fn private_lists() -> Result<Vec<String>> {
    let state = paths::cache_folder("apt")?;
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("archives/partial"))?;
    let option = |key: &str, value: &str| ["-o".to_owned(), format!("{key}={value}")];
    let at = |name: &str| state.join(name).display().to_string();
    let options: Vec<String> = [
        option("Dir::State::lists", &at("lists")),
        option("Dir::Cache", &state.display().to_string()),
    ]
    .concat();
    let mut command = Command::new("apt-get");
    command.arg("update").args(&options).args(option("Debug::NoLocking", "1"));
    tool::run("fetching package lists", &command)?;
    ensure!(state.join("lists").is_dir(), "apt-get update left no lists");
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_apts_policy() {
        let policy = "a:\n  Installed: (none)\n  Candidate: 2.42.0+ds-5+b5\n  Version table:\n\
                      b:\n  Installed: 1\n  Candidate: (none)\n";
        assert_eq!(offered(policy), ["2.42.0+ds-5+b5"]);
        assert!(offered("").is_empty());
    }
}
