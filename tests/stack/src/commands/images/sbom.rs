//! What is in the binaries, as `CycloneDX` lists: one for each, by cargo-cyclonedx.
//!
//! In: Cargo.lock and the manifests. Out: `tenantry-operator.cdx.json`, `tenantry-app.cdx.json`. The tool writes beside the manifests
//! that it reads, so it reads copies. Nothing of the machine or the moment stays in the lists.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{install, paths, tool};

const CARGO_CYCLONEDX: &str = "0.5.9";
const FILE: &str = "list";

/// Writes both lists into `output`.
pub(crate) fn sbom(output: &Path, epoch: u64) -> Result<()> {
    let program = install::cargo_program("cargo-cyclonedx", CARGO_CYCLONEDX, &[])?;
    fs::create_dir_all(output)?;
    let _lock = install::lock("sbom")?;
    let copy = paths::cache()?.join("sbom");
    let _ = fs::remove_dir_all(&copy);
    manifests(&paths::checkout(), &copy)?;
    let mut command = Command::new(program);
    command.args(["cyclonedx", "--format", "json", "--spec-version", "1.5", "--quiet"]);
    command.args(["--override-filename", FILE, "--manifest-path"]).arg(copy.join("Cargo.toml"));
    // The tool asks cargo, and leaves out what would differ each time where it is told a time.
    command.env("CARGO", install::cargo()?.get_program());
    command.env("SOURCE_DATE_EPOCH", epoch.to_string()).current_dir(&copy);
    tool::run("listing what is in the binaries", &command)?;
    for name in ["operator", "app"] {
        let file = copy.join(name).join(format!("{FILE}.json"));
        let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        let list = portable(&text, &copy)?;
        fs::write(output.join(format!("tenantry-{name}.cdx.json")), list)?;
    }
    Ok(fs::remove_dir_all(copy)?)
}

/// Copies of the manifests, the rest behind links: what cargo needs to know the workspace.
fn manifests(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    let mut list = install::cargo()?;
    list.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(from);
    let metadata: Value = serde_json::from_str(&tool::output(&mut list)?)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let folder = manifest.parent().context("a manifest has a folder")?;
        let copy = to.join(folder.strip_prefix(from)?);
        fs::create_dir_all(&copy)?;
        for entry in fs::read_dir(folder)?.flatten() {
            let target = copy.join(entry.file_name());
            match entry.file_name() == "Cargo.toml" {
                true => drop(fs::copy(entry.path(), target)?),
                false => symlink(entry.path(), target)?,
            }
        }
    }
    Ok(())
}

/// The list without the folder that it was made in, and with nothing left that differs each time.
fn portable(list: &str, folder: &Path) -> Result<String> {
    let text = list.replace(&format!("file://{}", folder.display()), "file://.");
    let value: Value = serde_json::from_str(&text)?;
    ensure!(!text.contains(&folder.display().to_string()), "the list names {}", folder.display());
    ensure!(value["serialNumber"].is_null(), "the list has a number of its own each time");
    let components = value["components"].as_array().map_or(0, Vec::len);
    ensure!(components > 50, "the list names only {components} components");
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}
