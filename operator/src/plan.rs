//! Everything that can happen to a tenant, as data.
//!
//! `decide` returns one [`Plan`]; `act` carries out its [`Step`] and answers with an outcome. Waiting and refusing
//! are plans, not errors: an error means only that an attempt failed.

use std::time::Duration;

use jiff::Timestamp;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// All is as declared.
    Converged,
    /// Carry out one step, then decide again.
    Do(Step),
    /// Nothing to do until something passes by itself.
    Wait(Waiting),
    /// A person must act first.
    Refuse(Refusal),
}

/// One act on the world. Each is safe to repeat after a crash at any moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Put the finalizer on, before anything outside the cluster is touched.
    AddFinalizer,
    /// Write into the status that a project is about to be asked for, and search for one of this tenant's name.
    RecordIntent,
    /// Search Neon for projects of this tenant's name, all pages.
    LookUp,
    /// Ask Neon for the project.
    CreateProject,
    /// Take over the project of this id: its name (or an annotation) says that it is this tenant's.
    Bind {
        /// Id of the project.
        project: String,
    },
    /// Take over the project that the adoption annotation names.
    Adopt {
        /// Id of the project.
        project: String,
    },
    /// Give the project its own name back: it is the key by which it is found again.
    RestoreName,
    /// Ask Neon whether the project's operations are done.
    CheckOperations,
    /// Ask Neon for the direct and the pooled connection.
    FetchConnection,
    /// Let Neon make a new password: the old one is nowhere to be had.
    ResetPassword,
    /// Bring the live project's and endpoint's settings to what is declared.
    ApplySettings,
    /// Apply the tenant migrations.
    Migrate,
    /// Write the connection Secret.
    WriteSecret,
    /// Remove the Secret that an earlier spec named.
    RemoveSecret {
        /// Name of the Secret.
        name: String,
    },
    /// Delete a second project that a lost reply left behind, never bound to the tenant.
    RemoveDuplicate {
        /// Id of the project.
        project: String,
    },
    /// Delete the project.
    DeleteProject {
        /// Id of the project.
        project: String,
    },
    /// Prove that a deleted project is gone.
    ConfirmGone {
        /// Id of the project.
        project: String,
    },
    /// Let the object go.
    RemoveFinalizer {
        /// Projects that stay in Neon, by the deletion policy.
        retained: Vec<String>,
    },
}

impl Step {
    /// Name of the step: a metric label, from a fixed set.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddFinalizer => "add_finalizer",
            Self::RecordIntent => "record_intent",
            Self::LookUp => "look_up",
            Self::CreateProject => "create_project",
            Self::Bind { project: _ } => "bind",
            Self::Adopt { project: _ } => "adopt",
            Self::RestoreName => "restore_name",
            Self::CheckOperations => "check_operations",
            Self::FetchConnection => "fetch_connection",
            Self::ResetPassword => "reset_password",
            Self::ApplySettings => "apply_settings",
            Self::Migrate => "migrate",
            Self::WriteSecret => "write_secret",
            Self::RemoveSecret { name: _ } => "remove_secret",
            Self::RemoveDuplicate { project: _ } => "remove_duplicate",
            Self::DeleteProject { project: _ } => "delete_project",
            Self::ConfirmGone { project: _ } => "confirm_gone",
            Self::RemoveFinalizer { retained: _ } => "remove_finalizer",
        }
    }
}

/// Something that passes by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// The spec says `paused`.
    Paused,
    /// Neon is working on the project.
    Operations,
    /// A creation was asked for, its outcome is unknown, and it may still become visible until then.
    CreationUncertain {
        /// From then on an empty search proves that there is no project.
        until: Timestamp,
    },
    /// Neon could not list every project, so that not finding one proves nothing.
    LookupIncomplete,
    /// The deleted project is still there.
    Deletion,
}

impl Waiting {
    /// When to look again, after so many waits in a row.
    #[must_use]
    pub fn delay(&self, now: Timestamp, waits: u32) -> Option<Duration> {
        match self {
            Self::Paused => None,
            // Often at first, because most operations take about a second; then sparing with calls.
            Self::Operations => Some(Duration::from_millis(500 << waits.min(3))),
            Self::CreationUncertain { until } => {
                let left = until.duration_since(now).unsigned_abs();
                Some(left.clamp(Duration::from_millis(100), Duration::from_secs(10)))
            }
            Self::LookupIncomplete => Some(Duration::from_secs(5)),
            Self::Deletion => Some(Duration::from_secs(1)),
        }
    }
}

/// Why a person must act.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A Secret of the wanted name exists and is not this tenant's.
    SecretConflict {
        /// Name of the Secret.
        name: String,
    },
    /// The project that this tenant had is gone. A new one would be empty, so none is made.
    ProjectMissing {
        /// Id of the project.
        project: String,
    },
    /// Several projects carry this tenant's name, and one of them may be in use.
    Ambiguous {
        /// Ids of the projects, oldest first.
        projects: Vec<String>,
    },
    /// A project that carries this tenant's name or id belongs to somebody else.
    NotOurs {
        /// Id of the project.
        project: String,
        /// What speaks against it.
        why: String,
    },
    /// The project named by the adoption annotation cannot be taken over.
    AdoptionRefused {
        /// Id of the project.
        project: String,
        /// What speaks against it.
        why: String,
    },
    /// A Neon operation on the project failed.
    OperationFailed {
        /// Action and error, in Neon's words.
        what: String,
    },
}
