//! `stack bench`: hands over to the bench program, in a release build.
//!
//! In: flags for it. Out: its exit code. The measurements are the bench program's business.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Result;

use super::{Common, install_parts};
use crate::{install, paths, tool};

/// `stack bench`
pub fn bench(common: &Common, words: &[String]) -> Result<ExitCode> {
    install_parts(common)?;
    let mut build = install::cargo()?;
    build.args(["build", "--release", "--workspace", "--bins"]).current_dir(paths::checkout());
    tool::run("building the release", &build)?;
    let mut bench = Command::new(paths::checkout().join("target/release/bench"));
    bench.args(words).envs(common.environment());
    // It takes our place: signals and exit code are its own from here.
    Err(anyhow::Error::from(bench.exec()).context("cannot run target/release/bench"))
}
