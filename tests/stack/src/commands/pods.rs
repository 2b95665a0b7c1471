//! `stack e2e-pods`: the whole product as pods on a real node, from its images, by its chart.
//!
//! In: flags. Out: what the walk says, counted as tests; where a node cannot run, one skipped test with the reason. The walk itself is
//! tests/suites/pods; here its images are built, and namespaces made for it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use super::results::{News, Results};
use super::{Common, images};
use crate::install::Wanted;
use crate::options::{IMAGES, Options, STAY};
use crate::{install, node, paths, say, tool};

/// One program of each family that the walk needs beside those of a stack; the others of the family (`ctr`, `pause`, `kube-proxy`) are
/// built with it.
const PROGRAMS: [&str; 4] = ["versitygw", "kubelet", "containerd", "helm"];

/// Flags of `stack e2e-pods`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Which binaries the images hold: a test run has built those of `debug` anyway.
    #[arg(long, value_enum, default_value = "debug")]
    profile: images::Profile,
    /// Stop after the installation, say how to get in, and stay until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

/// `stack e2e-pods`
pub fn pods(common: &Common, flags: &Flags) -> Result<ExitCode> {
    let mut results = Results::default();
    super::build(common)?;
    if flags.stay {
        return stay(flags.profile);
    }
    add(flags.profile, &mut results);
    println!("{}", results.summary());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Walks, counts and reports; everything that it needs of this workspace is built already.
pub(super) fn add(profile: images::Profile, results: &mut Results) {
    let walked = run(profile, results);
    if let Err(error) = &walked {
        println!("error: {error:#}");
    }
    let success = walked.unwrap_or(false);
    results.finish(success);
    if !success {
        println!("\n{}", results.report());
    }
}

/// A node with the release on it, for somebody to look at.
fn stay(profile: images::Profile) -> Result<ExitCode> {
    node::namespaces::missing().map_err(anyhow::Error::msg)?;
    let mut walk = walk(prepare(profile)?)?;
    walk.env(STAY, "1");
    println!("   in another terminal, once it says that it stays, a shell inside:");
    println!("   sudo nsenter --target $(pgrep -x e2e-pods) --mount --net --pid bash");
    let child = tool::follow("the node", &walk, |line| println!("{line}"));
    node::namespaces::leave();
    Ok(if child?.exit_status().is_some_and(|status| status.success()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The walk, in namespaces of its own.
fn walk(archives: Vec<PathBuf>) -> Result<Command> {
    let mut walk = Command::new(paths::binary("e2e-pods")?);
    walk.env(IMAGES, std::env::join_paths(archives)?).env("RUST_LIB_BACKTRACE", "0");
    Ok(node::namespaces::enter(&walk))
}

/// Whether all went well.
fn run(profile: images::Profile, results: &mut Results) -> Result<bool> {
    if let Err(reason) = node::namespaces::missing() {
        println!("SKIPPED: pods: {reason}");
        results.line("     Running as pods (e2e-pods-node)");
        results.line(&format!("SKIPPED: pods: {reason}"));
        results.line("test result: ok. 1 passed; 0 failed; 0 ignored");
        return Ok(true);
    }
    let walk = walk(prepare(profile)?)?;
    let followed = tool::follow("walking through the product as pods", &walk, |line| {
        if let Some(News::Failed(name)) = results.line(line) {
            say::line(format!("   ✗ {name}"));
        }
        // Names of the parts, and how long each took.
        if line.starts_with("   ") && !line.contains(" Running ") {
            say::line(line);
        }
    });
    node::namespaces::leave();
    let child = followed?;
    println!("\nall output of the pods' walk: {}", child.log().display());
    Ok(child.exit_status().is_some_and(|status| status.success()))
}

/// Images, and every program and package that is fetched from somewhere: there is no network inside.
fn prepare(profile: images::Profile) -> Result<Vec<PathBuf>> {
    let stack = Options { models: true, chat: true, ..Options::default() };
    install::install(Wanted::for_options(&stack))?;
    for program in PROGRAMS {
        install::go_program(program)?;
    }
    install::chromium()?;
    for folder in ["browser", "oidc"] {
        install::npm(&paths::checkout().join("tests").join(folder))?;
    }
    let output = paths::checkout().join("target/images/e2e");
    let built = images::build(&images::Wanted::prebuilt(profile), &output).context("images")?;
    Ok(built.into_iter().map(|image| image.archive).collect())
}
