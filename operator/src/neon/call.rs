//! What the client reports about each attempt, for metrics and logs.
//!
//! In: a finished attempt. Out: a [`Call`] with a bounded set of routes and statuses, so that it can be a
//! metric's labels. It must not carry a path with ids in it, a query or a body.

use std::{fmt, time::Duration};

/// One attempt at one request, whatever came of it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method and path as a template, for example `GET /projects/{project_id}`.
    pub route: &'static str,
    /// How it ended.
    pub status: CallStatus,
    /// From the start of the attempt until its answer was read or given up.
    pub elapsed: Duration,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// A whole answer came, with this HTTP status.
    Code(u16),
    /// No whole answer within the time allowed.
    Timeout,
    /// The connection could not be made, or broke before the whole answer was read.
    Transport,
}

impl fmt::Display for CallStatus {
    /// The label: `200`, `timeout` or `transport`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Timeout => f.write_str("timeout"),
            Self::Transport => f.write_str("transport"),
        }
    }
}
