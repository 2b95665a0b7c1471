//! `stack release`: what a release consists of, in one folder.
//!
//! In: the checkout, a release build of the binaries. Out: the chart's package, both images as OCI archives, the CRD, lists of what
//! is in the binaries, and SHA256SUMS over all of it. The same commit gives the same bytes. It must not publish anything, and not remove a
//! folder that it did not write.

mod chart;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use super::Common;
use super::images::{self, Commit, Profile, Wanted, sbom, sha256};
use crate::{paths, say};

const SUMS: &str = "SHA256SUMS";

/// `stack release`
pub fn release(common: &Common, output: &Path) -> Result<ExitCode> {
    ensure!(
        !common.no_build,
        "`--no-build` would ship binaries of which nobody knows the commit; `stack images --no-build` makes images of them"
    );
    let output = std::path::absolute(paths::checkout().join(output))?;
    replaceable(&output, &paths::checkout())?;
    let commit = Commit::read()?;
    if !commit.is_clean() {
        say::line(format!(
            "   this is no committed state, and the images say so: {}",
            commit.revision
        ));
    }
    images::binaries(Profile::Release)?;
    // Built where `stack images` builds them, so that what is there already is not built again.
    let built = images::build(
        &Wanted::prebuilt(Profile::Release),
        &paths::checkout().join("target/images"),
    )?;
    // A place that is ours alone, and that git does not see.
    let staging = paths::checkout().join("target/release.part");
    let _ = fs::remove_dir_all(&staging);
    let sums = fill(&staging, &built, &commit)?;
    // Somebody may have put something there since.
    replaceable(&output, &paths::checkout())?;
    put(&staging, &output)?;
    print!("{sums}");
    say::line(format!("   `sha256sum --check {SUMS}` in {} checks it", output.display()));
    Ok(ExitCode::SUCCESS)
}

/// Puts a folder in the place of another: whole or not at all, but where they are on two disks; there the sums come last.
fn put(staging: &Path, output: &Path) -> Result<()> {
    if output.exists() {
        fs::remove_dir_all(output)?;
    }
    if let Some(parent) = output.parent() {
        fs::create_dir_all(parent)?;
    }
    if fs::rename(staging, output).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(output)?;
    let mut files: Vec<_> = fs::read_dir(staging)?.flatten().map(|entry| entry.path()).collect();
    files.sort_by_key(|file| file.ends_with(SUMS));
    for file in &files {
        fs::copy(file, output.join(file.file_name().context("a file has a name")?))?;
    }
    Ok(fs::remove_dir_all(staging)?)
}

/// Writes all that a release consists of into a new folder; gives the sums.
fn fill(staging: &Path, built: &[images::Image], commit: &Commit) -> Result<String> {
    fs::create_dir_all(staging)?;
    for image in built {
        let name = image.archive.file_name().context("an archive has a name")?;
        fs::copy(&image.archive, staging.join(name))?;
    }
    chart::package(staging, commit.epoch)?;
    sbom(staging, commit.epoch)?;
    let crd = paths::checkout().join("crds/vectortenants.yaml");
    fs::copy(crd, staging.join("vectortenants.yaml"))?;
    let sums = sums(staging)?;
    fs::write(staging.join(SUMS), &sums)?;
    Ok(sums)
}

/// Refuses a folder that a release may not take the place of: what is there already must be a release, or nothing.
fn replaceable(output: &Path, checkout: &Path) -> Result<()> {
    let shown = output.display();
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    ensure!(
        !real(checkout).starts_with(real(output)),
        "{shown} holds this checkout: name another folder with --output"
    );
    // A link is not followed: what it leads to is not ours to remove.
    let Ok(meta) = output.symlink_metadata() else { return Ok(()) };
    ensure!(meta.is_dir(), "{shown} is no folder: name another with --output");
    let names = fs::read_dir(output)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<Result<Vec<_>>>()?;
    let mut listed = fs::read_to_string(output.join(SUMS)).unwrap_or_default();
    listed.push_str(&format!("-  {SUMS}\n"));
    let known = |name: &&std::ffi::OsString| {
        listed.lines().any(|line| line.split_once("  ").is_some_and(|(_, file)| **name == *file))
    };
    match names.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(other) => bail!(
            "{shown} holds {}, which is not of an earlier release, and would be lost: name another folder with --output, or empty it",
            other.display()
        ),
    }
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
    fn only_nothing_or_an_earlier_release_is_replaced() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        let checkout = root.join("checkout");
        let dist = checkout.join("dist");
        fs::create_dir_all(&dist).unwrap();
        let allowed = |folder: &Path| replaceable(folder, &checkout).is_ok();
        assert!(allowed(&dist) && allowed(&checkout.join("missing")), "empty, missing");
        fs::write(dist.join("a.tar"), "a").unwrap();
        assert!(!allowed(&dist), "somebody's file");
        fs::write(dist.join(SUMS), "12  other.tar\n").unwrap();
        assert!(!allowed(&dist), "a file that is not of the release");
        fs::write(dist.join(SUMS), sums(&dist).unwrap()).unwrap();
        assert!(allowed(&dist), "a release");
        fs::write(dist.join("notes.md"), "mine").unwrap();
        assert!(!allowed(&dist), "a release with somebody's file in it");
        for holder in [&checkout, &root, &checkout.join("dist/.."), Path::new("/")] {
            assert!(!allowed(holder), "{}", holder.display());
        }
        let link = checkout.join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        assert!(!allowed(&link) && !allowed(&dist.join("a.tar")), "a link, a file");
        fs::remove_dir_all(root).unwrap();
    }

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
