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
    Up,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = signals::watch().and_then(|()| match args.command {
        Command::Install => commands::install(&args.common),
        Command::Up => commands::up(&args.common),
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
