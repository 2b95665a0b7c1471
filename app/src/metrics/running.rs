//! What is under way: a browser that listens, a request to a model, a job in hand.
//!
//! In: its begin. Out: a guard; when that is dropped, however it came to that, the thing is over. Nothing here can be forgotten.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;

use super::Metrics;

/// A browser that listens.
#[derive(Debug)]
pub struct Listening(Gauge);

impl Listening {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A request to a model. One that is dropped before its end was abandoned: nobody wanted it any more. One that is dropped when its
/// time is over is the model's failure, and is counted as `unavailable`.
pub struct ModelCall {
    metrics: Metrics,
    model: &'static str,
    started: Instant,
    outcome: Option<&'static str>,
    due: Option<Instant>,
}

impl ModelCall {
    pub(super) fn new(metrics: Metrics, model: &'static str) -> Self {
        Self { metrics, model, started: Instant::now(), outcome: None, due: None }
    }

    /// Until when there must be an answer.
    #[must_use]
    pub fn due(mut self, at: Instant) -> Self {
        self.due = Some(at);
        self
    }

    /// It ended so: `ok`, or a category of errors.
    pub fn ended(mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl Drop for ModelCall {
    fn drop(&mut self) {
        let late = self.due.is_some_and(|due| Instant::now() >= due);
        let dropped = if late { "unavailable" } else { "abandoned" };
        self.metrics.model_called(self.model, self.outcome.unwrap_or(dropped), self.started);
    }
}

/// The jobs that this process works on.
#[derive(Clone, Default)]
pub(super) struct Work(Arc<Mutex<Begun>>);

#[derive(Default)]
struct Begun {
    last: u64,
    jobs: HashMap<u64, (&'static str, Instant)>,
}

impl Work {
    pub(super) fn begin(&self, kind: &'static str) -> Running {
        let mut begun = self.begun();
        begun.last += 1;
        let id = begun.last;
        begun.jobs.insert(id, (kind, Instant::now()));
        Running { work: self.clone(), id }
    }

    /// For how long the job of a kind has been worked on that takes longest.
    pub(super) fn longest(&self, kind: &str) -> Duration {
        let begun = self.begun();
        let ages = begun.jobs.values().filter(|job| job.0 == kind).map(|job| job.1.elapsed());
        ages.max().unwrap_or_default()
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job in hand.
pub struct Running {
    work: Work,
    id: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.work.begun().jobs.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn a_job_runs_until_its_guard_goes() {
        let work = Work::default();
        let (first, other) = (work.begin("ingest"), work.begin("delete_tenant"));
        assert!(work.longest("ingest") > Duration::ZERO);
        drop(first);
        assert_eq!(work.longest("ingest"), Duration::ZERO);
        assert!(work.longest("delete_tenant") > Duration::ZERO);
        drop(other);
        assert!(work.begun().jobs.is_empty());
    }

    #[test]
    fn a_call_that_nobody_waits_for_was_abandoned_and_a_late_one_failed() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        metrics.model_call("chat").ended("ok");
        let later = Instant::now() + Duration::from_secs(600);
        drop(metrics.model_call("chat"));
        drop(metrics.model_call("chat").due(later));
        drop(metrics.model_call("chat").due(Instant::now()));
        metrics.model_call("chat").due(Instant::now()).ended("refused");
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for (outcome, count) in [("ok", 1), ("abandoned", 2), ("unavailable", 1), ("refused", 1)] {
            let line = |labels: &str| format!("tenantry_app_model_calls_total{{{labels}}} {count}");
            let line = line(&format!("model=\"chat\",outcome=\"{outcome}\""));
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}
