//! `make bench`: how fast a tenant comes and goes, and how fast the app serves one, beside the floors of bare SQL.
//!
//! In: flags; release builds of the operator, the app and the emulator next to this program. Out: tables on stdout and
//! every number as JSON under `target/`. The parts, in the order of a run: `parts` starts the operator and a watch; `floor` is
//! the bare SQL; `run` alternates the two and reads `scrape` (the operator's metrics) and `machine` (`/proc`) around them;
//! `app` does the same for the app, and `app/chat` for its chat; `results` holds the numbers, `targets` judges them, `report` shows them. A missed target is
//! told, not hidden by an error: the exit code speaks of the measurement only.

mod app;
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
use clap::{Parser, ValueEnum};
use parts::Parts;
use results::Everything;
use stack::Stack;

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Operator,
    App,
    Chat,
}

/// Measures the operator (one tenant, many at once, many deleted at once) and the app (sign-up, search, PDFs, many people at
/// once) and its chat, each beside the same SQL on bare connections.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// How often everything is measured; the table shows medians and ranges.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repetitions: u32,
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// How many tenants are applied, and deleted, at once; and how many the app has at once.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    tenants: u32,
    /// How many tenants each repetition makes one at a time; and how many people sign up one at a time.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    singles: u32,
    /// Pages of the PDF that the app reads.
    #[arg(long, default_value_t = 311, value_parser = clap::value_parser!(u32).range(1..=500))]
    pages: u32,
    /// A look instead of a measurement: one repetition, 40 tenants at once, 5 one at a time, 40 pages.
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
            (args.repetitions, args.tenants, args.singles, args.pages) = (1, 40, 5, 40);
        }
        args
    }

    pub(crate) fn measures(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
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
        .block_on(everything(&stack, args, release))
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

async fn everything(stack: &Stack, args: &Args, release: bool) -> Result<Everything> {
    let mut parts = Parts::start(stack, args).await?;
    match chosen(stack, &mut parts, args, release).await {
        Ok(everything) => {
            parts.leave().await?;
            Ok(everything)
        }
        Err(error) => Err(parts.explain(error)),
    }
}

async fn chosen(
    stack: &Stack,
    parts: &mut Parts<'_>,
    args: &Args,
    release: bool,
) -> Result<Everything> {
    let mut everything = Everything { operator: None, app: None, chat: None };
    if args.measures(Part::Operator) {
        everything.operator = Some(run::all(stack, parts, args, release).await?);
    }
    if args.measures(Part::App) {
        everything.app = Some(app::all(stack, parts, args, release).await?);
    }
    if args.measures(Part::Chat) {
        everything.chat = Some(app::chat::all(parts, args, release).await?);
    }
    Ok(everything)
}
