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
    let results = run(common, words)?;
    println!("{}", results.summary());
    Ok(if results.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything but the last line.
pub(super) fn run(common: &Common, words: &[String]) -> Result<Results> {
    let started = Instant::now();
    thread::scope(|scope| {
        let installed = scope.spawn(|| install_parts(common));
        // Compile errors are told apart from failing tests, and the time of each is seen.
        install::cargo_build()?;
        tool::run("building the tests", &cargo(&["test", "--workspace", "--no-run"])?)?;
        installed.join().map_err(|_| anyhow!("installing panicked"))?.map(drop)
    })?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--", "--show-output"])?;
    command.args(words).envs(common.environment());
    let mut results = Results::default();
    let child = tool::follow("running the tests", &command, |line| {
        if let Some(news) = results.line(line) {
            tell(&news);
        }
    })?;
    results.finish(child.exit_status().is_some_and(|status| status.success()));
    let report = results.report();
    if !report.is_empty() {
        println!("\n{report}");
    }
    println!("\nall output: {}   ({})", child.log().display(), say::human(started.elapsed()));
    Ok(results)
}

fn cargo(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(install::cargo()?);
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
