//! Everything that must be on the machine before a stack can start, installed where it is missing.
//!
//! In: the checkout's pins (go.mod files, lock files, checksums). Out: paths of programs. Found first, downloaded or built last,
//! all of it into the cache. Two installs at once wait for each other. It must not need root and not change the system, with three
//! exceptions, by apt-get and for root only: a browser (`chromium`), an image builder (`buildah`), a node's packages (`node_packages`).

mod ahead;
mod apt;
mod buildah;
mod cargo_program;
mod chromium;
mod go;
mod image_base;
mod libraries;
mod models;
mod packages;
mod pgbouncer;
mod postgres;
mod prometheus;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

pub use ahead::ahead;
pub use buildah::buildah;
pub use cargo_program::cargo_program;
pub use chromium::chromium;
pub use go::KubeTools;
pub use image_base::{ImageBase, image_base};
pub use models::{Chat, Models};
pub use packages::{npm, pip};
pub use pgbouncer::PgBouncer;
pub use postgres::PgTree;
pub use prometheus::{Prometheus, prometheus};

use crate::options::{Cluster, Options};
use crate::{paths, tool};

/// Programs of one stack, all present.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Kubernetes, unless none is wanted.
    pub kube: Option<KubeTools>,
    /// Postgres, unless an existing server is used.
    pub postgres: Option<PgTree>,
    /// The pooler, or why there is none.
    pub pgbouncer: Result<PgBouncer, String>,
    /// The embedding server, where it is wanted.
    pub models: Option<Models>,
    /// The chat server, where it is wanted.
    pub chat: Option<Chat>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The API server and its friends; kubectl alone is always wanted where a cluster is.
    pub kube: bool,
    /// A Postgres of our own.
    pub postgres: bool,
    /// The transaction pooler.
    pub pooler: bool,
    /// The embedding server.
    pub models: bool,
    /// The chat server.
    pub chat: bool,
}

impl Wanted {
    /// What a stack of these options needs.
    pub fn for_options(options: &Options) -> Self {
        Self {
            kube: options.cluster == Cluster::Own,
            postgres: options.postgres_url.is_none(),
            pooler: options.pooler,
            models: options.models,
            chat: options.chat,
        }
    }
}

/// Installs what is missing, the parts beside each other.
pub fn install(wanted: Wanted) -> Result<Installed> {
    prerequisites()?;
    let _lock = lock("install")?;
    thread::scope(|scope| {
        let postgres = scope.spawn(|| wanted.postgres.then(postgres::install).transpose());
        let pgbouncer = scope.spawn(|| match wanted.pooler {
            true => pgbouncer::install().map_err(|error| format!("{error:#}")),
            false => Err("it was switched off".to_owned()),
        });
        let models = scope.spawn(|| wanted.models.then(models::install).transpose());
        let chat = scope.spawn(|| wanted.chat.then(models::install_chat).transpose());
        let kube = wanted.kube.then(go::install).transpose();
        Ok(Installed {
            kube: kube?,
            postgres: postgres.join().map_err(|_| anyhow!("installing Postgres panicked"))??,
            pgbouncer: pgbouncer.join().map_err(|_| anyhow!("installing PgBouncer panicked"))?,
            models: models.join().map_err(|_| anyhow!("installing the models panicked"))??,
            chat: chat.join().map_err(|_| anyhow!("installing the chat model panicked"))??,
        })
    })
}

/// A program that not every stack needs, such as `helm`: found, or built with Go where it is missing.
pub fn go_program(name: &str) -> Result<PathBuf> {
    go::program(name)
}

/// What a node takes from Debian: a runtime, network plugins, packet filters. Installed into the system, as root only may.
pub fn node_packages() -> Result<()> {
    let wanted = [
        ("runc", "/usr/sbin/runc"),
        ("containernetworking-plugins", "/usr/lib/cni/bridge"),
        ("nftables", "/usr/sbin/nft"),
        ("iproute2", "/usr/sbin/ip"),
    ];
    let is_missing = |(_, file): &&(&str, &str)| !std::path::Path::new(file).exists();
    let missing: Vec<&str> = wanted.iter().filter(is_missing).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let _lock = lock("packages")?;
    apt::install(&missing)
}

/// Only one process installs at a time; the others find everything done. `install` is for the parts of every stack; the name of a
/// folder of tests/tools is for a build of what that pins, `packages` for a single folder: those two are taken last.
pub(crate) fn lock(name: &str) -> Result<File> {
    let file = File::create(paths::cache()?.join(format!("{name}.lock")))?;
    if file.try_lock().is_err() {
        crate::say::while_doing("waiting for another installation", || file.lock())?;
    }
    Ok(file)
}

/// Names what is missing and how to get it.
fn prerequisites() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!(
            "the local stack runs on Linux only (it needs setpriv and /proc): use a container or a virtual machine"
        );
    }
    require("setpriv", "it is part of util-linux: `apt-get install util-linux`")?;
    Ok(())
}

/// A program on PATH, or an error that says how to get it.
pub fn require(program: &str, how: &str) -> Result<PathBuf> {
    paths::on_path(program).with_context(|| format!("`{program}` is missing: {how}"))
}

/// Builds every program of this workspace.
pub fn cargo_build() -> Result<()> {
    let mut command = cargo()?;
    command.args(["build", "--workspace", "--bins"]).current_dir(paths::checkout());
    tool::run("building the workspace", &command)
}

/// cargo, as it would run from a shell. What `cargo run` told this program about itself is left out: build scripts that
/// watch those variables would build their crates, and all that stands on them, anew at each change between the two.
pub fn cargo() -> Result<Command> {
    let program = match crate::options::env("CARGO") {
        Some(path) => PathBuf::from(path),
        None => require("cargo", "install Rust from https://rustup.rs")?,
    };
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
        if told.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            command.env_remove(name);
        }
    }
    Ok(command)
}
