//! Objects that vanish past their finalizer.
//!
//! The API server looks at finalizers when a deletion begins. One that began before ours was on the object, and was held up since
//! (by an admission webhook, by a busy server), removes the object all the same, and a project may have been made meanwhile.
//! In: such an object, as the watch last showed it. Out: what it had is unmade, by its deletion policy. An operator that ends before
//! that says what it leaves.

use std::{sync::Arc, time::Instant};

use crds::VectorTenant;
use kube::ResourceExt;

use crate::{context::Context, naming, pass};

/// Whether a deleted object went without being let go. One that a person freed from its finalizer has a deletion time.
#[must_use]
pub fn is_past_finalizer(deleted: &VectorTenant) -> bool {
    let has_ours = deleted.finalizers().iter().any(|name| name == crds::FINALIZER);
    has_ours && deleted.metadata.deletion_timestamp.is_none()
}

/// Unmakes what the object had, as often as it takes.
pub async fn unmake(ctx: Arc<Context>, tenant: VectorTenant) {
    let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
    let uid = tenant.uid().unwrap_or_default();
    tracing::warn!(namespace, name, "deleted past its finalizer: what it had is removed now");
    let mut stopping = ctx.stopping.clone();
    let mut failures = 0;
    loop {
        // A pass that is still under way could make what nobody would find any more.
        ctx.memory.idle(&uid).await;
        let slot = ctx.slots.acquire().await;
        let started = Instant::now();
        let result = pass::unmake(&ctx, &tenant).await;
        ctx.metrics.reconciled(pass::label(&result), started.elapsed());
        drop(slot);
        let pause = match result {
            Ok(None) => break,
            Ok(Some(pause)) => pause,
            Err(error) => {
                failures += 1;
                let why = error.describe();
                tracing::warn!(namespace, name, why, "what it had is not removed yet");
                pass::pause_after(&error, failures)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stop| *stop) => {
                let project = naming::project_name(&ctx.cluster, &uid);
                tracing::error!(namespace, name, project, "ended before it was removed: delete this project in Neon");
                return;
            }
        }
    }
    ctx.memory.forget(&uid);
    tracing::info!(namespace, name, "nothing is left of it");
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    #[test]
    fn only_an_object_that_nobody_let_go_is_past_its_finalizer() {
        let mut tenant = VectorTenant::default();
        assert!(!is_past_finalizer(&tenant), "nothing was made for it");
        tenant.metadata.finalizers = Some(vec!["theirs".to_owned(), crds::FINALIZER.to_owned()]);
        assert!(is_past_finalizer(&tenant));
        tenant.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(
            !is_past_finalizer(&tenant),
            "its deletion was seen, or a person took the finalizer off"
        );
    }
}
