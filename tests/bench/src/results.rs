//! The numbers of a run, as they are written to JSON. Rates and ratios are methods: what is stored was measured.

use serde::Serialize;

use crate::app;
use crate::floor;
use crate::machine::{Memory, Used};
use crate::scrape::Phase;

/// All parts. The operator's numbers stand at the top, the app's under `app`, the chat's under `chat`.
#[derive(Debug, Serialize)]
pub(crate) struct Everything {
    #[serde(flatten)]
    pub(crate) operator: Option<Results>,
    pub(crate) app: Option<app::Results>,
    pub(crate) chat: Option<app::chat::Results>,
}

/// A whole run of the operator.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) setting: Setting,
    pub(crate) repetitions: Vec<Repetition>,
}

/// What was measured where.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) started: String,
    pub(crate) release_build: bool,
    pub(crate) processors: String,
    pub(crate) tenants: usize,
    pub(crate) singles: usize,
    pub(crate) floor_connections: usize,
    pub(crate) operator_args: Vec<String>,
    pub(crate) emulator_args: Vec<String>,
}

/// Everything once.
#[derive(Debug, Serialize)]
pub(crate) struct Repetition {
    /// The machine's load averages when it began.
    pub(crate) load: String,
    pub(crate) one: One,
    pub(crate) applied: Many,
    pub(crate) deleted: Many,
    /// The operator's, with all tenants Ready.
    pub(crate) memory: Memory,
}

/// Tenants made one at a time, each beside its floor.
#[derive(Debug, Default, Serialize)]
pub(crate) struct One {
    pub(crate) seconds: Vec<f64>,
    pub(crate) floor: Vec<floor::Parts>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) used: Vec<Used>,
    pub(crate) floor_used: Vec<Used>,
}

impl One {
    pub(crate) fn floor_seconds(&self) -> Vec<f64> {
        self.floor.iter().map(floor::Parts::total).collect()
    }
}

/// Many tenants at once, and the floor of as many over a few connections.
#[derive(Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) tenants: usize,
    pub(crate) seconds: f64,
    pub(crate) floor_seconds: f64,
    /// Of the floor, where it has several.
    pub(crate) floor_parts: Vec<floor::Parts>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) used: Used,
    pub(crate) floor_used: Used,
}

impl Many {
    /// Tenants per second.
    pub(crate) fn rate(&self) -> f64 {
        self.tenants as f64 / self.seconds
    }

    pub(crate) fn floor_rate(&self) -> f64 {
        self.tenants as f64 / self.floor_seconds
    }
}
