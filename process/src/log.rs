//! Log lines, on standard error: text for people or JSON for machines.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log; what the crates in `silent` say never gets there, whatever the filter is.
///
/// # Errors
/// When the filter cannot be read; the text names the flag.
pub fn start(format: Format, filter: &str, silent: &[&str]) -> Result<(), String> {
    let mut directives =
        EnvFilter::try_new(filter).map_err(|error| format!("--log-filter '{filter}': {error}"))?;
    for name in silent {
        let off = format!("{name}=off").parse();
        directives =
            directives.add_directive(off.map_err(|error| format!("--log-filter: {error}"))?);
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(directives)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        Format::Text => log.with_target(false).init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
