//! Prometheus and promtool, for the tests of metrics, rules and dashboard.
//!
//! In: the Debian package, or PATH where there is no such package. Out: both programs. The package is unpacked into the cache, into
//! a folder of its version, and not installed: its service never starts, and nothing on the system changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{apt, packages};
use crate::{paths, tool};

const HELP: &str = "no prometheus and promtool on PATH and none from the package manager: `apt-get install prometheus`";

/// The two programs.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// The server.
    pub server: PathBuf,
    /// What checks rules and runs their tests.
    pub promtool: PathBuf,
}

/// Finds or unpacks them.
pub fn prometheus() -> Result<Prometheus> {
    let root = paths::cache()?.join(folder(&apt::candidates(&["prometheus"])));
    let unpacked = packages::once(&root, |staging| {
        apt::unpack(&["prometheus"], staging)?;
        works(&programs(&staging.join("usr/bin")))
    });
    match (unpacked, paths::on_path("prometheus"), paths::on_path("promtool")) {
        (Ok(()), _, _) => Ok(programs(&root.join("usr/bin"))),
        (Err(_), Some(server), Some(promtool)) => Ok(Prometheus { server, promtool }),
        (Err(error), _, _) => Err(error).context(HELP),
    }
}

/// A newer package is unpacked beside the older. Where the machine's package lists are empty, one serves until the cache is emptied.
fn folder(versions: &[String]) -> String {
    std::iter::once("prometheus")
        .chain(versions.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("-")
}

fn programs(folder: &Path) -> Prometheus {
    Prometheus { server: folder.join("prometheus"), promtool: folder.join("promtool") }
}

fn works(programs: &Prometheus) -> Result<()> {
    for program in [&programs.server, &programs.promtool] {
        tool::output(Command::new(program).arg("--version"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_a_folder() {
        assert_eq!(folder(&["2.42.0+ds-5+b5".to_owned()]), "prometheus-2.42.0+ds-5+b5");
        assert_eq!(folder(&[]), "prometheus");
    }
}
