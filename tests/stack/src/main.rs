//! `stack`: the command behind every target of the Makefile.
//!
//! In: a command line. Out: an honest exit code. The work is in the library, so that tests and commands do the same.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stack::{commands, signals};

/// The local stack: a Kubernetes API server, Postgres and a Neon API on this machine, and what is done with them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    common: commands::Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install and build what is missing, start nothing.
    Install,
    /// Start everything but the operator and print how to use it, until Ctrl-C.
    Up(commands::Without),
    /// Walk through the main job aloud, then stay up until Ctrl-C.
    Demo {
        /// End after the walk.
        #[arg(long, env = "ONCE", value_parser = clap::builder::FalseyValueParser::new())]
        once: bool,
    },
    /// Run every test of the workspace; the last line counts them.
    Test {
        /// Passed on to the test programs: a filter, for example.
        words: Vec<String>,
    },
    /// Run the measurements of the release build.
    Bench {
        /// Passed on to the bench program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Walk through the whole product as pods on a real node.
    #[command(name = "e2e-pods")]
    Pods(commands::PodsFlags),
    /// Build and check the operator's and the app's image.
    Images(commands::images::Flags),
    /// All that a release consists of: chart, images, CRD, lists of what is in them, checksums.
    Release {
        /// Folder for it; it must be missing, empty or hold an earlier release, which is replaced.
        #[arg(long, default_value = "dist")]
        output: std::path::PathBuf,
    },
    /// Write the files that are made from the code and the chart.
    Generate,
    /// Everything that must pass before a merge: lints, licences, generated files, tests.
    Ci,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = signals::watch().and_then(|()| match args.command {
        Command::Install => commands::install(&args.common),
        Command::Up(without) => commands::up(&args.common, without),
        Command::Demo { once } => commands::demo(&args.common, once),
        Command::Test { words } => commands::test(&args.common, &words),
        Command::Bench { words } => commands::bench(&args.common, &words),
        Command::Pods(flags) => commands::pods(&args.common, &flags),
        Command::Images(flags) => commands::images(&args.common, &flags),
        Command::Release { output } => commands::release(&args.common, &output),
        Command::Generate => commands::generate(),
        Command::Ci => commands::ci(&args.common),
    });
    if signals::stopping() {
        signals::wait();
    }
    match result {
        Ok(code) => code,
        Err(error) => {
            stack::say::line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
