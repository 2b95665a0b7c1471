//! What Prometheus sees: the real server scrapes, the rules fire, the dashboard has data, and the documents say what is so.
//!
//! [`rules`] the rules by themselves, [`dashboard`] the dashboard by itself, [`journey`] both of them against a real Prometheus
//! that scrapes a real operator and a real app, [`docs`] what is written about all of it. [`expr`] reads names out of queries,
//! [`exposition`] what a process exports, [`server`] starts Prometheus. [`faults`] what the metrics say when something is wrong.

mod dashboard;
mod docs;
mod exposition;
mod expr;
mod faults;
mod journey;
mod rules;
mod server;

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A file of the chart.
fn chart_file(name: &str) -> PathBuf {
    stack::paths::checkout().join("charts/tenantry/files").join(name)
}

/// A file of the repository, as text.
fn text(path: &str) -> Result<String> {
    let path = stack::paths::checkout().join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Prometheus' programs; where they cannot be had, the test says so and is skipped.
fn prometheus(test: &str) -> Option<stack::install::Prometheus> {
    match stack::install::prometheus() {
        Ok(programs) => Some(programs),
        Err(error) => {
            stack::skip(test, &format!("{error:#}").replace('\n', " "));
            None
        }
    }
}
