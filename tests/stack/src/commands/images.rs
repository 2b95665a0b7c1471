//! `stack images`: the operator's and the app's image, built and checked with whatever this machine has.
//!
//! In: the Dockerfile, binaries that cargo built (or the sources), the last commit for version and time. Out: one archive for each
//! image that `ctr images import`, `docker load` and `skopeo` take, a list of what is in it beside it, sizes. The same inputs give the
//! same bytes, and a second run with the same inputs builds nothing. Tests call `build`. Where buildah builds, nothing else is left.

mod archive;
mod check;
mod engine;
mod inputs;
mod sbom;
mod shipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Common;
use crate::{install, paths, say, tool};

pub(super) use archive::{pack, sha256};
pub use engine::Choice;
use engine::Engine;
use inputs::Inputs;
pub(super) use inputs::{Commit, VERSION};
pub(super) use sbom::sbom;

/// Where images are named after.
pub const REGISTRY: &str = "ghcr.io/tenantry";
/// The images: a target of the Dockerfile each, holding `tenantry-<target>`.
pub const TARGETS: [&str; 2] = ["operator", "app"];

/// Which build of the binaries an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// What a test run has built, without its debugging symbols.
    Debug,
    /// What ships.
    Release,
}

/// Flags of `stack images`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Which binaries of target/ the images hold.
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Folder for the archives.
    #[arg(long, default_value = "target/images")]
    output: PathBuf,
    /// What builds; left out, the first that works here.
    #[arg(long, value_enum)]
    engine: Option<Choice>,
    /// Compile inside the builder's image instead of taking binaries of target/: needs a registry.
    #[arg(long)]
    compile: bool,
    /// Image to build on; left out, distroless with docker and podman where it can be pulled, else one made from Debian packages.
    #[arg(long)]
    base: Option<String>,
    /// Build twice from nothing and fail unless both give the same images; with `--compile`, the compiler's own cache stays.
    #[arg(long)]
    twice: bool,
}

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which binaries.
    pub profile: Profile,
    /// What builds; None: the first that works here.
    pub engine: Option<Choice>,
    /// Compile inside the builder's image.
    pub compile: bool,
    /// Image to build on.
    pub base: Option<String>,
    /// Take nothing of an earlier build.
    pub fresh: bool,
}

impl Wanted {
    /// Binaries that cargo has built, everything else as the machine has it.
    pub fn prebuilt(profile: Profile) -> Self {
        Self { profile, engine: None, compile: false, base: None, fresh: false }
    }
}

/// A built and checked image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `ghcr.io/tenantry/operator:0.1.0`
    pub name: String,
    /// An OCI archive that carries this name.
    pub archive: PathBuf,
    /// Digest of its manifest.
    pub digest: String,
    /// Bytes to pull.
    pub compressed: u64,
    /// Bytes on a node's disk.
    pub unpacked: u64,
}

/// `stack images`
pub fn images(common: &Common, flags: &Flags) -> Result<ExitCode> {
    let wanted = Wanted {
        profile: flags.profile,
        engine: flags.engine,
        compile: flags.compile,
        base: flags.base.clone(),
        fresh: false,
    };
    if !common.no_build && !wanted.compile {
        binaries(wanted.profile)?;
    }
    let output = std::path::absolute(paths::checkout().join(&flags.output))?;
    if flags.twice {
        prove(&wanted, &output)?;
    }
    let built = build(&wanted, &output)?;
    sbom(&output, Commit::read()?.epoch)?;
    for image in &built {
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        println!(
            "{}  {} to pull, {} unpacked  {}",
            image.name,
            megabytes(image.compressed),
            megabytes(image.unpacked),
            image.archive.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Gets what builds, and what is built on, before they are needed; whoever needs them says what is wrong.
pub(super) fn ahead() {
    if Engine::find(None, false).is_ok_and(|engine| engine.stands_alone()) {
        let _ = install::image_base();
    }
}

/// Builds the binaries of that profile: what tests have built, or what ships.
pub(super) fn binaries(profile: Profile) -> Result<()> {
    match profile {
        Profile::Debug => install::cargo_build(),
        Profile::Release => tool::run("building the release", &shipped::build()?),
    }
}

/// Builds both images from nothing, twice: an image that differs holds something of the moment or the machine.
fn prove(wanted: &Wanted, output: &Path) -> Result<()> {
    let wanted = &Wanted { fresh: true, ..wanted.clone() };
    let [first, second] = ["first", "second"].map(|name| output.join(format!("twice-{name}")));
    let made = [&first, &second].map(|folder| {
        let _ = fs::remove_dir_all(folder);
        build(wanted, folder)
    });
    let [one, two] = made;
    for (one, two) in one?.iter().zip(&two?) {
        let same = one.digest == two.digest && sha256(&one.archive)? == sha256(&two.archive)?;
        ensure!(same, "{} is not reproducible: {} and {}", one.name, one.digest, two.digest);
        say::line(format!("   the same twice: {} {}", one.name, one.digest));
    }
    fs::remove_dir_all(first)?;
    Ok(fs::remove_dir_all(second)?)
}

/// Builds and checks the images into `output`, in the order of [`TARGETS`]; what is there from the same inputs is left as it is.
pub fn build(wanted: &Wanted, output: &Path) -> Result<Vec<Image>> {
    fs::create_dir_all(output)?;
    let _lock = install::lock("images")?;
    let engine = Engine::find(wanted.engine, wanted.fresh)?;
    let inputs = Inputs::gather(wanted, &engine)?;
    let there = TARGETS.map(|target| known(output, target, &inputs));
    if there.iter().all(Option::is_some) {
        return Ok(there.into_iter().flatten().collect());
    }
    let work = Work::create(&engine)?;
    let base = inputs.base(&engine, &work.0)?;
    inputs.stage(&work.0.join("context"))?;
    let build = |(target, there): (&str, Option<Image>)| match there {
        Some(image) => Ok(image),
        None => build_one(target, &engine, &inputs, &base, &work.0, output),
    };
    TARGETS.into_iter().zip(there).map(build).collect()
}

fn build_one(
    target: &str,
    engine: &Engine,
    inputs: &Inputs,
    base: &str,
    work: &Path,
    output: &Path,
) -> Result<Image> {
    let name = format!("{REGISTRY}/{target}:{VERSION}");
    let layout = work.join(target);
    say::while_doing(&format!("building {name} with {}", engine.name()), || {
        engine.build(
            &inputs.arguments(target, base),
            &name,
            &inputs.context(work),
            inputs.epoch(),
        )?;
        engine.export(&name, &layout)
    })?;
    let found = check::layout(&layout, &format!("/tenantry-{target}"), &work.join("root"))?;
    let archive = archive_of(output, target);
    pack(&layout, &archive, inputs.epoch())?;
    fs::remove_dir_all(&layout)?;
    let stamp = json!({
        "image": name, "digest": found.digest, "compressed": found.compressed, "unpacked": found.unpacked,
        "inputs": inputs.key(), "sha256": sha256(&archive)?,
    });
    fs::write(stamp_of(&archive), format!("{stamp:#}\n"))?;
    known(output, target, inputs).context("the image that was just built is not there")
}

fn archive_of(output: &Path, target: &str) -> PathBuf {
    output.join(format!("tenantry-{target}-{VERSION}.oci.tar"))
}

fn stamp_of(archive: &Path) -> PathBuf {
    archive.with_extension("json")
}

/// An archive that stands there, whole, from the same inputs.
fn known(output: &Path, target: &str, inputs: &Inputs) -> Option<Image> {
    let archive = archive_of(output, target);
    let stamp: Value = serde_json::from_slice(&fs::read(stamp_of(&archive)).ok()?).ok()?;
    let text = |key: &str| stamp[key].as_str().map(ToOwned::to_owned);
    if text("inputs")? != inputs.key() || text("sha256")? != sha256(&archive).ok()? {
        return None;
    }
    Some(Image {
        name: text("image")?,
        digest: text("digest")?,
        compressed: stamp["compressed"].as_u64()?,
        unpacked: stamp["unpacked"].as_u64()?,
        archive,
    })
}

/// A folder for one build: nothing of it is left, also of one that was killed.
struct Work(PathBuf, Engine);

impl Work {
    fn create(engine: &Engine) -> Result<Self> {
        let work = Self(paths::cache()?.join("images"), engine.clone());
        work.remove();
        fs::create_dir_all(&work.0)?;
        Ok(work)
    }

    fn remove(&self) {
        self.1.remove(&self.0);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.remove();
    }
}
