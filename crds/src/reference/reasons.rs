//! What a reason asks of whom.
//!
//! In: a reason. Out: how the tenant stands, and what a person does about it. A new reason does not compile until it is here.

use crate::{Attention, Reason};

/// Which of the two conditions holds.
pub(super) fn state(reason: Reason) -> &'static str {
    match reason.attention() {
        Attention::None => "is settled",
        Attention::Work => "is `Reconciling`",
        Attention::Trouble => "is `Reconciling`, in trouble",
        Attention::Person => "is `Stalled`",
    }
}

/// What helps.
pub(super) fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::Ready | Reason::Settled => "Nothing.",
        Reason::Pending => "Nothing: read the condition that is not `Pending`.",
        Reason::Paused => "Set `spec.paused` to false to go on.",
        Reason::CreatingProject
        | Reason::OperationsRunning
        | Reason::ApplyingSettings
        | Reason::Migrating
        | Reason::WritingSecret
        | Reason::Deleting => "Wait.",
        Reason::CreationUncertain => {
            "Wait: the request is sent again once its grace has passed (`CREATE_GRACE_SECONDS`)."
        }
        Reason::MigrationBlocked => {
            "Wait, or find in the tenant's database who holds the lock (`pg_locks`) and let them finish. The tenant stays usable on its old schema."
        }
        Reason::MigrationFailed => {
            "The message names the migration and the database's words. Correct the migration; it is tried again every few minutes."
        }
        Reason::SchemaMismatch => {
            "Run an operator that has this database's migrations: a newer one, or the folder that it was migrated with. An applied migration is never edited."
        }
        Reason::SecretConflict => {
            "Remove the Secret of that name, or set `spec.secret.name` to another."
        }
        Reason::InvalidSpec => {
            "Correct the field or annotation that the message names. The API server refuses such fields too: where it is a field, the definition in the cluster is older than the operator, so upgrade it."
        }
        Reason::ProjectMissing => {
            "Recover the project in Neon (within 7 days), or adopt a restored one by annotation, or delete the object. An empty project is not put in its place."
        }
        Reason::ProjectAmbiguous => {
            "Look at the projects that the message names; delete or rename in Neon those that are not in use."
        }
        Reason::AdoptionRefused => {
            "Correct the annotation or remove it; the message says what is wrong."
        }
        Reason::NeonUnauthorized => {
            "Give the operator a key that Neon accepts: [operations.md](operations.md#rotate-the-neon-key)."
        }
        Reason::NeonLimitReached => "Raise the plan's limit, or delete projects that nobody needs.",
        Reason::NeonRefused => "The message holds Neon's words: correct what they name.",
        Reason::NeonRateLimited => {
            "Wait. If it stays: fewer tenants at once (`TENANTRY_CONCURRENCY`), a longer `TENANTRY_RESYNC_SECONDS`, or a higher limit from Neon."
        }
        Reason::NeonUnavailable => {
            "Wait. If it stays: Neon's status page, the way out of the cluster, `NEON_API_URL`."
        }
        Reason::OperationFailed => "Look at the project in Neon's console.",
        Reason::DatabaseUnavailable => {
            "Wait. If it stays: the way out of the cluster to port 5432; where the certificate is not trusted the tenant is `Stalled`: `TENANT_DB_CA_FILE`."
        }
        Reason::KubernetesError => {
            "Wait. If it stays: the operator's rights, admission webhooks; the message holds the API server's words. A write that is refused as invalid makes the tenant `Stalled`."
        }
        Reason::DeletionRefused => "Remove the protection from the project's branches in Neon.",
    }
}
