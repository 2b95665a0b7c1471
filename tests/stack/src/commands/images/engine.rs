//! The program that builds: docker, podman, or buildah where there is neither.
//!
//! In: arguments of a build that all three understand. Out: an image as a folder in the OCI layout. buildah works without a
//! daemon, in a store of its own that is thrown away; the other two in theirs. It must not know what is in an image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::{install, paths, tool};

/// What builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Docker with `BuildKit`.
    Docker,
    /// Podman.
    Podman,
    /// Buildah, which needs neither a daemon nor a registry.
    Buildah,
}

/// A program that works here.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    choice: Choice,
    program: PathBuf,
    store: PathBuf,
    /// Nothing of an earlier build is taken.
    fresh: bool,
}

impl Engine {
    /// The wanted one, or the first that works. A docker without its daemon is none.
    pub(super) fn find(wanted: Option<Choice>, fresh: bool) -> Result<Self> {
        let store = paths::cache()?.join("images/store");
        let engine = |choice, program| Self { choice, program, store: store.clone(), fresh };
        let alive = |program: &PathBuf| {
            Command::new(program).arg("info").output().is_ok_and(|output| output.status.success())
        };
        for (choice, name) in [(Choice::Docker, "docker"), (Choice::Podman, "podman")] {
            if wanted.is_none_or(|wanted| wanted == choice) {
                if let Some(program) = paths::on_path(name).filter(alive) {
                    return Ok(engine(choice, program));
                }
                ensure!(wanted.is_none(), "{name} does not work here: `{name} info` fails");
            }
        }
        Ok(engine(Choice::Buildah, install::buildah()?))
    }

    pub(super) fn name(&self) -> &'static str {
        match self.choice {
            Choice::Docker => "docker",
            Choice::Podman => "podman",
            Choice::Buildah => "buildah",
        }
    }

    /// Compressors differ between versions, and with them an image's digest.
    pub(super) fn version(&self) -> Result<String> {
        tool::output(self.command().arg("--version"))
    }

    /// Buildah is what a machine without a registry has.
    pub(super) fn stands_alone(&self) -> bool {
        self.choice == Choice::Buildah
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.choice == Choice::Buildah {
            command.arg("--root").arg(self.store.join("root"));
            command.arg("--runroot").arg(self.store.join("run")).args(["--storage-driver", "vfs"]);
        }
        command
    }

    /// The id of an image that is here or can be had: its name may mean another tomorrow.
    pub(super) fn id(&self, image: &str) -> Option<String> {
        // Without a registry, what is here already counts.
        let _ = tool::output(self.command().args(["pull", image]));
        let inspect: &[&str] = match self.choice {
            Choice::Docker | Choice::Podman => &["image", "inspect", "--format", "{{.Id}}"],
            Choice::Buildah => &["inspect", "--type", "image", "--format", "{{.FromImageID}}"],
        };
        let id = tool::output(self.command().args(inspect).arg(image)).ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// Builds `name`; every time in it is `epoch`.
    pub(super) fn build(
        &self,
        arguments: &[String],
        name: &str,
        context: &Path,
        epoch: u64,
    ) -> Result<()> {
        let mut command = self.building(epoch);
        command.args(arguments).args(["--tag", name]).arg(context);
        tool::run(&format!("building {name}"), &command)
    }

    /// The beginning of a build.
    fn building(&self, epoch: u64) -> Command {
        let mut command = self.command();
        command.arg("build");
        if self.fresh {
            // Docker and podman would otherwise hand out the layers of the build before.
            command.arg("--no-cache");
        }
        match self.choice {
            Choice::Docker => {
                command.args(["--provenance=false", "--build-arg"]);
                command.arg(format!("SOURCE_DATE_EPOCH={epoch}")).env("DOCKER_BUILDKIT", "1");
            }
            Choice::Podman | Choice::Buildah => {
                command.args(["--isolation", "chroot", "--identity-label=false", "--timestamp"]);
                command.arg(epoch.to_string());
            }
        }
        command
    }

    /// Writes an image as a folder: index.json, blobs.
    pub(super) fn export(&self, name: &str, layout: &Path) -> Result<()> {
        match self.choice {
            Choice::Podman | Choice::Buildah => {
                let to = format!("oci:{}:{name}", layout.display());
                tool::output(self.command().args(["push", "--quiet", name, &to])).map(drop)
            }
            Choice::Docker => {
                let saved = layout.with_extension("saved");
                tool::output(self.command().args(["save", "--output"]).arg(&saved).arg(name))?;
                fs::create_dir_all(layout)?;
                let mut tar = Command::new("tar");
                tool::output(tar.arg("-xf").arg(&saved).arg("-C").arg(layout))?;
                fs::remove_file(saved)?;
                if !layout.join("index.json").is_file() {
                    bail!("`docker save` wrote no OCI layout: docker 25 or newer is needed");
                }
                Ok(())
            }
        }
    }

    /// Removes a folder of ours. What buildah wrote without root belongs to ids that only it may act for.
    pub(super) fn remove(&self, folder: &Path) {
        let unowned = self.choice == Choice::Buildah && paths::uid() != 0 && folder.exists();
        if fs::remove_dir_all(folder).is_err() && unowned {
            let mut unshare = Command::new(&self.program);
            let _ = tool::output(unshare.args(["unshare", "rm", "-rf", "--"]).arg(folder))
                .context("cannot remove the image builder's folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_build_takes_no_layer_of_the_one_before() {
        for choice in [Choice::Docker, Choice::Podman, Choice::Buildah] {
            let words = |fresh| -> Vec<String> {
                let engine = Engine { choice, program: "x".into(), store: "y".into(), fresh };
                let command = engine.building(1);
                command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
            };
            let cold = words(true);
            assert!(cold.contains(&"--no-cache".to_owned()), "{cold:?}");
            assert!(!words(false).contains(&"--no-cache".to_owned()), "{choice:?}");
        }
    }
}
