//! Log lines, on standard error: text for people or JSON for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, ProcessArgs};

/// Starts the log.
///
/// # Errors
/// When the filter cannot be read; the text names the flag.
pub fn start(args: &ProcessArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log_filter)
        .map_err(|error| format!("--log-filter '{}': {error}", args.log_filter))?;
    // It writes answers that it cannot read to the log; what people and documents say does not belong there.
    let quiet = "async_openai=off".parse().map_err(|error| format!("--log-filter: {error}"))?;
    let filter = filter.add_directive(quiet);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match args.log_format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
