//! One operation and its clock: scheduling, running, then how it ends. In: when it starts and ends, and a fault that
//! changes that. Out: its status at any moment. Pure.

use serde::Deserialize;

use super::Millis;

/// How an operation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Finished,
    Skipped,
    Failed,
    Error,
    Cancelled,
    /// Never ends: stays `scheduling`.
    Stuck,
}

/// One operation of one project.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) branch_id: Option<String>,
    pub(crate) endpoint_id: Option<String>,
    pub(crate) action: String,
    pub(crate) created_at: Millis,
    /// Whether it is the first of its call: the others wait for it, however short the wait.
    pub(crate) first: bool,
    pub(crate) start: Millis,
    pub(crate) end: Millis,
    pub(crate) outcome: Outcome,
    /// A status that no enum of today knows, reported as it is.
    pub(crate) forced_status: Option<String>,
    pub(crate) error: Option<String>,
}

impl Operation {
    pub(crate) fn new(
        sequence: u64,
        project_id: &str,
        action: &str,
        (created_at, start, end): (Millis, Millis, Millis),
    ) -> Self {
        Self {
            sequence,
            id: crate::ids::uuid(),
            project_id: project_id.to_owned(),
            branch_id: None,
            endpoint_id: None,
            action: action.to_owned(),
            created_at,
            first: true,
            start,
            end,
            outcome: Outcome::Finished,
            forced_status: None,
            error: None,
        }
    }

    /// The status that a read sees.
    pub(crate) fn status(&self, now: Millis) -> &str {
        if let Some(status) = &self.forced_status {
            return status;
        }
        if now < self.start || self.outcome == Outcome::Stuck {
            return "scheduling";
        }
        if now < self.end {
            return "running";
        }
        match self.outcome {
            Outcome::Finished => "finished",
            Outcome::Skipped => "skipped",
            Outcome::Failed => "failed",
            Outcome::Error => "error",
            Outcome::Cancelled => "cancelled",
            Outcome::Stuck => "scheduling",
        }
    }

    /// The status in the reply of the call that made it: nothing is finished there, however quick.
    pub(crate) fn first_status(&self) -> &str {
        match &self.forced_status {
            Some(status) => status,
            None if !self.first || self.outcome == Outcome::Stuck => "scheduling",
            None => "running",
        }
    }

    /// Whether it still blocks other mutations of its project.
    pub(crate) fn unfinished(&self, now: Millis) -> bool {
        now < self.end || self.outcome == Outcome::Stuck || self.forced_status.is_some()
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Error | Outcome::Cancelled)
    }
}

/// What a fault rule does to the operations of a call.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct OperationFault {
    /// Only operations with this action; all of the call's otherwise.
    #[serde(default)]
    pub(crate) only: Option<String>,
    /// How they end.
    #[serde(default)]
    pub(crate) outcome: Option<Outcome>,
    /// A status reported as it is, for instance one that no client knows.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// An action reported instead of the real one.
    #[serde(default)]
    pub(crate) action: Option<String>,
    /// Takes this long instead of `operation_millis`.
    #[serde(default)]
    pub(crate) millis: Option<i64>,
    /// Text of the `error` field.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

impl OperationFault {
    pub(crate) fn apply(&self, operation: &mut Operation) {
        if self.only.as_ref().is_some_and(|only| *only != operation.action) {
            return;
        }
        operation.outcome = self.outcome.unwrap_or(operation.outcome);
        operation.forced_status = self.status.clone().or(operation.forced_status.take());
        operation.action = self.action.clone().unwrap_or_else(|| operation.action.clone());
        operation.end = self.millis.map_or(operation.end, |millis| operation.created_at + millis);
        operation.error = self.error.clone().or(operation.error.take());
        if operation.error.is_none() && operation.failed() {
            operation.error = Some("operation failed (injected)".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_follows_the_clock() {
        let mut operation = Operation::new(1, "p", "start_compute", (100, 150, 200));
        operation.first = false;
        assert_eq!(operation.first_status(), "scheduling");
        assert_eq!(operation.status(149), "scheduling");
        assert_eq!(operation.status(150), "running");
        assert_eq!(operation.status(200), "finished");
        assert!(operation.unfinished(199) && !operation.unfinished(200));
    }

    #[test]
    fn without_duration_it_runs_in_the_reply_and_is_finished_at_the_next_read() {
        let operation = Operation::new(1, "p", "create_timeline", (100, 100, 100));
        assert_eq!((operation.first_status(), operation.status(100)), ("running", "finished"));
    }

    #[test]
    fn faults_change_only_what_they_name() {
        let fault: OperationFault =
            serde_json::from_str(r#"{"only":"start_compute","outcome":"failed"}"#).unwrap();
        let mut timeline = Operation::new(1, "p", "create_timeline", (0, 0, 0));
        let mut compute = Operation::new(2, "p", "start_compute", (0, 0, 0));
        fault.apply(&mut timeline);
        fault.apply(&mut compute);
        assert_eq!((timeline.status(1), compute.status(1)), ("finished", "failed"));
        assert!(compute.error.is_some());
    }

    #[test]
    fn a_stuck_one_blocks_for_ever() {
        let mut operation = Operation::new(1, "p", "apply_config", (0, 0, 0));
        operation.outcome = Outcome::Stuck;
        assert!(operation.unfinished(i64::MAX) && operation.status(i64::MAX) == "scheduling");
    }
}
