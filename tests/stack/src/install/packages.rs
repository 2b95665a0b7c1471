//! npm and pip packages that a folder of this checkout pins, with hashes.
//!
//! In: a folder with package.json and its lock file, or with requirements.txt. Out: a folder in the cache that holds exactly those,
//! named after the pins, so a changed pin is a new installation and checkouts do not disturb each other. It must not write
//! into the checkout and must not run what packages want to run at installation.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{paths, tool};

const LOCKS: [&str; 2] = ["package.json", "package-lock.json"];

/// The npm packages of `folder` and its scripts: a copy of the folder's files beside a `node_modules`, to be run there.
pub fn npm(folder: &Path) -> Result<PathBuf> {
    let locks = LOCKS.map(|name| folder.join(name));
    let home = paths::cache_folder("npm")?.join(named(folder, &locks, "")?);
    once(&home, |staging| {
        super::require("npm", "install Node.js 20 or newer: https://nodejs.org")?;
        for file in &locks {
            fs::copy(file, staging.join(file.file_name().unwrap_or_default()))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(staging);
        tool::run(&format!("installing the npm packages of {}", shown(folder)), &npm)
    })?;
    let files = files_of(folder)?;
    let scripts = home.join(named(folder, &files, "")?);
    once(&scripts, |staging| {
        for file in &files {
            let copy = staging.join(file.strip_prefix(folder)?);
            fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
            fs::copy(file, copy)?;
        }
        Ok(symlink("../node_modules", staging.join("node_modules"))?)
    })?;
    Ok(scripts)
}

/// The Python packages of `folder`'s requirements.txt, for PYTHONPATH. All that is needed must be listed there.
pub fn pip(folder: &Path) -> Result<PathBuf> {
    let list = folder.join("requirements.txt");
    let program = super::require("python3", "`apt-get install python3 python3-pip`")?;
    // Compiled packages belong to one version of Python.
    let version = tool::output(Command::new(program).arg("--version"))?;
    let home =
        paths::cache_folder("pip")?.join(named(folder, std::slice::from_ref(&list), &version)?);
    once(&home, |staging| {
        let mut pip = Command::new(python()?);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--no-warn-script-location", "--root-user-action=ignore", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "--target"]).arg(staging);
        pip.arg("-r").arg(&list);
        tool::run(&format!("installing the Python packages of {}", shown(folder)), &pip)
    })?;
    Ok(home)
}

/// python3 with pip.
pub(super) fn python() -> Result<PathBuf> {
    let python = super::require("python3", "`apt-get install python3 python3-pip`")?;
    let pip = Command::new(&python).args(["-m", "pip", "--version"]).output();
    if pip.is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    bail!("python3 has no pip: `apt-get install python3-pip`")
}

/// Lets `make` fill `target` unless it is there already. A folder under its final name is whole: an interrupted one never gets it.
pub(super) fn once(target: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if target.is_dir() {
        return Ok(());
    }
    let _lock = super::lock("packages")?;
    if target.is_dir() {
        return Ok(());
    }
    let staging = PathBuf::from(format!("{}.part", target.display()));
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir_all(&staging)?;
    make(&staging)?;
    Ok(fs::rename(&staging, target)?)
}

/// A folder's name with the sum of some files in it.
pub(super) fn named(folder: &Path, files: &[PathBuf], more: &str) -> Result<String> {
    let mut sum = Sha256::new_with_prefix(more);
    for file in files {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        sum.update(file.strip_prefix(folder)?.as_os_str().as_encoded_bytes());
        sum.update(text.len().to_le_bytes());
        sum.update(text);
    }
    Ok(format!("{}-{}", shown(folder), paths::hex(&sum.finalize()[..6])))
}

fn shown(folder: &Path) -> std::borrow::Cow<'_, str> {
    folder.file_name().unwrap_or_default().to_string_lossy()
}

/// Every file under `folder`, in order, but what npm and Python leave there.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_file() {
            files.push(path);
        } else if path.is_dir() && name != "node_modules" && name != "__pycache__" {
            files.extend(files_of(&path)?);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_only_whole() {
        let root = paths::cache_folder("unit-tests").unwrap();
        let target = root.join(paths::random_hex(8).unwrap());
        let failed = once(&target, |staging| {
            fs::write(staging.join("half"), "")?;
            bail!("the network is down")
        });
        assert!(failed.is_err() && !target.exists());
        once(&target, |staging| Ok(fs::write(staging.join("whole"), "")?)).unwrap();
        once(&target, |_| bail!("made twice")).unwrap();
        assert!(target.join("whole").is_file() && !target.join("half").exists());
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn a_changed_file_is_another_name() {
        let folder = paths::checkout().join("tests/oidc");
        let files = files_of(&folder).unwrap();
        assert!(files.iter().any(|file| file.ends_with("server.mjs")), "{files:?}");
        let name = named(&folder, &files, "").unwrap();
        assert!(name.starts_with("oidc-"), "{name}");
        assert_ne!(name, named(&folder, &files[1..], "").unwrap());
        assert_ne!(name, named(&folder, &files, "Python 3.14").unwrap());
    }
}
