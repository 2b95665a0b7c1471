//! `stack test`: installs beside the build, runs every test of the workspace, counts.
//!
//! In: flags, further words for the test programs (a filter, for example). Out: progress, what failed, and as the last line
//! `123 passed, 0 failed, 2 skipped`; the exit code follows the failures. It must not hide a test program that died.

use std::process::{Command, ExitCode};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use super::results::{News, Results};
use super::{Common, install_parts};
use crate::{install, paths, say, tool};

/// `stack test`
pub fn test(common: &Common, words: &[String]) -> Result<ExitCode> {
    let results = run(common, words);
    println!("{}", results.summary());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything but the last line. What keeps the tests from running counts as a failure.
pub(super) fn run(common: &Common, words: &[String]) -> Results {
    let started = Instant::now();
    let mut results = Results::default();
    match prepare(common).and_then(|()| run_tests(common, words, &mut results)) {
        Ok(success) => results.finish(success),
        Err(error) => {
            println!("error: {error:#}");
            results.finish(false);
        }
    }
    let report = results.report();
    if !report.is_empty() {
        println!("\n{report}");
    }
    if let Ok(cache) = paths::cache() {
        // A failed test names its own; these are for what no test explains.
        println!(
            "\nlogs of stacks: {0}/logs, of builds and installations: {0}/install-logs",
            cache.display()
        );
    }
    println!("\n(in {})", say::human(started.elapsed()));
    results
}

fn prepare(common: &Common) -> Result<()> {
    thread::scope(|scope| {
        let installed = scope.spawn(|| install_parts(common));
        // One build for programs and tests: two would differ in the features of shared crates and compile most of them twice.
        tool::run(
            "building programs and tests",
            &cargo(&["build", "--workspace", "--all-targets"])?,
        )?;
        installed.join().map_err(|_| anyhow!("installing panicked"))?.map(drop)
    })
}

/// Whether cargo says that all went well.
fn run_tests(common: &Common, words: &[String], results: &mut Results) -> Result<bool> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--", "--show-output"])?;
    // A failed test says where it failed; the way there through the test harness helps nobody.
    command.args(words).envs(common.environment()).env("RUST_LIB_BACKTRACE", "0");
    let child = tool::follow("running the tests", &command, |line| {
        if let Some(news) = results.line(line) {
            tell(&news);
        }
    })?;
    println!("\nall output of the tests: {}", child.log().display());
    Ok(child.exit_status().is_some_and(|status| status.success()))
}

fn cargo(args: &[&str]) -> Result<Command> {
    let mut command = install::cargo()?;
    command.args(args).current_dir(paths::checkout()).env("CARGO_TERM_COLOR", "never");
    Ok(command)
}

fn tell(news: &News) {
    match news {
        News::Program(name) => say::line(format!("   … {name}")),
        News::Failed(name) => say::line(format!("   ✗ {name}")),
        News::Slow(name) => say::line(format!("   … {name} takes more than a minute")),
        News::Ended(summary) => say::line(format!("   ✓ {summary}")),
    }
}
