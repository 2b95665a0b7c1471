//! How far a person's database is, in words that need no knowledge of how it is made.
//!
//! In: the operator's conditions, or what else is known. Out: steps, each waiting, working, done or failed, and what is in
//! the way. Pure: the same conditions always say the same.

use askama::Template;
use crds::{ConditionType, Reason, find, is_true};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The steps and how they are called here.
const STEPS: [(ConditionType, &str); 3] = [
    (ConditionType::ProjectReady, "Creating your database"),
    (ConditionType::SchemaReady, "Setting up its tables"),
    (ConditionType::SecretReady, "Handing over the keys"),
];

/// The last step.
const LAST: &str = "Ready for your documents";
const READY: &str = "Your database is ready";

/// The panel that shows how far a database is; also the fragment that the event `tenant` carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "part/panel.html")]
pub struct PreparingPanel {
    /// Whether the database can be used.
    pub ready: bool,
    /// What is going on, as a heading.
    pub headline: String,
    /// The steps in order.
    pub steps: Vec<PreparingStep>,
    /// What is in the way and what to do, in words.
    pub trouble: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparingStep {
    /// What is done in it.
    pub label: String,
    /// How far it is.
    pub state: StepState,
    /// The operator's own words.
    pub message: String,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It is done.
    Done,
    /// It is under way.
    Working,
    /// An earlier one comes first.
    Waiting,
    /// It cannot go on by itself.
    Failed,
}

impl StepState {
    /// Its name in styles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }

    /// Its words, for who cannot see the sign.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Working => "under way",
            Self::Waiting => "to come",
            Self::Failed => "stopped",
        }
    }
}

impl PreparingPanel {
    /// The panel of a database that the operator is making.
    #[must_use]
    pub fn from_conditions(conditions: &[Condition]) -> Self {
        if is_true(conditions, ConditionType::Ready) {
            return Self::done();
        }
        let stalled =
            find(conditions, ConditionType::Stalled).filter(|condition| condition.status == "True");
        let mut steps = steps(conditions, stalled.is_some());
        let last = match (steps.iter().all(|step| step.state == StepState::Done), stalled) {
            (true, None) => StepState::Working,
            (true, Some(_)) => StepState::Failed,
            (false, _) => StepState::Waiting,
        };
        steps.push(step(LAST, last, ""));
        let headline = match stalled {
            Some(_) => "Your database could not be finished yet",
            None => "Preparing your database",
        };
        let trouble = stalled
            .map(|condition| with_operators_words(stalled_words(&condition.reason), condition))
            .or_else(|| delay(conditions));
        if trouble.is_some() {
            // The operator's words of the step at hand are told with the trouble, and once is enough.
            steps.iter_mut().filter(|step| step.state != StepState::Done).for_each(silence);
        }
        Self { ready: false, headline: headline.to_owned(), steps, trouble }
    }

    /// Whether it cannot go on by itself.
    fn stopped(&self) -> bool {
        self.steps.iter().any(|step| step.state == StepState::Failed)
    }

    /// The panel of a database that can be used.
    #[must_use]
    pub fn done() -> Self {
        let mut panel = Self::missing();
        panel.steps.iter_mut().for_each(|step| step.state = StepState::Done);
        Self { ready: true, headline: READY.to_owned(), ..panel }
    }

    /// The panel of a database that nobody has begun to make: the request for it is on its way.
    #[must_use]
    pub fn missing() -> Self {
        Self::from_conditions(&[])
    }

    /// The panel of a database that is there, and whose tables are brought up to date.
    #[must_use]
    pub fn upgrading() -> Self {
        Self {
            ready: false,
            headline: "Your database is being upgraded".to_owned(),
            steps: vec![
                step("Your documents are kept as they are", StepState::Done, ""),
                step("Bringing its tables up to date", StepState::Working, ""),
                step(LAST, StepState::Waiting, ""),
            ],
            trouble: None,
        }
    }

    /// The panel of a database that somebody removed.
    #[must_use]
    pub fn gone() -> Self {
        Self {
            ready: false,
            headline: "Your database is gone".to_owned(),
            steps: Vec::new(),
            trouble: Some(stalled_words(&Reason::ProjectMissing.to_string()).to_owned()),
        }
    }

    /// The panel of a database that is being removed.
    #[must_use]
    pub fn deleting() -> Self {
        Self {
            ready: false,
            headline: "Your database is being deleted".to_owned(),
            steps: vec![step("Removing your documents and your database", StepState::Working, "")],
            trouble: None,
        }
    }
}

fn silence(step: &mut PreparingStep) {
    step.message.clear();
}

fn step(label: &str, state: StepState, message: &str) -> PreparingStep {
    PreparingStep { label: label.to_owned(), state, message: message.to_owned() }
}

fn steps(conditions: &[Condition], stalled: bool) -> Vec<PreparingStep> {
    let done = |kind| is_true(conditions, kind);
    let pending = Reason::Pending.to_string();
    let begun = |kind| find(conditions, kind).is_some_and(|condition| condition.reason != pending);
    let open = || STEPS.iter().map(|(kind, _)| *kind).filter(|kind| !done(*kind));
    // The operator works on the first that it does not call pending; before it has said anything, on the first.
    let current = open().find(|kind| begun(*kind)).or_else(|| open().next());
    STEPS
        .iter()
        .map(|(kind, label)| {
            let state = match (done(*kind), current == Some(*kind), stalled) {
                (true, _, _) => StepState::Done,
                (false, true, true) => StepState::Failed,
                (false, true, false) => StepState::Working,
                (false, false, _) => StepState::Waiting,
            };
            let message = match (state, find(conditions, *kind)) {
                (StepState::Waiting, _) | (_, None) => "",
                (_, Some(condition)) => condition.message.as_str(),
            };
            step(label, state, message)
        })
        .collect()
}

/// What a person who only uses the app can make of a reason to stop.
fn stalled_words(reason: &str) -> &'static str {
    let is = |reasons: &[Reason]| reasons.iter().any(|known| known.to_string() == reason);
    if is(&[Reason::NeonLimitReached]) {
        "There is no room for another database at the moment. Whoever runs this app must make some; then it goes on by itself."
    } else if is(&[Reason::ProjectMissing]) {
        "Your database is gone. Whoever runs this app can bring it back for some days; please tell them now."
    } else if is(&[Reason::MigrationFailed, Reason::SchemaMismatch]) {
        "The tables of your database could not be set up. Whoever runs this app must correct that; then it goes on by itself."
    } else {
        "Whoever runs this app must do something first; then it goes on by itself. If this stays, show them the line below."
    }
}

/// What takes longer than usual, but passes by itself.
fn delay(conditions: &[Condition]) -> Option<String> {
    let condition = find(conditions, ConditionType::Reconciling)
        .filter(|condition| condition.status == "True")?;
    let is = |reason: Reason| reason.to_string() == condition.reason;
    let words = if is(Reason::NeonRateLimited) || is(Reason::NeonUnavailable) {
        "The database service is busy. This takes longer than usual, and goes on by itself."
    } else if is(Reason::DatabaseUnavailable)
        || is(Reason::CreationUncertain)
        || is(Reason::MigrationBlocked)
        || is(Reason::KubernetesError)
    {
        "This takes longer than usual. It is tried again, and goes on by itself."
    } else {
        return None;
    };
    Some(with_operators_words(words, condition))
}

fn with_operators_words(words: &str, condition: &Condition) -> String {
    if condition.message.is_empty() {
        words.to_owned()
    } else {
        format!("{words}\n{}", condition.message)
    }
}
