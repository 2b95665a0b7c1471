//! All that an image is made from, and one sum over it.
//!
//! In: the Dockerfile, binaries, the base, the last commit. Out: the arguments of the build, a folder for it to see, a key that
//! changes when the image would. It must not build anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::{Profile, TARGETS, Wanted, shipped};
use crate::install::ImageBase;
use crate::options::env;
use crate::{install, paths, tool};

/// The version of everything in this workspace.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const DIRTY: &str = "-dirty";
const UNKNOWN: &str = "unknown";
const DISTROLESS: &str = "gcr.io/distroless/cc-debian12:nonroot";

/// The last commit: what a build is named after, and the time of everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) revision: String,
    pub(crate) epoch: u64,
}

impl Commit {
    /// `SOURCE_DATE_EPOCH` goes before the commit's time; outside of a git checkout both are unknown.
    pub(crate) fn read() -> Result<Self> {
        let git = |args: &[&str]| {
            let text = tool::output(Command::new("git").args(args).current_dir(paths::checkout()));
            text.map(|text| text.trim().to_owned()).ok()
        };
        // A file that nobody has added yet is compiled and packed like any other.
        let changed = git(&["status", "--porcelain", "--untracked-files=normal"]);
        let mark = if changed.is_some_and(|changes| !changes.is_empty()) { DIRTY } else { "" };
        let revision = git(&["rev-parse", "HEAD"]).map(|id| format!("{id}{mark}"));
        let epoch = env("SOURCE_DATE_EPOCH").or_else(|| git(&["log", "-1", "--format=%ct"]));
        let epoch = epoch.unwrap_or_else(|| "0".to_owned());
        Ok(Self {
            revision: revision.unwrap_or_else(|| UNKNOWN.to_owned()),
            epoch: epoch.parse().with_context(|| format!("{epoch} is no time in seconds"))?,
        })
    }

    /// Whether the revision says all that there is to say of the sources.
    pub(crate) fn is_clean(&self) -> bool {
        self.revision != UNKNOWN && !self.revision.ends_with(DIRTY)
    }
}

/// What stands under the binaries.
#[derive(Debug, Clone)]
enum Base {
    /// An image by name, and its id.
    Named(String, String),
    /// A root folder made from Debian packages.
    Packages(ImageBase),
}

/// All inputs of both images.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    commit: Commit,
    created: String,
    base: Base,
    /// None: compiled inside.
    binaries: Option<Vec<PathBuf>>,
    profile: Profile,
    key: String,
}

impl Inputs {
    pub(super) fn gather(wanted: &Wanted, engine: &Engine) -> Result<Self> {
        let commit = Commit::read()?;
        let base = match &wanted.base {
            Some(name) => {
                let id =
                    engine.id(name).with_context(|| format!("the base {name} cannot be had"))?;
                Base::Named(name.clone(), id)
            }
            None => match (!engine.stands_alone()).then(|| engine.id(DISTROLESS)).flatten() {
                Some(id) => Base::Named(DISTROLESS.to_owned(), id),
                None => Base::Packages(install::image_base()?),
            },
        };
        let binaries = (!wanted.compile).then(|| prebuilt(wanted.profile)).transpose()?;
        let created = tool::output(Command::new("date").args([
            "--utc",
            &format!("--date=@{}", commit.epoch),
            "+%Y-%m-%dT%H:%M:%SZ",
        ]))?;
        let created = created.trim().to_owned();
        let profile = wanted.profile;
        let mut inputs = Self { commit, created, base, binaries, profile, key: String::new() };
        inputs.key = inputs.sum(&engine.version()?)?;
        Ok(inputs)
    }

    /// Of sources that are compiled inside only the commit is known: a changed checkout is then built anew each time.
    fn sum(&self, engine: &str) -> Result<String> {
        let mut sum = Sha256::new_with_prefix(engine);
        sum.update(fs::read(dockerfile())?);
        for target in TARGETS {
            sum.update(self.arguments(target, self.base_name()).join("\n"));
        }
        for file in self.binaries.iter().flatten() {
            sum.update(fs::read(file)?);
        }
        if self.binaries.is_none() && !self.commit.is_clean() {
            sum.update(paths::random_hex(8)?);
        }
        match &self.base {
            Base::Named(_, id) => sum.update(id),
            Base::Packages(base) => sum.update(&base.key),
        }
        Ok(paths::hex(&sum.finalize()))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn epoch(&self) -> u64 {
        self.commit.epoch
    }

    fn base_name(&self) -> &str {
        match &self.base {
            Base::Named(name, _) => name,
            Base::Packages(_) => "localhost/tenantry-base:debian",
        }
    }

    /// The base's name, built first where it is made here. Its times are fixed: a new commit does not change it.
    pub(super) fn base(&self, engine: &Engine, work: &Path) -> Result<String> {
        if let Base::Packages(base) = &self.base {
            let file = work.join("base.Dockerfile");
            fs::write(&file, "FROM scratch\nCOPY . /\nUSER 65532:65532\n")?;
            let file = format!("--file={}", file.display());
            engine.build(&[file], self.base_name(), &base.root, 1)?;
        }
        Ok(self.base_name().to_owned())
    }

    /// Puts copies of the binaries where the build sees them, and nothing else.
    pub(super) fn stage(&self, context: &Path) -> Result<()> {
        let bin = context.join("bin");
        fs::create_dir_all(&bin)?;
        for file in self.binaries.iter().flatten() {
            let copy = bin.join(file.file_name().context("a binary has a name")?);
            fs::copy(file, &copy)?;
            if self.profile == Profile::Debug {
                let mut strip = Command::new(install::require("strip", "it is part of binutils")?);
                tool::output(strip.arg("--strip-debug").arg(&copy))?;
            }
            // Docker keeps the time of what it copies.
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.epoch());
            fs::File::options().write(true).open(copy)?.set_modified(time)?;
        }
        Ok(())
    }

    /// The folder that the build sees: the copies, or the sources.
    pub(super) fn context(&self, work: &Path) -> PathBuf {
        match self.binaries {
            Some(_) => work.join("context"),
            None => paths::checkout(),
        }
    }

    /// Arguments of `build` for one of the Dockerfile's targets.
    pub(super) fn arguments(&self, target: &str, base: &str) -> Vec<String> {
        let mut variables = vec![
            ("RUNTIME", base),
            ("VERSION", VERSION),
            ("REVISION", &self.commit.revision),
            ("CREATED", &self.created),
        ];
        // Named in any case: some versions of buildah do not see the Dockerfile's own default where a stage is named by it.
        match self.binaries {
            Some(_) => variables.extend([("BINARIES", "prebuilt"), ("PREBUILT", "bin")]),
            None => variables.push(("BINARIES", "compiled")),
        }
        let mut arguments =
            vec![format!("--file={}", dockerfile().display()), format!("--target={target}")];
        for (name, value) in variables {
            arguments.push(format!("--build-arg={name}={value}"));
        }
        arguments
    }
}

fn dockerfile() -> PathBuf {
    paths::checkout().join("Dockerfile")
}

fn prebuilt(profile: Profile) -> Result<Vec<PathBuf>> {
    let (folder, how) = match profile {
        Profile::Debug => (shipped::target().join("debug"), "cargo build --workspace --bins"),
        Profile::Release => (shipped::folder(), "cargo run --package stack -- images"),
    };
    let binaries = TARGETS.map(|name| folder.join(format!("tenantry-{name}")));
    for file in &binaries {
        ensure!(file.is_file(), "{} is not built: run `{how}`", file.display());
    }
    Ok(binaries.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_unknown_checkout_is_no_commit() {
        let commit = |revision: &str| Commit { revision: revision.to_owned(), epoch: 0 };
        assert!(commit("0123abc").is_clean());
        assert!(!commit("0123abc-dirty").is_clean() && !commit("unknown").is_clean());
    }

    /// A crate that the build inside an image cannot see would be found missing only where there is a registry.
    #[test]
    fn the_build_sees_every_member_of_the_workspace() {
        let read = |name: &str| fs::read_to_string(paths::checkout().join(name)).unwrap();
        let (manifest, ignored) = (read("Cargo.toml"), read(".dockerignore"));
        let members = manifest.lines().find(|line| line.starts_with("members")).unwrap();
        let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
        assert!(members.contains(&"operator"), "{members:?}");
        for needed in members.iter().chain(&["Cargo.toml", "Cargo.lock", "migrations"]) {
            let line = format!("!{needed}");
            assert!(ignored.lines().any(|other| other == line), ".dockerignore lacks {line}");
        }
    }

    #[test]
    fn the_builders_image_has_the_oldest_rust_that_is_supported() {
        let manifest = fs::read_to_string(paths::checkout().join("Cargo.toml")).unwrap();
        let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
        let tag = format!("rust:{}-", version.unwrap().trim_matches('"'));
        assert!(fs::read_to_string(dockerfile()).unwrap().contains(&tag), "{tag}");
    }
}
