//! `stack release`: what a release consists of, in one folder.
//!
//! In: the checkout, a release build of the binaries. Out: the chart's package, both images as OCI archives, the CRD, lists of what
//! is in the binaries, and SHA256SUMS over all of it. The same commit gives the same bytes. It must not publish anything.

mod chart;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::Common;
use super::images::{self, Commit, Profile, Wanted, sbom, sha256};
use crate::{paths, say};

const SUMS: &str = "SHA256SUMS";

/// `stack release`
pub fn release(common: &Common, output: &Path) -> Result<ExitCode> {
    let output = paths::checkout().join(output);
    let commit = Commit::read()?;
    if commit.revision.ends_with("-dirty") || commit.revision == "unknown" {
        say::line(format!(
            "   this is no committed state, and the images say so: {}",
            commit.revision
        ));
    }
    if !common.no_build {
        images::binaries(Profile::Release)?;
    }
    // Built where `stack images` builds them, so that what is there already is not built again.
    let built = images::build(
        &Wanted::prebuilt(Profile::Release),
        &paths::checkout().join("target/images"),
    )?;
    let staging = output.with_extension("part");
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir_all(&staging)?;
    for image in &built {
        let name = image.archive.file_name().context("an archive has a name")?;
        fs::copy(&image.archive, staging.join(name))?;
    }
    chart::package(&staging, commit.epoch)?;
    sbom(&staging, commit.epoch)?;
    let crd = paths::checkout().join("crds/vectortenants.yaml");
    fs::copy(crd, staging.join("vectortenants.yaml"))?;
    let sums = sums(&staging)?;
    fs::write(staging.join(SUMS), &sums)?;
    // Whole or not at all.
    let _ = fs::remove_dir_all(&output);
    fs::rename(&staging, &output)?;
    print!("{sums}");
    say::line(format!("   `sha256sum --check {SUMS}` in {} checks it", output.display()));
    Ok(ExitCode::SUCCESS)
}

/// A line for each file in `folder`, in the order of their names, as `sha256sum` writes and reads them.
fn sums(folder: &Path) -> Result<String> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != SUMS)
        .collect();
    names.sort();
    let line = |name: &String| Ok(format!("{}  {name}\n", sha256(&folder.join(name))?));
    names.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_that_sha256sum_checks() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        fs::create_dir_all(&root).unwrap();
        for name in ["b.yaml", "a.tar", SUMS] {
            fs::write(root.join(name), name).unwrap();
        }
        let text = sums(&root).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().next().unwrap().ends_with("  a.tar"), "{text}");
        fs::write(root.join(SUMS), text).unwrap();
        let check = || {
            let mut command = std::process::Command::new("sha256sum");
            command.args(["--check", "--strict", "--quiet", SUMS]).current_dir(&root);
            crate::tool::output(&mut command)
        };
        check().unwrap();
        fs::write(root.join("a.tar"), "changed").unwrap();
        assert!(check().is_err());
        fs::remove_dir_all(root).unwrap();
    }
}
