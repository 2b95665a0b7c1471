//! An image of a single static program, written without a tool for images: what holds a pod's namespaces is one.
//!
//! In: a program. Out: an archive in docker's form, as `ctr images import` takes it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{paths, tool};

pub(super) fn write(archive: &Path, name: &str, program: &Path) -> Result<()> {
    let folder = archive.with_extension("parts");
    let root = folder.join("root");
    fs::create_dir_all(&root)?;
    let entry = program.file_name().context("the program's name")?.to_string_lossy().into_owned();
    fs::copy(program, root.join(&entry))?;
    fs::set_permissions(root.join(&entry), fs::Permissions::from_mode(0o755))?;
    tar(&folder.join("layer.tar"), &root, &["."])?;
    let digest = paths::hex(&Sha256::digest(fs::read(folder.join("layer.tar"))?));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [format!("/{entry}")], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    fs::write(folder.join("config.json"), config.to_string())?;
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    tar(archive, &folder, &["manifest.json", "config.json", "layer.tar"])?;
    Ok(fs::remove_dir_all(folder)?)
}

fn tar(archive: &Path, folder: &Path, names: &[&str]) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--mtime=@0", "-cf"]).arg(archive);
    tool::output(tar.arg("-C").arg(folder).args(names)).map(drop)
}
