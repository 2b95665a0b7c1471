//! What people are told of each state of the operator's conditions.

use StepState::{Done, Failed, Waiting, Working};
use crds::{ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::web::{PreparingPanel, StepState};

/// A condition as the operator writes it.
pub(super) fn says(kind: ConditionType, status: bool, reason: Reason, words: &str) -> Condition {
    crds::condition(kind, status, reason, words, Some(1), Timestamp::UNIX_EPOCH)
}

/// Conditions of a tenant whose steps are `done`, in order, and which is at work for `reason`.
pub(super) fn at_work(done: [bool; 3], reason: Reason, words: &str) -> Vec<Condition> {
    parts(done, reason, words, false)
}

/// Conditions of a tenant that needs a person.
pub(super) fn stalled(done: [bool; 3], reason: Reason, words: &str) -> Vec<Condition> {
    parts(done, reason, words, true)
}

fn parts(done: [bool; 3], reason: Reason, words: &str, stalled: bool) -> Vec<Condition> {
    let kinds =
        [ConditionType::ProjectReady, ConditionType::SchemaReady, ConditionType::SecretReady];
    let mut all = vec![
        says(ConditionType::Ready, false, reason, words),
        says(ConditionType::Reconciling, !stalled, reason, words),
        says(ConditionType::Stalled, stalled, reason, words),
    ];
    let mut first = true;
    for (kind, done) in kinds.into_iter().zip(done) {
        all.push(match (done, first) {
            (true, _) => says(kind, true, Reason::Ready, "Done by the operator"),
            (false, true) => says(kind, false, reason, words),
            (false, false) => says(kind, false, Reason::Pending, "Another step comes first"),
        });
        first &= done;
    }
    all
}

fn states(panel: &PreparingPanel) -> Vec<StepState> {
    panel.steps.iter().map(|step| step.state).collect()
}

#[test]
fn before_the_operator_has_said_anything_the_first_step_is_under_way() {
    let panel = PreparingPanel::from_conditions(&[]);
    assert_eq!(states(&panel), [Working, Waiting, Waiting, Waiting]);
    assert!(!panel.ready);
    assert_eq!(panel.trouble, None);
}

#[test]
fn steps_are_done_one_after_the_other() {
    let panel = |done, reason| PreparingPanel::from_conditions(&at_work(done, reason, "At it"));
    let first = panel([false; 3], Reason::CreatingProject);
    assert_eq!(states(&first), [Working, Waiting, Waiting, Waiting]);
    assert_eq!(first.steps[0].message, "At it");
    assert_eq!(first.steps[1].message, "", "what comes later says nothing yet");
    let second = panel([true, false, false], Reason::Migrating);
    assert_eq!(states(&second), [Done, Working, Waiting, Waiting]);
    let third = panel([true, true, false], Reason::WritingSecret);
    assert_eq!(states(&third), [Done, Done, Working, Waiting]);
    let last = panel([true; 3], Reason::DatabaseUnavailable);
    assert_eq!(states(&last), [Done, Done, Done, Working]);
}

#[test]
fn ready_means_all_is_done() {
    let mut conditions = at_work([true, false, true], Reason::Migrating, "");
    crds::set(&mut conditions, says(ConditionType::Ready, true, Reason::Ready, ""));
    let panel = PreparingPanel::from_conditions(&conditions);
    assert!(panel.ready);
    assert_eq!(states(&panel), [Done; 4]);
    assert_eq!(panel, PreparingPanel::done());
}

#[test]
fn what_needs_a_person_stops_its_step_and_says_who_must_act() {
    let words = "Raise the plan's limit";
    let conditions = stalled([false; 3], Reason::NeonLimitReached, words);
    let panel = PreparingPanel::from_conditions(&conditions);
    assert_eq!(states(&panel), [Failed, Waiting, Waiting, Waiting]);
    let trouble = panel.trouble.unwrap();
    assert!(trouble.contains("no room for another database"), "{trouble}");
    assert!(trouble.ends_with(words), "{trouble}");
}

#[test]
fn every_reason_to_stop_has_words_and_keeps_those_of_the_operator() {
    for reason in [
        Reason::MigrationFailed,
        Reason::SchemaMismatch,
        Reason::SecretConflict,
        Reason::InvalidSpec,
        Reason::ProjectMissing,
        Reason::ProjectAmbiguous,
        Reason::NeonUnauthorized,
        Reason::NeonRefused,
        Reason::OperationFailed,
    ] {
        let panel = PreparingPanel::from_conditions(&stalled([false; 3], reason, "Do this"));
        let trouble = panel.trouble.unwrap();
        assert!(trouble.contains("Whoever runs this app"), "{reason}: {trouble}");
        assert!(trouble.ends_with("\nDo this"), "{reason}: {trouble}");
    }
}

#[test]
fn a_taken_secret_stops_the_step_that_it_belongs_to() {
    let mut conditions = stalled([false; 3], Reason::SecretConflict, "Taken");
    for kind in [ConditionType::ProjectReady, ConditionType::SchemaReady] {
        crds::set(&mut conditions, says(kind, false, Reason::Pending, ""));
    }
    let secret = says(ConditionType::SecretReady, false, Reason::SecretConflict, "Taken");
    crds::set(&mut conditions, secret);
    let panel = PreparingPanel::from_conditions(&conditions);
    assert_eq!(states(&panel), [Waiting, Waiting, Failed, Waiting]);
}

#[test]
fn a_delay_is_told_as_one_and_plain_work_is_not() {
    let trouble =
        |reason| PreparingPanel::from_conditions(&at_work([false; 3], reason, "Why")).trouble;
    assert_eq!(trouble(Reason::CreatingProject), None);
    assert_eq!(trouble(Reason::OperationsRunning), None);
    for reason in [Reason::NeonRateLimited, Reason::NeonUnavailable, Reason::DatabaseUnavailable] {
        let words = trouble(reason).unwrap();
        assert!(words.contains("goes on by itself"), "{reason}: {words}");
    }
}

#[test]
fn a_condition_of_an_unknown_reason_is_no_trouble() {
    let mut conditions = at_work([false; 3], Reason::CreatingProject, "");
    for condition in &mut conditions {
        condition.reason = "SomethingNew".to_owned();
    }
    let panel = PreparingPanel::from_conditions(&conditions);
    assert_eq!(states(&panel), [Working, Waiting, Waiting, Waiting]);
}
