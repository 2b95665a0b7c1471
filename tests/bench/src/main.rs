//! `make bench`: how fast a tenant comes and goes, beside the floor of the same SQL on bare connections.
//!
//! In: flags; release builds of the operator and the emulator next to this program. Out: a table on stdout and every number
//! as JSON under `target/`. The parts, in the order of a run: `parts` starts the stack, the operator and a watch; `floor` is
//! the bare SQL; `run` alternates the two and reads `scrape` (the operator's metrics) and `machine` (`/proc`) around them;
//! `results` holds the numbers, `targets` judges them, `report` shows them. A missed target is told, not hidden by an
//! error: the exit code speaks of the measurement only.

mod floor;
mod machine;
mod parts;
mod report;
mod results;
mod run;
mod scrape;
mod stats;
mod targets;
mod tenants;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

/// Measures the operator: one tenant, many at once, many deleted at once; each beside the same SQL on bare connections.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// How often everything is measured; the table shows medians and ranges.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repetitions: u32,
    /// How many tenants are applied, and deleted, at once.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    tenants: u32,
    /// How many tenants each repetition makes one at a time.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    singles: u32,
    /// A look instead of a measurement: one repetition, 40 tenants at once, 5 one at a time.
    #[arg(long)]
    quick: bool,
    /// Where the numbers go.
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    /// Further flags of the operator, as they are: `--operator-arg=--concurrency=8`.
    #[arg(long = "operator-arg", allow_hyphen_values = true)]
    operator_args: Vec<String>,
    /// Further flags of the emulator, as they are.
    #[arg(long = "emulator-arg", allow_hyphen_values = true)]
    emulator_args: Vec<String>,
}

impl Args {
    fn read() -> Self {
        let mut args = Self::parse();
        if args.quick {
            (args.repetitions, args.tenants, args.singles) = (1, 40, 5);
        }
        args
    }
}

fn main() -> ExitCode {
    let args = Args::read();
    let result = stack::signals::watch().and_then(|()| measure(&args));
    if stack::signals::stopping() {
        stack::signals::wait();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stack::say::line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    // One provider in the whole tree; libraries that find none would panic at their first connection.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let release = !cfg!(debug_assertions);
    if !release {
        stack::say::line("this is a debug build: its numbers mean nothing, use `make bench`");
    }
    let options = parts::options(args);
    let stack =
        stack::say::while_doing("starting the local stack", || stack::Stack::start(options))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let results = runtime
        .block_on(run::all(&stack, args, release))
        .with_context(|| format!("all logs are in {}", stack.log_dir().display()))?;
    let path = stack::paths::checkout().join(&args.json);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, serde_json::to_vec_pretty(&results)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", report::text(&results));
    println!("every number: {}", args.json.display());
    Ok(())
}
