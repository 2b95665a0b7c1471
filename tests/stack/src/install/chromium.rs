//! A browser that can be driven: Chromium or Chrome.
//!
//! In: CHROMIUM, PATH, Debian's package. Out: the program. Root gets the package installed (the one thing here that changes the
//! system); everybody else gets it unpacked into the cache with what it needs, behind a script that tells it where that is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::apt;
use crate::options::env;
use crate::{paths, tool};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const HELP: &str = "no browser can be installed here: install Chromium (`apt-get install chromium`) or Chrome, \
     or name one with CHROMIUM=/path/to/it";

/// Starts the unpacked browser with the libraries and fonts that were unpacked beside it.
const START: &str = r#"#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
for folder in "$root"/usr/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu/pulseaudio; do
  LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH XDG_DATA_HOME="$root/usr/share"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$root/etc/fonts"
exec "$root/usr/lib/chromium/chromium" "$@"
"#;

/// Finds or installs it.
pub fn chromium() -> Result<PathBuf> {
    if let Some(named) = env("CHROMIUM").map(PathBuf::from) {
        ensure!(paths::is_program(&named), "CHROMIUM={} is no program", named.display());
        return Ok(named);
    }
    let on_path = || NAMES.iter().find_map(|name| paths::on_path(name));
    if let Some(found) = on_path() {
        return Ok(found);
    }
    if paths::uid() != 0 {
        return unpacked().context(HELP);
    }
    let _lock = super::lock("packages")?;
    apt::install(&["chromium"]).context(HELP)?;
    on_path().context("apt-get installed no chromium")
}

fn unpacked() -> Result<PathBuf> {
    let root = paths::cache()?.join("chromium");
    super::packages::once(&root, |staging| {
        apt::unpack_with_dependencies("chromium", staging)?;
        let start = staging.join("chromium");
        fs::write(&start, START)?;
        Ok(fs::set_permissions(&start, fs::Permissions::from_mode(0o755))?)
    })?;
    let program = root.join("chromium");
    works(&program)?;
    Ok(program)
}

fn works(program: &Path) -> Result<()> {
    tool::output(Command::new(program).arg("--version")).map(drop)
}
