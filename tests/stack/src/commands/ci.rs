//! `stack ci`: what must pass before a merge, on a clean clone and a new machine.
//!
//! In: flags. Out: each check with its time, then the tests, and as the last line their count. A failed check does not keep the
//! others from running, so one run shows all that is wrong. Skipped tests fail it unless TENANTRY_ALLOW_SKIPS is set.

use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::{Common, generate, images, install_parts, pods, test};
use crate::options::is_set;
use crate::{install, paths, say, tool};

const CARGO_DENY: &str = "0.20.2";
const LINT: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];

type Check = (&'static str, fn() -> Result<()>);

const BEFORE_TESTS: [Check; 5] = [
    ("formatting", || cargo("formatting", &["fmt", "--all", "--check"])),
    ("lints", || cargo("lints", LINT)),
    ("documentation", documentation),
    ("licences, bans and sources", deny),
    ("direction of dependencies", direction),
];
const AFTER_TESTS: [Check; 1] = [("generated files", generate::check)];

/// `stack ci`
pub fn ci(common: &Common) -> Result<ExitCode> {
    let mut failed = thread::scope(|scope| {
        // Go builds for minutes on a new machine, and all the rest takes its time too: both start with the lints. What fails here fails
        // again, loudly, with the tests.
        scope.spawn(|| install_parts(common).map(drop));
        scope.spawn(|| {
            images::ahead();
            install::ahead();
        });
        failures(&BEFORE_TESTS)
    });
    let mut results = test::run(common, &[]);
    // Of the binaries that the tests have just used: one build less.
    pods::add(images::Profile::Debug, &mut results);
    failed.extend(failures(&AFTER_TESTS));
    if results.skipped() > 0 && !is_set("TENANTRY_ALLOW_SKIPS") {
        println!("FAILED   tests were skipped (TENANTRY_ALLOW_SKIPS=1 allows it)");
        failed.push("no skipped tests");
    }
    if !failed.is_empty() {
        println!("failed checks: {}", failed.join(", "));
    }
    println!("{}", results.summary());
    let green = failed.is_empty() && results.failed() == 0;
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every check, says how each ended, gives the names of those that failed.
fn failures(checks: &[Check]) -> Vec<&'static str> {
    let failed = |(name, check): &Check| match check() {
        Ok(()) => {
            say::line(format!("ok       {name}"));
            None
        }
        Err(error) => {
            say::line(format!("FAILED   {name}: {error:#}"));
            Some(*name)
        }
    };
    checks.iter().filter_map(failed).collect()
}

fn command(args: &[&str]) -> Result<Command> {
    let mut command = install::cargo()?;
    command.args(args).current_dir(paths::checkout()).env("CARGO_TERM_COLOR", "never");
    Ok(command)
}

fn cargo(name: &str, args: &[&str]) -> Result<()> {
    tool::run(name, &command(args)?)
}

/// A module's documentation may link to its private parts: who reads it has the source.
fn documentation() -> Result<()> {
    let mut doc = command(&["doc", "--workspace", "--no-deps"])?;
    tool::run(
        "documentation",
        doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
    )
}

/// Licences, duplicate and banned crates, sources; advisories too where their database can be fetched.
fn deny() -> Result<()> {
    let program = install::cargo_program("cargo-deny", CARGO_DENY, &["--no-default-features"])?;
    let deny = |what: &str, checks: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["--all-features", "check"]).args(checks).current_dir(paths::checkout());
        tool::run(what, &command)
    };
    deny("cargo deny", &["bans", "licenses", "sources"])?;
    match deny("advisories", &["advisories"]) {
        Err(error) if cannot_fetch(&format!("{error:#}")) => {
            say::line(
                "   the advisory database cannot be reached from here: advisories were not checked",
            );
            Ok(())
        }
        result => result,
    }
}

fn cannot_fetch(text: &str) -> bool {
    ["failed to fetch advisory database", "failed to acquire", "unable to fetch"]
        .iter()
        .any(|words| text.contains(words))
}

/// Nothing that ships depends on anything under tests/.
fn direction() -> Result<()> {
    let metadata =
        tool::output(&mut command(&["metadata", "--no-deps", "--format-version", "1"])?)?;
    let (shipped, tests) = members(&serde_json::from_str(&metadata)?);
    ensure!(!shipped.is_empty() && !tests.is_empty(), "cargo metadata names no members");
    for package in &shipped {
        let tree = tool::output(&mut command(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])?)?;
        if let Some(wrong) =
            tests.iter().find(|test| tree.lines().any(|line| line.split(' ').next() == Some(test)))
        {
            bail!("{package} depends on {wrong}, which lies under tests/");
        }
    }
    Ok(())
}

/// Names of the workspace's packages: those that ship, those under tests/.
fn members(metadata: &Value) -> (Vec<String>, Vec<String>) {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |package: &Value| package["name"].as_str().unwrap_or_default().to_owned();
    let under_tests = |package: &&Value| {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        manifest.strip_prefix(root).is_some_and(|path| path.starts_with("/tests/"))
    };
    let (tests, shipped): (Vec<&Value>, Vec<&Value>) = packages.iter().partition(under_tests);
    (shipped.into_iter().map(name).collect(), tests.into_iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart_by_their_folder() {
        let metadata = serde_json::json!({"workspace_root": "/w/tests", "packages": [
            {"name": "operator", "manifest_path": "/w/tests/operator/Cargo.toml"},
            {"name": "stack", "manifest_path": "/w/tests/tests/stack/Cargo.toml"},
        ]});
        assert_eq!(members(&metadata), (vec!["operator".to_owned()], vec!["stack".to_owned()]));
    }
}
