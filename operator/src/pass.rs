//! One pass over one tenant: observe, then decide and act in turn, then status.
//!
//! In: the object as the cache has it. Out: when to look again. Whatever a pass learns beside the status is forgotten
//! when it ends, or when the process is killed; the next pass finds it again by name.

mod deletion;
mod pause;
mod report;
mod steps;

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use crds::{VectorTenant, VectorTenantStatus};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    act::{Known, Subject},
    context::{Context, Settled, Version},
    decide::decide,
    desired::Desired,
    error::{Error, Retry},
    naming,
    observe::observe,
    observed::{Observed, Secret},
    plan::{Plan, Refusal},
    status::{self, Verdict},
};

pub use deletion::unmake;
pub use pause::pause_after;
use pause::{SELDOM, jittered};
use report::report;
use steps::{End, forget_unsent, steps, verdict};

/// Pause before a Secret that stands in the way is looked at again.
const CONFLICT: Duration = Duration::from_secs(10);

/// One pass; answers when to look again, `None` for not before something changes.
pub async fn run(ctx: &Context, tenant: &VectorTenant) -> Option<Duration> {
    let started = Instant::now();
    let uid = tenant.uid().unwrap_or_default();
    if let Some(left) = ctx.memory.pause_left(&uid, &Version::of(tenant)) {
        return Some(left);
    }
    let _at_work = ctx.memory.begin(&uid);
    let result = whole(ctx, tenant, &uid).await;
    ctx.metrics.reconciled(label(&result), started.elapsed());
    match result {
        Ok(next) => next,
        Err(error) => {
            let failures = ctx.memory.failed(&uid);
            // The status tells a change; a new process must say what it finds wrong even where nothing has changed.
            if failures == 1 && !matches!(error, Error::Overtaken) {
                let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
                let (category, why) = (error.category(), error.describe());
                tracing::warn!(namespace, name, category, why, "a pass failed");
            }
            if error.retry() == Retry::OnChange {
                return None;
            }
            let pause = pause_after(&error, failures);
            ctx.memory.pause(&uid, Version::of(tenant), Instant::now() + pause);
            Some(pause)
        }
    }
}

/// How a pass ended: a metric label, from a fixed set.
#[must_use]
pub fn label<T>(result: &Result<T, Error>) -> &'static str {
    result.as_ref().map_or_else(Error::category, |_| "ok")
}

async fn whole(ctx: &Context, cached: &VectorTenant, uid: &str) -> Result<Option<Duration>, Error> {
    if let Some(left) = still_settled(ctx, cached, uid).await? {
        return Ok(Some(left));
    }
    let Some(tenant) = newest(ctx, cached, uid).await? else {
        ctx.memory.forget(uid);
        return Ok(None);
    };
    let tenant = tenant.as_ref();
    let subject = subject(ctx, tenant, uid);
    if tenant.metadata.deletion_timestamp.is_some() {
        deletion::delete(ctx, &subject).await
    } else {
        converge(ctx, &subject).await
    }
}

fn subject<'a>(ctx: &Context, tenant: &'a VectorTenant, uid: &str) -> Subject<'a> {
    Subject {
        uid: uid.to_owned(),
        project_name: naming::project_name(&ctx.cluster, uid),
        desired: Desired::new(tenant, &ctx.cluster),
        known: Known::new(tenant),
        tenant,
    }
}

/// The object as the pass begins with it. The cache may lag behind our own last write; where it shows no trace of us,
/// the object is new, and the first write meets a conflict if it is not.
async fn newest<'a>(
    ctx: &Context,
    cached: &'a VectorTenant,
    uid: &str,
) -> Result<Option<Cow<'a, VectorTenant>>, Error> {
    let unseen = |status: &VectorTenantStatus| status.conditions.is_empty();
    let untouched = cached.finalizers().is_empty() && cached.status.as_ref().is_none_or(unseen);
    if untouched && cached.metadata.deletion_timestamp.is_none() && !ctx.memory.has_met(uid) {
        return Ok(Some(Cow::Borrowed(cached)));
    }
    let tenants = ctx.tenants(&cached.namespace().unwrap_or_default());
    let newest = tenants.get_opt(&cached.name_any()).await?;
    Ok(newest.filter(|newest| newest.uid().as_deref() == Some(uid)).map(Cow::Owned))
}

/// Our own write of a Secret wakes us up again; a tenant that is exactly as we left it needs no second pass.
async fn still_settled(
    ctx: &Context,
    tenant: &VectorTenant,
    uid: &str,
) -> Result<Option<Duration>, Error> {
    let Some(settled) = ctx.memory.settled(uid) else {
        return Ok(None);
    };
    let same = settled.generation == tenant.metadata.generation
        && settled.adopt.as_ref() == tenant.annotations().get(crds::ADOPT_ANNOTATION)
        && tenant.metadata.deletion_timestamp.is_none()
        && tenant.finalizers().iter().any(|name| name == crds::FINALIZER);
    if !same {
        return Ok(None);
    }
    let (name, version) = &settled.secret;
    let namespace = tenant.namespace().unwrap_or_default();
    let left = Some(settled.until.saturating_duration_since(Instant::now()));
    if version.as_ref().is_some_and(|version| ctx.memory.shows_secret(&namespace, name, version)) {
        return Ok(left);
    }
    // The watch may lag behind, or have begun anew.
    let secret = ctx.secrets(&namespace).get_metadata_opt(name).await?;
    let unchanged = secret.is_some_and(|secret| secret.resource_version() == *version);
    Ok(left.filter(|_| unchanged))
}

async fn converge(ctx: &Context, subject: &Subject<'_>) -> Result<Option<Duration>, Error> {
    let tenant = subject.tenant;
    let desired = match &subject.desired {
        Ok(desired) => desired,
        Err(invalid) => {
            let error = Error::from(invalid.clone());
            report(ctx, subject, status::unobserved(tenant, &error, Timestamp::now()), false)
                .await?;
            return Err(error);
        }
    };
    let mut observed = match observe(ctx, tenant, desired).await {
        Ok(observed) => observed,
        Err(error) => {
            report(ctx, subject, status::unobserved(tenant, &error, Timestamp::now()), false)
                .await?;
            return Err(error);
        }
    };
    let newest = ctx.migrations.newest();
    let status = |observed: &Observed, verdict: &Verdict<'_>| {
        // From what was told last: times of transitions never go backwards.
        let told = VectorTenant { status: subject.known.status(), ..tenant.clone() };
        status::derive(&told, Some(desired), observed, newest, verdict, Timestamp::now())
    };
    let decide = |observed: &Observed, now: &_| decide(desired, observed, now);
    let end = steps(ctx, subject, &mut observed, decide, status).await;
    forget_unsent(&mut observed, &end);
    let new = status(&observed, &verdict(&end));
    // After a failure it is not known what was written.
    report(ctx, subject, new, matches!(end, End::Failed(_))).await?;
    match end {
        End::Failed(error) => Err(error),
        End::Stopped => Ok(None),
        End::Planned(plan) => after(ctx, subject, desired, &observed, &plan).await,
    }
}

async fn after(
    ctx: &Context,
    subject: &Subject<'_>,
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
) -> Result<Option<Duration>, Error> {
    let next = match plan {
        Plan::Converged => Some(jittered(ctx.resync)),
        Plan::Wait(waiting) => {
            return Ok(waiting.delay(Timestamp::now(), ctx.memory.waited(&subject.uid)));
        }
        // Somebody else's Secret carries no label of ours, so its removal wakes nobody.
        Plan::Refuse(Refusal::SecretConflict { name: _ }) => Some(jittered(CONFLICT)),
        Plan::Refuse(_) => Some(jittered(SELDOM.min(ctx.resync))),
        Plan::Do(_) => None,
    };
    let settled = match (plan, next, &observed.secret) {
        (Plan::Converged, Some(next), Secret::Ours { content: _, intact: true, version }) => {
            Some(Settled {
                generation: subject.tenant.metadata.generation,
                adopt: desired.adopt.clone(),
                secret: (desired.secret_name.clone(), version.clone()),
                until: Instant::now() + next,
            })
        }
        _ => None,
    };
    ctx.memory.passed(&subject.uid, settled);
    Ok(next)
}
