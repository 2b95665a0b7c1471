//! Conditions: the types and reasons that a tenant may show, and how they are kept.
//!
//! In: a type, a status, a reason, a message. Out: the Kubernetes `Condition`, whose transition time moves only
//! when its status does. `Ready`, `Reconciling` and `Stalled` follow kstatus, which GitOps tools read: a tenant
//! in progress has Reconciling=True, one that needs a person has Stalled=True, and never both.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// An enum whose variants can be listed and say what they mean: their documentation is read by programs too.
macro_rules! documented {
    ($(#[$outer:meta])* pub enum $name:ident { $($(#[doc = $meaning:literal])+ $variant:ident,)+ }) => {
        $(#[$outer])*
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $name {
            /// Every one, in the order in which they are declared.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// What it means, for people.
            #[must_use]
            pub fn meaning(self) -> String {
                match self {
                    $(Self::$variant => [$($meaning),+].map(str::trim).join(" "),)+
                }
            }
        }
    };
}

documented! {
    /// What a condition speaks of; listed in the order in which a status shows them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ConditionType {
        /// The Secret's connection leads to a database with the tenant schema, now.
        Ready,
        /// The operator is at work, or waits for something that passes by itself.
        Reconciling,
        /// A person must act; the message says how.
        Stalled,
        /// The Neon project exists and its operations are done.
        ProjectReady,
        /// The newest tenant migration is applied.
        SchemaReady,
        /// The Secret holds the connection.
        SecretReady,
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

documented! {
    /// Why a condition has its status, in one CamelCase word. The set is bounded: reasons are metric labels too.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Reason {
        /// All is as declared.
        Ready,
        /// Nothing is left to do.
        Settled,
        /// Not begun yet: an earlier step comes first.
        Pending,
        /// The spec asks to leave the tenant alone.
        Paused,
        /// The project is being created or taken over.
        CreatingProject,
        /// A creation was asked for and its outcome is not known yet.
        CreationUncertain,
        /// Neon is still working on the project.
        OperationsRunning,
        /// Changed settings are being applied.
        ApplyingSettings,
        /// Tenant migrations are being applied.
        Migrating,
        /// A tenant migration waits for a lock that somebody else holds.
        MigrationBlocked,
        /// A tenant migration failed.
        MigrationFailed,
        /// The database's schema is newer than, or differs from, the operator's migrations.
        SchemaMismatch,
        /// The Secret is being written.
        WritingSecret,
        /// A Secret of that name exists and is not the operator's.
        SecretConflict,
        /// The spec holds a value that cannot be carried out.
        InvalidSpec,
        /// The project that this tenant had is gone from Neon.
        ProjectMissing,
        /// Several projects answer to this tenant's name, or one that is not its own.
        ProjectAmbiguous,
        /// The project named by the adoption annotation cannot be taken over.
        AdoptionRefused,
        /// Neon does not accept the API key.
        NeonUnauthorized,
        /// A plan limit is reached.
        NeonLimitReached,
        /// Neon refused the request.
        NeonRefused,
        /// Neon asks for fewer requests.
        NeonRateLimited,
        /// Neon cannot be reached or answers with errors.
        NeonUnavailable,
        /// A Neon operation failed.
        OperationFailed,
        /// The database cannot be reached or refuses the log-in.
        DatabaseUnavailable,
        /// The Kubernetes API refused or failed.
        KubernetesError,
        /// The project is being deleted.
        Deleting,
        /// Neon refuses to delete the project.
        DeletionRefused,
    }
}

/// What a reason asks for, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nothing is to be done.
    None,
    /// The operator is at work.
    Work,
    /// Something hinders the operator and passes by itself.
    Trouble,
    /// A person must act.
    Person,
}

impl Reason {
    /// How a tenant that shows this reason stands. Two of them have an unusual form that needs a person: a certificate that is not
    /// trusted (`DatabaseUnavailable`), a write that the API server calls invalid (`KubernetesError`).
    #[must_use]
    pub const fn attention(self) -> Attention {
        match self {
            Self::Ready | Self::Settled | Self::Paused => Attention::None,
            Self::Pending
            | Self::CreatingProject
            | Self::OperationsRunning
            | Self::ApplyingSettings
            | Self::Migrating
            | Self::WritingSecret
            | Self::Deleting => Attention::Work,
            Self::CreationUncertain
            | Self::MigrationBlocked
            | Self::NeonRateLimited
            | Self::NeonUnavailable
            | Self::DatabaseUnavailable
            | Self::KubernetesError => Attention::Trouble,
            Self::MigrationFailed
            | Self::SchemaMismatch
            | Self::SecretConflict
            | Self::InvalidSpec
            | Self::ProjectMissing
            | Self::ProjectAmbiguous
            | Self::AdoptionRefused
            | Self::NeonUnauthorized
            | Self::NeonLimitReached
            | Self::NeonRefused
            | Self::OperationFailed
            | Self::DeletionRefused => Attention::Person,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A condition that is true or false from `now` on.
#[must_use]
pub fn condition(
    kind: ConditionType,
    status: bool,
    reason: Reason,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: kind.to_string(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_string(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: Time(now),
    }
}

/// Puts `new` in the place of its predecessor; the transition time stays unless the status changed.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

/// The condition of that type.
#[must_use]
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    let name = kind.to_string();
    conditions.iter().find(|condition| condition.type_ == name)
}

/// Whether the condition of that type is there and true.
#[must_use]
pub fn is_true(conditions: &[Condition], kind: ConditionType) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut all = Vec::new();
        let ready = ConditionType::Ready;
        set(&mut all, condition(ready, false, Reason::Pending, "", Some(1), at(1)));
        set(&mut all, condition(ready, false, Reason::Migrating, "now", Some(2), at(2)));
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].reason.as_str(), all[0].last_transition_time.0), ("Migrating", at(1)));
        set(&mut all, condition(ready, true, Reason::Ready, "", Some(2), at(3)));
        assert_eq!(all[0].last_transition_time.0, at(3));
        assert!(is_true(&all, ready));
        assert!(!is_true(&all, ConditionType::Stalled));
    }
}
