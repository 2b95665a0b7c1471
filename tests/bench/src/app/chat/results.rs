//! The chat's numbers, as they are written to JSON: what was measured, in seconds and megabytes.

use serde::Serialize;

use super::ask::Heard;
use crate::machine::Memory;

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(super) setting: Setting,
    pub(super) alone: Vec<Alone>,
    #[serde(flatten)]
    pub(super) crowds: Crowds,
    pub(super) growth: Vec<Alone>,
    pub(super) ways: Vec<Ways>,
}

/// What was measured where.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) started: String,
    pub(super) release_build: bool,
    pub(super) processors: String,
    pub(super) repetitions: usize,
    pub(super) questions: usize,
    pub(super) passages: usize,
    pub(super) dimensions: usize,
    /// Seconds that a few people ask for.
    pub(super) seconds: f64,
    /// Questions of each of many people.
    pub(super) rounds: usize,
    /// The machine's load averages when it began.
    pub(super) load: String,
}

/// Answers, all from the request on.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answers {
    /// To the first source.
    pub(super) retrieval: Vec<f64>,
    pub(super) first_token: Vec<f64>,
    pub(super) end: Vec<f64>,
}

impl Answers {
    pub(super) fn add(&mut self, heard: &Heard) {
        self.retrieval.push(heard.retrieval);
        self.first_token.push(heard.first_token);
        self.end.push(heard.end);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.retrieval.append(&mut other.retrieval);
        self.first_token.append(&mut other.first_token);
        self.end.append(&mut other.end);
    }
}

/// Questions one at a time, each beside its floors.
#[derive(Debug, Default, Serialize)]
pub(super) struct Alone {
    pub(super) passages: usize,
    pub(super) dimensions: usize,
    pub(super) answers: Answers,
    /// The bare vector query.
    pub(super) floor_nearest: Vec<f64>,
    /// The same with the app's settings of a session.
    pub(super) floor_tuned: Vec<f64>,
    /// The app's whole statement.
    pub(super) floor_statement: Vec<f64>,
}

/// People who ask at the same time, in each repetition.
#[derive(Debug, Default, Serialize)]
pub(super) struct Crowds {
    /// As many people as the example was measured with, who never pause.
    pub(super) few: Vec<Together>,
    /// The same, who ask as often as the example could answer.
    pub(super) paced: Vec<Together>,
    pub(super) many: Vec<Together>,
}

/// People who ask at the same time.
#[derive(Debug, Serialize)]
pub(super) struct Together {
    pub(super) people: usize,
    pub(super) seconds: f64,
    pub(super) answers: Answers,
    pub(super) failures: usize,
    /// The app's, when the last answer had come.
    pub(super) memory: Memory,
}

/// How long each word took from the model to the browser, in seconds.
#[derive(Debug, Default, Serialize)]
pub(super) struct Ways {
    pub(super) plain: Vec<f64>,
    /// Of a browser that says that it takes gzip.
    pub(super) gzip: Vec<f64>,
}
