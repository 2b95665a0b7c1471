//! Why an attempt failed, and what follows from it.
//!
//! In: the error of a phase. Out: a category (metric label), a reason and a message for the status, whether a person
//! must act, and when to try again. Messages never hold a secret: the phases' own errors see to that.

use std::time::Duration;

use crds::Reason;

use crate::{neon, tenant_db};

/// A failed attempt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the Neon API.
    #[error(transparent)]
    Neon(#[from] neon::Error),
    /// A call to the Kubernetes API.
    #[error("the Kubernetes API: {}", kube_words(.0))]
    Kube(Box<kube::Error>),
    /// Another operator serves the same tenant, and was quicker.
    #[error("somebody else wrote this object's status: looking again")]
    Overtaken,
    /// The tenant's database.
    #[error(transparent)]
    Database(#[from] tenant_db::Error),
    /// The spec cannot be carried out.
    #[error(transparent)]
    Invalid(#[from] crate::desired::Invalid),
    /// Neon does not delete the project.
    #[error("Neon refuses to delete the project")]
    DeletionRefused(#[source] neon::Error),
    /// Neon's answer lacks something that the operator needs.
    #[error("{0}")]
    Incomplete(String),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Soon, then less and less often.
    Backoff,
    /// Not before this time.
    After(Duration),
    /// Only a person can help, so look seldom.
    Seldom,
    /// Only a change of the object can help.
    OnChange,
}

impl Error {
    /// The kind of failure: a metric label, from a fixed set.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Neon(error) => error.category(),
            Self::Kube(_) => "kubernetes",
            Self::Overtaken => "overtaken",
            Self::Database(error) => match error {
                tenant_db::Error::Timeout(_) => "database_timeout",
                tenant_db::Error::Connect(_) => "database_unavailable",
                tenant_db::Error::Certificate(_) => "database_certificate",
                tenant_db::Error::Locked(_) => "migration_locked",
                tenant_db::Error::Mismatch(_) => "migration_mismatch",
                tenant_db::Error::Migration(_) => "migration_failed",
                tenant_db::Error::Interrupted(_) => "database_interrupted",
            },
            Self::Invalid(_) => "invalid_spec",
            Self::DeletionRefused(_) => "deletion_refused",
            Self::Incomplete(_) => "incomplete_answer",
        }
    }

    /// The reason that the status shows.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Neon(error) => neon_reason(error),
            Self::Kube(_) | Self::Overtaken => Reason::KubernetesError,
            Self::Database(error) => match error {
                tenant_db::Error::Timeout(_)
                | tenant_db::Error::Connect(_)
                | tenant_db::Error::Certificate(_)
                | tenant_db::Error::Interrupted(_) => Reason::DatabaseUnavailable,
                tenant_db::Error::Locked(_) => Reason::MigrationBlocked,
                tenant_db::Error::Mismatch(_) => Reason::SchemaMismatch,
                tenant_db::Error::Migration(_) => Reason::MigrationFailed,
            },
            Self::Invalid(_) => Reason::InvalidSpec,
            Self::DeletionRefused(_) => Reason::DeletionRefused,
            Self::Incomplete(_) => Reason::NeonRefused,
        }
    }

    /// When to try again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Neon(error) => match (error.retry_after(), neon_reason(error)) {
                (Some(delay), _) => Retry::After(delay),
                (None, Reason::NeonUnavailable | Reason::OperationsRunning) => Retry::Backoff,
                (None, Reason::NeonRateLimited | Reason::CreationUncertain) => Retry::Backoff,
                (None, _) => Retry::Seldom,
            },
            // Refused as invalid, by the server's rules or by an admission webhook: it will be refused again.
            Self::Kube(error) if is_invalid(error) => Retry::Seldom,
            Self::Kube(_) | Self::Overtaken => Retry::Backoff,
            Self::Database(error) => match error {
                tenant_db::Error::Mismatch(_)
                | tenant_db::Error::Migration(_)
                | tenant_db::Error::Certificate(_) => Retry::Seldom,
                tenant_db::Error::Timeout(_)
                | tenant_db::Error::Connect(_)
                | tenant_db::Error::Locked(_)
                | tenant_db::Error::Interrupted(_) => Retry::Backoff,
            },
            Self::Invalid(_) => Retry::OnChange,
            Self::DeletionRefused(_) | Self::Incomplete(_) => Retry::Seldom,
        }
    }

    /// Whether it needs a person: the tenant is then Stalled, else it is Reconciling.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self.retry(), Retry::Seldom | Retry::OnChange)
    }

    /// For people: what failed, and the causes that the error itself does not name.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        shorten(&text, 900)
    }
}

fn is_invalid(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 422)
}

/// The API server's own sentence, instead of all fields of its answer.
fn kube_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        kube::Error::Service(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Events take 1 kB, and a status message should be read, not scrolled.
fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn neon_reason(error: &neon::Error) -> Reason {
    match error.category() {
        "unauthorized" | "forbidden" => Reason::NeonUnauthorized,
        "limit_reached" => Reason::NeonLimitReached,
        "rate_limited" => Reason::NeonRateLimited,
        "locked" => Reason::OperationsRunning,
        "unknown_outcome" => Reason::CreationUncertain,
        "unavailable" | "not_found" | "conflict" | "decode" => Reason::NeonUnavailable,
        _ => Reason::NeonRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_called_only_where_waiting_cannot_help() {
        let words = || "migration 1: x".to_owned();
        assert!(!Error::from(tenant_db::Error::Locked(words())).needs_a_person());
        assert!(Error::from(tenant_db::Error::Migration(words())).needs_a_person());
        assert!(Error::Incomplete("no endpoint".to_owned()).needs_a_person());
        assert!(!Error::from(tenant_db::Error::Timeout(Duration::from_secs(1))).needs_a_person());
    }

    #[test]
    fn a_description_names_each_cause_once_and_stays_short() {
        let cause = sqlx::Error::Protocol("out of step".to_owned());
        let text = Error::from(tenant_db::Error::Connect(cause)).describe();
        assert_eq!(text.matches("out of step").count(), 1, "{text}");
        assert_eq!(shorten(&"é".repeat(2000), 900).chars().count(), 901);
    }
}
