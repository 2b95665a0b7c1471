//! The things that Neon tells of, as far as the operator looks at them.
//!
//! In: JSON of the API. Out: plain data. Fields that Neon adds are ignored, words that it adds to a list of
//! words are kept as `Other`. Nothing here may be stricter than the operator's need, or an unrelated change at
//! Neon stops every tenant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::words::{EndpointKind, EndpointState, OperationStatus};

/// A project as `GET /projects/{id}` and the changing calls give it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Project {
    /// Neon's id, for example `long-forest-06846227`.
    pub id: String,
    /// The name; not unique.
    pub name: String,
    /// For example `aws-us-east-2`.
    pub region_id: String,
    /// The major version of Postgres.
    pub pg_version: i32,
    /// When it was created.
    pub created_at: Timestamp,
    /// The organization that owns it, if one does.
    #[serde(default)]
    pub org_id: Option<String>,
    /// How many seconds of history are kept for restores.
    #[serde(default)]
    pub history_retention_seconds: Option<i64>,
    /// Whether Neon keeps passwords so that they can be revealed.
    #[serde(default)]
    pub store_passwords: bool,
    /// What a new endpoint of this project starts with.
    #[serde(default)]
    pub default_endpoint_settings: Option<DefaultEndpointSettings>,
    /// When it was deleted, if it was: it can be recovered for a while, but it is no project to work with.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// What a new endpoint starts with.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct DefaultEndpointSettings {
    /// Fewest compute units.
    #[serde(default, rename = "autoscaling_limit_min_cu")]
    pub autoscaling_min_cu: Option<f64>,
    /// Most compute units.
    #[serde(default, rename = "autoscaling_limit_max_cu")]
    pub autoscaling_max_cu: Option<f64>,
    /// Idle seconds until it is suspended; 0 is Neon's default, -1 is never.
    #[serde(default)]
    pub suspend_timeout_seconds: Option<i64>,
}

/// A live project in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSummary {
    /// Neon's id.
    pub id: String,
    /// The name; not unique.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// For example `aws-us-east-2`.
    pub region_id: String,
    /// The major version of Postgres.
    pub pg_version: i32,
}

/// A deleted project that can still be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverableProject {
    /// Neon's id.
    pub id: String,
    /// The name; not unique.
    pub name: String,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Until when it can be recovered, where Neon says so.
    pub recoverable_until: Option<Timestamp>,
}

/// A compute endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Endpoint {
    /// Neon's id, for example `ep-jolly-frost-a57qv4wh`.
    pub id: String,
    /// The branch that it serves.
    pub branch_id: String,
    /// The host of direct connections.
    pub host: String,
    /// Whether it takes writes.
    #[serde(rename = "type")]
    pub kind: EndpointKind,
    /// What it does now.
    #[serde(rename = "current_state")]
    pub state: EndpointState,
    /// What it is about to do, while an operation runs.
    #[serde(default)]
    pub pending_state: Option<EndpointState>,
    /// Fewest compute units.
    #[serde(rename = "autoscaling_limit_min_cu")]
    pub autoscaling_min_cu: f64,
    /// Most compute units.
    #[serde(rename = "autoscaling_limit_max_cu")]
    pub autoscaling_max_cu: f64,
    /// Idle seconds until it is suspended; 0 is Neon's default, -1 is never.
    pub suspend_timeout_seconds: i64,
    /// Whether connections are refused.
    #[serde(default)]
    pub disabled: bool,
}

/// A branch: the operator works on the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Neon's id, for example `br-floral-wind-a5090hvr`.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it is the project's default branch.
    pub default: bool,
    /// Whether it is protected, which also keeps its project from being deleted.
    pub protected: bool,
    /// `init`, `ready` and so on.
    pub current_state: String,
    /// The marks that were put on it when it was created.
    pub annotations: BTreeMap<String, String>,
}

/// A database on a branch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Database {
    /// The name.
    pub name: String,
    /// The role that owns it.
    pub owner_name: String,
}

/// A role on a branch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// The name.
    pub name: String,
    /// Whether it is Neon's own.
    #[serde(default)]
    pub protected: bool,
}

/// Something that Neon does over time because of a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Operation {
    /// Neon's id, a UUID.
    pub id: String,
    /// What is done, for example `start_compute`; Neon adds to the list now and then.
    pub action: String,
    /// How far it is.
    pub status: OperationStatus,
    /// The branch that it is about, if it is about one.
    #[serde(default)]
    pub branch_id: Option<String>,
    /// The endpoint that it is about, if it is about one.
    #[serde(default)]
    pub endpoint_id: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
}

impl Operation {
    /// Whether it is over and did what it should, or had nothing to do.
    pub fn is_finished(&self) -> bool {
        matches!(self.status, OperationStatus::Finished | OperationStatus::Skipped)
    }

    /// Whether it is over and did not do it.
    pub fn is_failed(&self) -> bool {
        use OperationStatus::{Cancelled, Error, Failed};
        matches!(self.status, Failed | Error | Cancelled)
    }

    /// Whether it is still to end, as far as this client knows.
    pub fn is_pending(&self) -> bool {
        !self.is_finished() && !self.is_failed()
    }
}
