//! Whether an image is what the chart relies on: nobody's root, no shell, and its program starts.
//!
//! In: an image as a folder in the OCI layout. Out: its digest and sizes, or what is wrong with it. The program is started in the
//! unpacked image without an engine. It must not trust the builder's word for anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{paths, tool};

const USER: &str = "65532:65532";
/// What an intruder would look for.
const UNWANTED: [&str; 9] =
    ["sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "apk", "perl"];

/// What is known of a checked image.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) digest: String,
    pub(super) compressed: u64,
    pub(super) unpacked: u64,
}

/// Checks the image in `layout`, whose entrypoint must be `program`; `root` is a folder to unpack it into, gone afterwards.
pub(super) fn layout(layout: &Path, program: &str, root: &Path) -> Result<Found> {
    let index = json(&layout.join("index.json"))?;
    let digest = index["manifests"][0]["digest"].as_str().context("the index names no image")?;
    let manifest = json(&blob(layout, digest)?)?;
    let config = manifest["config"]["digest"].as_str().context("the image has no configuration")?;
    configuration(&json(&blob(layout, config)?)?["config"], program)?;
    let layers: Vec<&Value> = manifest["layers"].as_array().context("no layers")?.iter().collect();
    let mut compressed = 0;
    let mut unpacked = 0;
    let _ = fs::remove_dir_all(root);
    fs::create_dir_all(root)?;
    for layer in layers {
        compressed += layer["size"].as_u64().unwrap_or_default();
        let file = blob(layout, layer["digest"].as_str().context("a layer has no digest")?)?;
        let list =
            tool::output(Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&file))?;
        unpacked += contents(&list)?;
        let mut unpack = Command::new("tar");
        unpack.args(["--extract", "--numeric-owner", "--file"]).arg(&file).arg("--directory");
        tool::output(unpack.arg(root))?;
    }
    starts(root, program)?;
    fs::remove_dir_all(root)?;
    Ok(Found { digest: digest.to_owned(), compressed, unpacked })
}

fn json(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
}

fn blob(layout: &Path, digest: &str) -> Result<PathBuf> {
    let (kind, sum) = digest.split_once(':').context("a digest has two parts")?;
    Ok(layout.join("blobs").join(kind).join(sum))
}

fn configuration(config: &Value, program: &str) -> Result<()> {
    ensure!(config["User"] == USER, "the image runs as {}, not as {USER}", config["User"]);
    ensure!(
        config["Entrypoint"] == serde_json::json!([program]),
        "the image starts {}, not {program}",
        config["Entrypoint"]
    );
    for label in ["title", "source", "version", "revision", "licenses", "created"] {
        let label = format!("org.opencontainers.image.{label}");
        let value = config["Labels"][&label].as_str().unwrap_or_default();
        ensure!(!value.is_empty(), "the image has no label {label}");
    }
    Ok(())
}

/// Bytes of the files in a verbose list; refuses what must not be there.
fn contents(list: &str) -> Result<u64> {
    let mut bytes = 0;
    for line in list.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [mode, _, size, _, _, path, ..] = fields[..] else { bail!("unexpected: {line}") };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let program = folder.ends_with("bin") && UNWANTED.contains(&name);
        ensure!(!program, "the image holds {path}");
        let special = mode.chars().any(|letter| letter == 's' || letter == 'S');
        ensure!(!special, "{path} gives rights of its owner to whoever starts it");
        bytes += size.parse().unwrap_or(0_u64);
    }
    Ok(bytes)
}

/// Starts the program in the unpacked image, as the image's user where we may become it.
fn starts(root: &Path, program: &str) -> Result<()> {
    for flag in ["--version", "--help"] {
        let mut command = match paths::uid() {
            0 => Command::new("chroot"),
            _ => Command::new("unshare"),
        };
        match paths::uid() {
            0 => command.arg(format!("--userspec={USER}")),
            _ => command.args(["--map-root-user", "chroot"]),
        };
        // Outside of the image's own settings, so that they cannot hide what is missing.
        command.arg(root).arg(program).arg(flag).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let said = tool::output(&mut command).context("the program does not start in its image")?;
        let name = program.trim_start_matches('/');
        ensure!(said.contains(name), "{program} {flag} does not name itself: {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_and_a_set_uid_program_are_refused() {
        let line = |mode: &str, path: &str| format!("{mode} 0/0 10 2026-01-01 00:00 {path}\n");
        let fine = line("-rwxr-xr-x", "tenantry-app") + &line("drwxr-xr-x", "usr/bin/");
        assert_eq!(contents(&fine).unwrap(), 20);
        for wrong in [line("-rwxr-xr-x", "bin/sh"), line("lrwxrwxrwx", "usr/bin/bash -> x")] {
            assert!(contents(&(fine.clone() + &wrong)).is_err(), "{wrong}");
        }
        assert!(contents(&line("-rwsr-xr-x", "usr/bin/su")).is_err());
    }

    #[test]
    fn a_configuration_that_runs_as_root_or_starts_something_else_is_refused() {
        let mut labels = serde_json::Map::new();
        for label in ["title", "source", "version", "revision", "licenses", "created"] {
            labels.insert(format!("org.opencontainers.image.{label}"), "x".into());
        }
        let config = |user: &str, program: &str| serde_json::json!({"User": user, "Entrypoint": [program], "Labels": labels});
        configuration(&config(USER, "/p"), "/p").unwrap();
        assert!(configuration(&config("", "/p"), "/p").is_err());
        assert!(configuration(&config("65532", "/p"), "/p").is_err());
        assert!(configuration(&config(USER, "/bin/sh"), "/p").is_err());
        let bare = serde_json::json!({"User": USER, "Entrypoint": ["/p"]});
        assert!(configuration(&bare, "/p").unwrap_err().to_string().contains("label"));
    }
}
