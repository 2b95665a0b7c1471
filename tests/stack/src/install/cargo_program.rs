//! Programs that are built with cargo, at a pinned version, once.
//!
//! In: a crate, its version. Out: the program: on PATH, in the cache, else built into it. It must not touch the workspace's own
//! target folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{paths, tool};

/// Finds or builds `name` (a crate whose program is called the same); `flags` are for `cargo install`.
pub fn cargo_program(name: &str, version: &str, flags: &[&str]) -> Result<PathBuf> {
    let right = |program: &PathBuf| {
        // A subcommand of cargo expects its own name first.
        let own = name.trim_start_matches("cargo-");
        [&["--version"][..], &[own, "--version"]].iter().any(|args| {
            let said = tool::output(Command::new(program).args(*args));
            said.is_ok_and(|text| text.trim().ends_with(version))
        })
    };
    if let Some(found) = paths::on_path(name).filter(right) {
        return Ok(found);
    }
    let root = paths::cache_folder("tools")?.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !right(&program) {
        let _lock = super::lock(name)?;
        let mut build = super::cargo()?;
        build.args(["install", "--locked", &format!("{name}@{version}"), "--root"]).arg(&root);
        // Half the build time of the release profile; it runs for a second.
        build.args(flags).args(["--profile", "dev"]).env("CARGO_PROFILE_DEV_DEBUG", "0");
        build.current_dir(paths::checkout()).env("CARGO_TERM_COLOR", "never");
        tool::run(&format!("building {name}"), &build)?;
    }
    Ok(program)
}
