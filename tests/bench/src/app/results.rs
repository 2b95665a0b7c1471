//! The app's numbers, as they are written to JSON: what was measured, in seconds and megabytes.

use serde::Serialize;

use crate::floor;
use crate::machine::Memory;

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(super) setting: Setting,
    pub(super) sign_ups: Vec<SignUps>,
    pub(super) searches: Vec<Searches>,
    pub(super) cold: Vec<Searches>,
    pub(super) crowd: Vec<Crowd>,
    pub(super) ingests: Vec<Ingest>,
    pub(super) fleet: Fleet,
    pub(super) real: Real,
}

/// What was measured where.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) started: String,
    pub(super) release_build: bool,
    pub(super) processors: String,
    pub(super) repetitions: usize,
    pub(super) sign_ups: usize,
    pub(super) questions: usize,
    pub(super) pages: usize,
    pub(super) users: usize,
    pub(super) rounds: usize,
    pub(super) tenants: usize,
    /// The machine's load averages when it began.
    pub(super) load: String,
}

/// People who signed up one at a time: one entry each, all from the click.
#[derive(Debug, Default, Serialize)]
pub(super) struct SignUps {
    pub(super) answered: Vec<f64>,
    pub(super) ready: Vec<f64>,
    /// The open page says so; it tells together what comes together.
    pub(super) shown: Vec<f64>,
    pub(super) floor: Vec<floor::Parts>,
}

/// Searches one at a time, each beside its bare statement.
#[derive(Debug, Default, Serialize)]
pub(super) struct Searches {
    pub(super) passages: usize,
    pub(super) seconds: Vec<f64>,
    pub(super) floor: Vec<f64>,
}

/// Many people at once.
#[derive(Debug, Default, Serialize)]
pub(super) struct Crowd {
    pub(super) seconds: f64,
    pub(super) list: Vec<f64>,
    pub(super) search: Vec<f64>,
    pub(super) page: Vec<f64>,
    pub(super) errors: usize,
    /// As many bare search statements at once, over as many connections.
    pub(super) floor_search: Vec<f64>,
}

/// A PDF from its upload to its passages.
#[derive(Debug, Serialize)]
pub(super) struct Ingest {
    /// Of the vectors that are stored.
    pub(super) dimensions: usize,
    pub(super) pages: usize,
    pub(super) megabytes: f64,
    pub(super) passages: i64,
    pub(super) seconds: f64,
    /// Of these, the upload's own.
    pub(super) upload: f64,
    pub(super) stages: Stages,
    pub(super) peak: Peak,
    /// The bare extractor on the same file.
    pub(super) floor_extract: f64,
    /// The bare COPY of the same rows.
    pub(super) floor_copy: f64,
    /// Another person's requests before, and while it runs once more.
    pub(super) before: Visits,
    pub(super) during: Visits,
    pub(super) seconds_visited: f64,
}

/// By the app's own metrics; the stages overlap.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Stages {
    pub(super) reading: f64,
    pub(super) embedding: f64,
    pub(super) storing: f64,
}

/// The most memory at one moment, in MB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Peak {
    pub(super) together: f64,
    pub(super) app: f64,
    pub(super) child: f64,
}

/// Requests of one person.
#[derive(Debug, Default, Serialize)]
pub(super) struct Visits {
    pub(super) list: Vec<f64>,
    pub(super) search: Vec<f64>,
}

/// Many active tenants.
#[derive(Debug, Serialize)]
pub(super) struct Fleet {
    pub(super) tenants: usize,
    /// All signed up, a few at a time, until the last one's database was ready.
    pub(super) sign_up: f64,
    pub(super) at_start: Memory,
    pub(super) active: Memory,
    pub(super) pools: f64,
}

/// With the real model.
#[derive(Debug, Serialize)]
pub(super) struct Real {
    pub(super) model: String,
    pub(super) pages: usize,
    pub(super) seconds: f64,
    pub(super) searches: Vec<f64>,
}
