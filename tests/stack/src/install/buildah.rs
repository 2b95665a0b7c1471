//! Builds images where there is no engine: Debian's buildah.
//!
//! In: PATH. Out: the program. Root gets the package installed; everybody else is told what to install, because an unpacked
//! buildah would lack the set-uid helpers that it needs without root.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::apt;
use crate::paths;

const HELP: &str = "images need docker, podman or buildah: `apt-get install --no-install-recommends buildah` \
     (and `uidmap` where it is not root that builds)";

/// Finds or installs it.
pub fn buildah() -> Result<PathBuf> {
    if let Some(found) = paths::on_path("buildah") {
        return Ok(found);
    }
    ensure!(paths::uid() == 0, HELP);
    let _lock = super::lock("packages")?;
    apt::install(&["buildah"]).context(HELP)?;
    paths::on_path("buildah").context("apt-get installed no buildah")
}
