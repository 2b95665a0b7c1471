//! Neon's lists of words as enums that survive a word they do not know.
//!
//! In: a string of the API. Out: a variant, `Other` with the word itself where it is new. It must not fail:
//! Neon adds words now and then.

use serde::Deserialize;

/// An enum of Neon's words, with room for those that come later.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(from = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that this client does not know.
            Other(String),
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words! {
    /// How far an operation is.
    OperationStatus {
        /// Not begun.
        Scheduling = "scheduling",
        /// At it.
        Running = "running",
        /// Done.
        Finished = "finished",
        /// Not done.
        Failed = "failed",
        /// Not done, in a way that Neon did not foresee.
        Error = "error",
        /// About to be called off.
        Cancelling = "cancelling",
        /// Called off.
        Cancelled = "cancelled",
        /// There was nothing to do.
        Skipped = "skipped",
    }
}

words! {
    /// Whether an endpoint takes writes.
    EndpointKind {
        /// It does.
        ReadWrite = "read_write",
        /// It does not.
        ReadOnly = "read_only",
    }
}

words! {
    /// What an endpoint does now.
    EndpointState {
        /// It is being made.
        Init = "init",
        /// It serves.
        Active = "active",
        /// It is suspended, and wakes on a connection.
        Idle = "idle",
    }
}
