//! Objects that vanish past their finalizer.
//!
//! The API server looks at finalizers when a deletion begins. One that began before ours was on the object, and was held up since
//! (by an admission webhook, by a busy server), removes the object all the same, and a project may have been made meanwhile.
//! In: such an object, as the watch last showed it. Out: what it had is unmade, by its deletion policy. Only an operator that is at
//! work sees this; one that ends before it is done says what it leaves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{DeletionPolicy, VectorTenant};
use kube::ResourceExt;

use crate::{context::Context, desired, error::Error, naming, pass};

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
    tracing::warn!(
        namespace,
        name,
        "deleted past its finalizer: unmade now, by its deletion policy"
    );
    let mut stopping = ctx.stopping.clone();
    let mut failures = 0;
    loop {
        let turn = async {
            // A pass that is still under way could make what nobody would find any more.
            ctx.memory.idle(&uid).await;
            ctx.slots.acquire().await
        };
        let slot = tokio::select! {
            slot = turn => slot,
            _ = stopping.wait_for(|stop| *stop) => return leave(&ctx, &tenant),
        };
        let started = Instant::now();
        let result = attempt(&ctx, &tenant).await;
        ctx.metrics.reconciled(pass::label(&result), started.elapsed());
        let pause = match result {
            Ok(None) => break,
            Ok(Some(pause)) => pause,
            Err(error) => {
                failures += 1;
                let why = error.describe();
                tracing::warn!(namespace, name, why, "it is not unmade yet");
                pass::pause_after(&error, failures)
            }
        };
        drop(slot);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stop| *stop) => return leave(&ctx, &tenant),
        }
    }
    ctx.memory.forget(&uid);
    tracing::info!(namespace, name, "unmade");
}

/// When to go on; `None` once nothing is left to do.
async fn attempt(ctx: &Context, tenant: &VectorTenant) -> Result<Option<Duration>, Error> {
    // A word of the watch alone removes nothing.
    let found =
        ctx.tenants(&tenant.namespace().unwrap_or_default()).get_opt(&tenant.name_any()).await?;
    if found.is_some_and(|found| found.uid() == tenant.uid()) {
        tracing::warn!(name = tenant.name_any(), "it is still there: left to its passes");
        return Ok(None);
    }
    pass::unmake(ctx, tenant).await
}

fn leave(ctx: &Context, tenant: &VectorTenant) {
    if desired::deletion_policy(tenant) == DeletionPolicy::Retain {
        return;
    }
    let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
    let project = naming::project_name(&ctx.cluster, &tenant.uid().unwrap_or_default());
    tracing::error!(
        namespace,
        name,
        project,
        "ended before it was unmade: delete the project of this name in Neon, if there is one"
    );
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
