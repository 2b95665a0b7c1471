//! PgBouncer, the transaction pooler behind pooled connection strings.
//!
//! In: PATH, or the Debian packages. Out: the program and the folder of libraries that it needs. Where it cannot be had, the
//! error says why; a stack then runs without a pooler and pooled connections are refused, in clear words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, libraries, postgres};
use crate::paths;

/// Libraries that PgBouncer needs and the packages that hold them, newest name first.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("libevent-2.1.so.7", &["libevent-2.1-7t64", "libevent-2.1-7"]),
    ("libcares.so.2", &["libcares2", "libc-ares2"]),
];

/// The pooler's program.
#[derive(Debug, Clone)]
pub struct PgBouncer {
    program: PathBuf,
    libraries: Option<PathBuf>,
}

impl PgBouncer {
    /// The program with its libraries, nothing else set.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(folder) = &self.libraries {
            command.env("LD_LIBRARY_PATH", folder);
        }
        command
    }
}

/// Finds or unpacks it.
pub(super) fn install() -> Result<PgBouncer> {
    let system = paths::on_path("pgbouncer").or_else(|| Some(PathBuf::from("/usr/sbin/pgbouncer")));
    if let Some(program) = system.filter(|file| paths::is_program(file)) {
        return Ok(PgBouncer { program, libraries: None });
    }
    let root = paths::cache_folder("pgbouncer")?;
    let found = unpacked(&root);
    if let Some(ready) = found.filter(|found| {
        found.command().arg("--version").output().is_ok_and(|out| out.status.success())
    }) {
        return Ok(ready);
    }
    apt::unpack(&["pgbouncer"], &root).context(
        "no pgbouncer on PATH and none from the package manager: `apt-get install pgbouncer`",
    )?;
    let program = root.join("usr/sbin/pgbouncer");
    for library in libraries::missing_libraries(&program, None) {
        match LIBRARIES.iter().find(|(name, _)| *name == library) {
            Some((_, packages)) => apt::unpack(packages, &root)?,
            None => bail!("pgbouncer needs {library}, which is not on this machine"),
        }
    }
    postgres::readable_by_all(&root)?;
    unpacked(&root).context("the unpacked package holds no pgbouncer")
}

fn unpacked(root: &Path) -> Option<PgBouncer> {
    let program = Some(root.join("usr/sbin/pgbouncer")).filter(|file| paths::is_program(file))?;
    let multiarch = fs::read_dir(root.join("usr/lib")).ok().and_then(|entries| {
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.ends_with(format!("{}-linux-gnu", std::env::consts::ARCH)))
    });
    Some(PgBouncer { program, libraries: multiarch })
}
