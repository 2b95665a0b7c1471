//! The chart's package.
//!
//! In: charts/tenantry. Out: `tenantry-<version>.tgz`, made by helm and packed again, because helm writes the time of the day into
//! it. It must not change a file of the chart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::images::{VERSION, pack};
use crate::{install, paths, tool};

/// Packages the chart into `output`.
pub(super) fn package(output: &Path, epoch: u64) -> Result<PathBuf> {
    let helm = install::go_program("helm")?;
    let chart = paths::checkout().join("charts/tenantry");
    let text = fs::read_to_string(chart.join("Chart.yaml")).context("no charts/tenantry")?;
    matching(&text)?;
    let work = output.join("chart");
    fs::create_dir_all(&work)?;
    let mut package = Command::new(helm);
    package.arg("package").arg(&chart).arg("--destination").arg(&work);
    // Without a home it would look for somebody's configuration.
    let home = work.join("home");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        package.env(name, &home);
    }
    tool::output(&mut package)?;
    let name = format!("tenantry-{VERSION}.tgz");
    let packed = output.join(&name);
    repack(&work.join(&name), &packed, epoch)?;
    fs::remove_dir_all(work)?;
    Ok(packed)
}

/// Chart, images and binaries have one version.
fn matching(chart: &str) -> Result<()> {
    for key in ["version", "appVersion"] {
        let line = chart.lines().find_map(|line| line.strip_prefix(&format!("{key}:")));
        let value = line.unwrap_or_default().trim().trim_matches('"');
        ensure!(value == VERSION, "Chart.yaml says {key} {value}, Cargo.toml {VERSION}");
    }
    Ok(())
}

/// The same content as `package`, with nothing of the moment at which it was made.
fn repack(package: &Path, to: &Path, epoch: u64) -> Result<()> {
    let folder = package.with_extension("content");
    fs::create_dir_all(&folder)?;
    let mut unpack = Command::new("tar");
    unpack.arg("--extract").arg("--file").arg(package).arg("--directory").arg(&folder);
    tool::output(&mut unpack)?;
    pack(&folder, to, epoch)?;
    Ok(fs::remove_dir_all(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::images::sha256;

    #[test]
    fn the_chart_has_the_version_of_the_binaries() {
        let file = paths::checkout().join("charts/tenantry/Chart.yaml");
        matching(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(matching("version: 0.0.1\nappVersion: \"0.0.1\"\n").is_err());
    }

    #[test]
    fn packages_made_at_other_times_become_the_same_bytes() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        let sums = ["@1000", "@2000000000"].map(|time| {
            let folder = root.join(time);
            fs::create_dir_all(folder.join("tenantry/templates")).unwrap();
            fs::write(folder.join("tenantry/Chart.yaml"), "name: tenantry\n").unwrap();
            fs::write(folder.join("tenantry/templates/a.yaml"), "a: b\n").unwrap();
            let package = folder.join("made.tgz");
            let mut tar = Command::new("tar");
            tar.arg("-czf").arg(&package).arg(format!("--mtime={time}"));
            tool::output(tar.arg("-C").arg(&folder).arg("tenantry")).unwrap();
            let again = folder.join("again.tgz");
            repack(&package, &again, 42).unwrap();
            (sha256(&package).unwrap(), sha256(&again).unwrap())
        });
        assert_ne!(sums[0].0, sums[1].0, "the packages differ before");
        assert_eq!(sums[0].1, sums[1].1);
        fs::remove_dir_all(root).unwrap();
    }
}
