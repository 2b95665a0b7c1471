//! Why an attempt at a job did not come to its end, and what follows from it.
//!
//! In: errors of everything the work needs. Out: a failure for good, or something to wait for, with calm words for the owner
//! of the document. The cause itself is for the log.

use crate::{documents::StoreError, models, tenants};

use super::{child, failure::Failure};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An attempt that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Trying again by itself will not help.
    #[error("{failure}: {detail}")]
    Failed {
        /// Why.
        failure: Failure,
        /// More for the log.
        detail: String,
    },
    /// Something does not answer: later may be better.
    #[error("waiting for {}", .on.name())]
    Waits {
        /// What does not answer.
        on: On,
        /// What it said.
        #[source]
        source: Source,
    },
}

/// What an attempt may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The embedding model.
    Model,
    /// The tenant's database, which does not answer.
    Database,
    /// The tenant's database, which is being made or upgraded: that takes its time, and is no failure.
    Preparation,
    /// The file store.
    Files,
    /// This app's own parts: its main database, its processes.
    Ourselves,
}

impl On {
    /// A name for the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "the embedding model",
            Self::Database => "the tenant's database",
            Self::Preparation => "the tenant's database to be prepared",
            Self::Files => "the file store",
            Self::Ourselves => "this app's own parts",
        }
    }

    /// What the owner of the document reads meanwhile.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "Waiting for the embedding model; trying again by itself.",
            Self::Database => "Waiting for your database; trying again by itself.",
            Self::Preparation => "Waiting until your database is ready.",
            Self::Files => "Waiting for the file store; trying again by itself.",
            Self::Ourselves => "Interrupted; trying again by itself.",
        }
    }

    /// What it has become once nobody waits any longer; none where waiting has no end.
    #[must_use]
    pub fn in_the_end(self) -> Option<Failure> {
        match self {
            Self::Model => Some(Failure::ModelUnavailable),
            Self::Database => Some(Failure::DatabaseUnavailable),
            Self::Preparation => None,
            Self::Files => Some(Failure::FilesUnavailable),
            Self::Ourselves => Some(Failure::Interrupted),
        }
    }
}

impl Trouble {
    /// A failure for good.
    pub fn failed(failure: Failure, detail: impl Into<String>) -> Self {
        Self::Failed { failure, detail: detail.into() }
    }

    /// Something does not answer.
    pub fn waits(on: On, source: impl Into<Source>) -> Self {
        Self::Waits { on, source: source.into() }
    }

    /// The main database does not answer.
    #[must_use]
    pub fn main(error: sqlx::Error) -> Self {
        Self::waits(On::Ourselves, error)
    }

    /// The tenant's database does not answer.
    #[must_use]
    pub fn tenant(error: sqlx::Error) -> Self {
        Self::waits(On::Database, error)
    }
}

impl From<tenants::Error> for Trouble {
    fn from(error: tenants::Error) -> Self {
        match error {
            tenants::Error::Preparing | tenants::Error::Upgrading => {
                Self::waits(On::Preparation, error)
            }
            tenants::Error::Gone => Self::failed(Failure::DatabaseGone, error.to_string()),
            tenants::Error::Unreachable(_) | tenants::Error::Kubernetes(_) => {
                Self::waits(On::Database, error)
            }
            tenants::Error::Main(error) => Self::main(error),
        }
    }
}

impl From<models::Error> for Trouble {
    fn from(error: models::Error) -> Self {
        match error {
            models::Error::Unavailable(_) => Self::waits(On::Model, error),
            models::Error::Refused(_) | models::Error::TooLong(_) => {
                Self::failed(Failure::ModelRefused, error.to_string())
            }
            models::Error::Dimensions { expected, got } => {
                let given = i32::try_from(got).unwrap_or(i32::MAX);
                Self::failed(Failure::ModelMismatch { stored: expected, given }, error.to_string())
            }
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing => {
                Self::failed(Failure::FileMissing, "the file is not in the store")
            }
            StoreError::Failed(_) | StoreError::Folder(_) => Self::waits(On::Files, error),
        }
    }
}

impl From<child::Error<StoreError>> for Trouble {
    fn from(error: child::Error<StoreError>) -> Self {
        match error {
            child::Error::Failed(failure, detail) => Self::Failed { failure, detail },
            child::Error::Source(error) => error.into(),
            child::Error::Process(_) | child::Error::Unwanted => Self::waits(On::Ourselves, error),
        }
    }
}
