//! Log lines, on standard error: text for people or JSON for machines.
//!
//! In: the form, and which lines, as `tracing_subscriber::EnvFilter` reads it. Out: a log for the whole process. Crates that would
//! write what does not belong in a log are silent, whatever the filter says of them.

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

/// Starts the log; what the crates in `silent` say does not get there.
///
/// # Errors
/// When the filter cannot be read; the text names the flag.
pub fn start(format: Format, filter: &str, silent: &[&str]) -> Result<(), String> {
    let mut directives = EnvFilter::try_new(without(filter, silent))
        .map_err(|error| format!("--log-filter '{filter}': {error}"))?;
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

/// A filter without what it says of these crates: a directive on one of their modules would win over one on the crate.
fn without(filter: &str, crates: &[&str]) -> String {
    let is_left = |directive: &&str| !crates.iter().any(|name| directive.trim().starts_with(name));
    filter.split(',').filter(is_left).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_crates_cannot_be_made_to_speak() {
        let filter = "info, chatty::error=trace,sqlx=warn,chatty=debug";
        assert_eq!(without(filter, &["chatty"]), "info,sqlx=warn");
        assert_eq!(without("chatty=debug", &["chatty"]), "");
        assert_eq!(without(filter, &[]), filter);
    }
}
