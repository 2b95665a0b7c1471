//! What is known of the world, and how each outcome of a step changes it.
//!
//! `observe` fills it at the start of a pass; after each step the driver calls [`Observed::learn`], so that one pass
//! can go all the way without asking again for what it has just been told. Plain data: no IO, no clock.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    desired::{ComputeUnits, Settings},
    neon::ConnectionUri,
    secret::Content,
};

/// What is known of one tenant.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Whether our finalizer is on the object.
    pub finalizer: bool,
    /// Whether a creation was recorded.
    pub intent: Intent,
    /// Projects that carry this tenant's name.
    pub lookup: Lookup,
    /// The project that the tenant is bound to.
    pub project: Project,
    /// State of the project's operations.
    pub operations: Operations,
    /// The connection, as Neon gives it.
    pub connection: Connection,
    /// Version of the newest migration that is known to be applied.
    pub schema_version: Option<i64>,
    /// The Secret of the wanted name.
    pub secret: Secret,
    /// Name of a Secret that an earlier spec named and that is still ours.
    pub old_secret: Option<String>,
    /// Projects whose deletion Neon has accepted in this pass.
    pub deleted: BTreeSet<String>,
    /// Projects that are proven gone.
    pub gone: BTreeSet<String>,
    /// Whether a deleted project was seen again in this pass.
    pub lingers: bool,
}

/// Whether a project was about to be asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Never.
    None,
    /// By an earlier pass: its request may have been sent, and may still take effect for a while.
    Earlier(Timestamp),
    /// By this pass, which has not sent the request yet.
    ThisPass(Timestamp),
}

impl Intent {
    /// When it was recorded.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Earlier(at) | Self::ThisPass(at) => Some(*at),
        }
    }
}

/// Outcome of the search by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// Not made in this pass.
    NotYet,
    /// Neon could not list every project: nothing is proven by absence.
    Incomplete(Vec<String>),
    /// Ids of the projects with exactly this tenant's name, oldest first.
    Complete(Vec<String>),
}

impl Lookup {
    /// What was found, complete or not.
    #[must_use]
    pub fn found(&self) -> &[String] {
        match self {
            Self::NotYet => &[],
            Self::Incomplete(ids) | Self::Complete(ids) => ids,
        }
    }
}

/// The project that the tenant is bound to.
#[derive(Clone, Debug, PartialEq)]
pub enum Project {
    /// None yet.
    Unbound,
    /// It was there and is gone now.
    Missing {
        /// Its id.
        id: String,
    },
    /// It is there, under a name or a marker that belongs to another tenant.
    Foreign {
        /// Its id.
        id: String,
        /// What speaks against it.
        why: String,
    },
    /// The annotation names a project that cannot be taken over.
    NotAdoptable {
        /// Its id.
        id: String,
        /// What speaks against it.
        why: String,
    },
    /// It is there.
    Live(LiveProject),
}

impl Project {
    /// Id of the project, in whatever state.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Unbound => None,
            Self::Missing { id }
            | Self::Foreign { id, why: _ }
            | Self::NotAdoptable { id, why: _ } => Some(id),
            Self::Live(live) => Some(&live.id),
        }
    }
}

/// A project that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveProject {
    /// Id of the project.
    pub id: String,
    /// Its name, now.
    pub name: String,
    /// Its default branch.
    pub branch_id: String,
    /// The branch's read-write endpoint.
    pub endpoint_id: String,
    /// Its settings, now.
    pub settings: LiveSettings,
}

/// Settings of the live project.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// Smallest compute of the endpoint.
    pub min: ComputeUnits,
    /// Largest compute of the endpoint.
    pub max: ComputeUnits,
    /// Seconds until the idle compute is suspended.
    pub suspend_timeout_seconds: i64,
    /// Seconds of history.
    pub history_retention_seconds: Option<i64>,
}

impl LiveSettings {
    /// Whether the live settings are the declared ones.
    #[must_use]
    pub fn satisfy(&self, wanted: &Settings) -> bool {
        // Neon reports its default of 300 seconds either as that or as 0.
        let seconds = |value: i64| if value == 0 { 300 } else { value };
        let history = wanted.history_retention_seconds;
        self.min == wanted.min
            && self.max == wanted.max
            && seconds(self.suspend_timeout_seconds) == seconds(wanted.suspend_timeout_seconds)
            && history.is_none_or(|wanted| self.history_retention_seconds == Some(wanted))
    }
}

/// State of the project's operations.
#[derive(Clone, Debug, PartialEq)]
pub enum Operations {
    /// Not asked; after a mutation they must be.
    Unknown,
    /// At least one is on its way.
    Pending,
    /// At least one failed, and none came after it.
    Failed(String),
    /// All are done.
    Done,
}

/// The connection, as Neon gives it.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Not asked for.
    Unknown,
    /// Neon does not store passwords for this project, and no Secret of ours has it.
    PasswordLost,
    /// Both ways to the database, with the password.
    Known {
        /// Straight to the compute.
        direct: ConnectionUri,
        /// Through the transaction pooler.
        pooled: ConnectionUri,
    },
}

/// The Secret of the wanted name.
#[derive(Clone, Debug)]
pub enum Secret {
    /// There is none.
    Missing,
    /// There is one, and it is not ours.
    Foreign,
    /// There is one, and it is ours.
    Ours {
        /// What it holds.
        content: Content,
        /// Whether that is what we wrote: its revision is the one in the status.
        intact: bool,
        /// The object's version when it held that.
        version: Option<String>,
    },
}

/// What a step brought.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The finalizer is on.
    FinalizerAdded,
    /// The intent is in the status; what a search at the same time found.
    IntentRecorded(Timestamp, Lookup),
    /// The search is done.
    Found(Lookup),
    /// The project is bound to the tenant, whether made or taken over.
    Bound(Box<LiveProject>),
    /// It cannot be bound; the project state says why.
    NotBound(Project),
    /// The operations' state.
    Operations(Operations),
    /// The connection.
    Connection(Connection),
    /// Settings, a name or a password were changed: operations may run.
    Changed(Box<LiveProject>),
    /// Migrations are applied up to this version.
    Migrated(Option<i64>),
    /// The Secret holds this since that version.
    SecretWritten(Content, Option<String>),
    /// The old Secret is gone.
    OldSecretRemoved,
    /// A project's deletion was accepted; it is not proven gone yet.
    Deleted(String),
    /// A project is proven gone.
    Gone(String),
    /// A deleted project is still there.
    StillThere,
    /// The object was let go.
    Released,
}

impl Observed {
    /// What is known after a step.
    pub fn learn(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::FinalizerAdded => self.finalizer = true,
            Outcome::Released => self.finalizer = false,
            Outcome::IntentRecorded(at, lookup) => {
                self.intent = Intent::ThisPass(at);
                self.lookup = lookup;
            }
            Outcome::Found(lookup) => self.lookup = lookup,
            Outcome::Bound(live) | Outcome::Changed(live) => {
                self.project = Project::Live(*live);
                self.operations = Operations::Unknown;
                self.intent = Intent::None;
            }
            Outcome::NotBound(project) => self.project = project,
            Outcome::Operations(operations) => self.operations = operations,
            Outcome::Connection(connection) => self.connection = connection,
            Outcome::Migrated(version) => self.schema_version = version,
            Outcome::SecretWritten(content, version) => {
                self.secret = Secret::Ours { content, intact: true, version };
            }
            Outcome::OldSecretRemoved => self.old_secret = None,
            Outcome::Deleted(id) => {
                self.deleted.insert(id);
            }
            Outcome::StillThere => self.lingers = true,
            Outcome::Gone(id) => {
                self.gone.insert(id);
            }
        }
    }
}
