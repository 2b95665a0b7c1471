//! The words of the status: how a pass ended, as a reason and a message that says what to do.

use crds::Reason;

use super::Verdict;
use crate::{
    error::Error,
    plan::{Refusal, Step, Waiting},
};

/// While there is no project yet.
pub(super) const CREATING: &str = "The Neon project is being created";

/// Which of Reconciling and Stalled holds, why, and in which words.
pub(super) struct Outlook {
    pub(super) reconciling: bool,
    pub(super) stalled: bool,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Verdict<'_> {
    pub(super) fn outlook(&self) -> Outlook {
        let outlook = |reconciling, stalled, reason, message: String| Outlook {
            reconciling,
            stalled,
            reason,
            message,
        };
        match self {
            Self::Converged => {
                outlook(false, false, Reason::Settled, "All is as declared".to_owned())
            }
            Self::AtWork(reason, message) => outlook(true, false, *reason, (*message).to_owned()),
            Self::Waits(Waiting::Paused) => {
                let message = "spec.paused is true: set it to false to go on".to_owned();
                outlook(false, false, Reason::Paused, message)
            }
            Self::Waits(waiting) => {
                let (reason, message) = waiting_words(waiting);
                outlook(true, false, reason, message)
            }
            Self::Refuses(refusal) => {
                let (reason, message) = refusal_words(refusal);
                outlook(false, true, reason, message)
            }
            Self::Failed(error) => {
                let person = error.needs_a_person();
                outlook(!person, person, error.reason(), failure_words(error))
            }
        }
    }
}

/// What is said while a step goes on; nothing of those that write the object themselves, and of those that only look: each resync
/// looks, and a Neon that answers slowly is no work on the tenant.
#[must_use]
pub fn of_step(step: &Step) -> Option<Verdict<'_>> {
    let (reason, words) = match step {
        Step::AddFinalizer
        | Step::RecordIntent
        | Step::RemoveFinalizer { retained: _ }
        | Step::LookUp
        | Step::CheckOperations
        | Step::FetchConnection => return None,
        Step::CreateProject
        | Step::Bind { project: _ }
        | Step::Adopt { project: _ }
        | Step::RemoveDuplicate { project: _ } => (Reason::CreatingProject, CREATING),
        Step::RestoreName | Step::ApplySettings => {
            (Reason::ApplyingSettings, "Changed settings are being applied")
        }
        Step::Migrate => (
            Reason::Migrating,
            "Tenant migrations are being applied; a database that sleeps wakes up first",
        ),
        Step::ResetPassword | Step::WriteSecret | Step::RemoveSecret { name: _ } => {
            (Reason::WritingSecret, "The Secret is being written")
        }
        Step::DeleteProject { project: _ } | Step::ConfirmGone { project: _ } => {
            (Reason::Deleting, "The project is being deleted")
        }
    };
    Some(Verdict::AtWork(reason, words))
}

fn waiting_words(waiting: &Waiting) -> (Reason, String) {
    match waiting {
        Waiting::Paused => (Reason::Paused, "spec.paused is true".to_owned()),
        Waiting::Operations => {
            (Reason::OperationsRunning, "Neon is working on the project".to_owned())
        }
        Waiting::CreationUncertain { until } => (
            Reason::CreationUncertain,
            format!("A request to create the project was sent and its reply lost; if no project appears until {until}, it is sent again"),
        ),
        Waiting::LookupIncomplete => (
            Reason::NeonUnavailable,
            "Neon cannot list all projects at the moment, so it is not known whether this one exists".to_owned(),
        ),
        Waiting::Deletion => (Reason::Deleting, "Neon is deleting the project".to_owned()),
    }
}

fn refusal_words(refusal: &Refusal) -> (Reason, String) {
    match refusal {
        Refusal::SecretConflict { name } => (
            Reason::SecretConflict,
            format!(
                "A Secret '{name}' exists and is not this tenant's; it is left untouched. Remove it (seen within seconds), or set spec.secret.name to another name"
            ),
        ),
        Refusal::ProjectMissing { project } => (
            Reason::ProjectMissing,
            format!(
                "Project {project} is gone from Neon. Recover it there (within 7 days), or annotate this object with {}=<id of a restored project>, or delete this object; an empty project is not put in its place",
                crds::ADOPT_ANNOTATION
            ),
        ),
        Refusal::Ambiguous { projects } => (
            Reason::ProjectAmbiguous,
            format!(
                "Several projects carry this tenant's name: {}. Delete or rename in Neon the ones that are not in use",
                projects.join(", ")
            ),
        ),
        Refusal::NotOurs { project, why } => (
            Reason::ProjectAmbiguous,
            format!("Project {project} is not taken for this tenant's: {why}"),
        ),
        Refusal::AdoptionRefused { project, why } => (
            Reason::AdoptionRefused,
            format!(
                "Project {project} cannot be taken over: {why}. Correct the annotation {} or remove it",
                crds::ADOPT_ANNOTATION
            ),
        ),
        Refusal::OperationFailed { what } => (
            Reason::OperationFailed,
            format!(
                "An operation of Neon on the project failed ({what}). Look at the project in Neon's console"
            ),
        ),
    }
}

/// The failure, and what helps where the error cannot say that itself.
fn failure_words(error: &Error) -> String {
    let remedy = match error.reason() {
        _ if error.category() == "database_certificate" => {
            ". Give the operator the authority that signed it: --tenant-db-ca-file"
        }
        _ if error.category() == "not_found" => {
            ". If this stays, check the operator's --neon-api-url"
        }
        Reason::NeonUnauthorized => ". Give the operator an API key that Neon accepts",
        Reason::NeonLimitReached => ". Raise the plan's limit or delete projects that nobody needs",
        Reason::MigrationFailed => ". Correct the migration; it is tried again every few minutes",
        Reason::SchemaMismatch => ". Run an operator that has this database's migrations",
        Reason::NeonRefused if matches!(error, Error::Neon(_)) => {
            ". Correct in spec what Neon names; what cannot be changed there, such as region, needs a new object"
        }
        Reason::DeletionRefused => ". Remove the protection from its branches in Neon",
        _ => "",
    };
    format!("{}{remedy}", error.describe())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::Attention;
    use jiff::Timestamp;

    /// docs/api.md says of each reason whether a person must act: the status must say the same.
    #[test]
    fn a_reason_asks_for_what_its_documentation_says() {
        let words = || "x".to_owned();
        let refusals = [
            Refusal::SecretConflict { name: words() },
            Refusal::ProjectMissing { project: words() },
            Refusal::Ambiguous { projects: vec![words()] },
            Refusal::NotOurs { project: words(), why: words() },
            Refusal::AdoptionRefused { project: words(), why: words() },
            Refusal::OperationFailed { what: words() },
        ];
        let waits = [
            Waiting::Paused,
            Waiting::Operations,
            Waiting::CreationUncertain { until: Timestamp::UNIX_EPOCH },
            Waiting::LookupIncomplete,
            Waiting::Deletion,
        ];
        let errors = [
            Error::Overtaken,
            Error::Incomplete(words()),
            crate::tenant_db::Error::Locked(words()).into(),
            crate::tenant_db::Error::Mismatch(words()).into(),
            crate::tenant_db::Error::Migration(words()).into(),
        ];
        let steps = [
            Step::CreateProject,
            Step::ApplySettings,
            Step::Migrate,
            Step::WriteSecret,
            Step::ConfirmGone { project: words() },
        ];
        let verdicts = refusals
            .iter()
            .map(Verdict::Refuses)
            .chain(waits.iter().map(Verdict::Waits))
            .chain(errors.iter().map(Verdict::Failed))
            .chain(steps.iter().filter_map(of_step))
            .chain([Verdict::Converged]);
        for verdict in verdicts {
            let Outlook { reconciling, stalled, reason, message: _ } = verdict.outlook();
            let (works, person) = match reason.attention() {
                Attention::None => (false, false),
                Attention::Work | Attention::Trouble => (true, false),
                Attention::Person => (false, true),
            };
            assert_eq!((reconciling, stalled), (works, person), "{reason}");
        }
        for reason in Reason::ALL {
            let trouble = reason.attention() == Attention::Trouble;
            assert_eq!(crate::status::is_trouble(&reason.to_string()), trouble, "{reason}");
        }
    }
}
