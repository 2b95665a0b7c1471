//! One pass over one tenant: observe, then decide and act in turn, then status.
//!
//! In: the object as the cache has it. Out: when to look again. Whatever a pass learns beside the status is forgotten
//! when it ends, or when the process is killed; the next pass finds it again by name.

use std::{
    borrow::Cow,
    pin::pin,
    time::{Duration, Instant},
};

use crds::{ConditionType, Reason, VectorTenant, VectorTenantStatus};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::{
    act::{Known, Subject, act},
    context::{Context, Settled, Version},
    decide::{decide, decide_deletion},
    desired::{self, Desired},
    error::{Error, Retry},
    events::{self, Change},
    naming,
    observe::{observe, observe_deletion},
    observed::{Intent, Observed, Outcome, Secret},
    plan::{Plan, Refusal, Step},
    status::{self, Verdict},
};

/// First and longest pause between attempts, and the one where only a person can help.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(120);
const SELDOM: Duration = Duration::from_secs(300);
/// Pause before a Secret that stands in the way is looked at again.
const CONFLICT: Duration = Duration::from_secs(10);
/// A step that takes longer is told while it goes on.
const LONG: Duration = Duration::from_secs(1);
/// More steps than any tenant needs: a pass that reaches it would go on for ever.
const MOST_STEPS: usize = 40;

/// How the steps of a pass ended.
enum End {
    Planned(Plan),
    Stopped,
    Failed(Error),
}

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

/// Twice as long after each failure, with jitter, so that many tenants do not come back at once.
#[must_use]
pub fn pause_after(error: &Error, failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(10));
    match error.retry() {
        Retry::Backoff => jittered(doubled.min(LONGEST_RETRY)),
        Retry::After(delay) => delay + jittered(FIRST_RETRY),
        Retry::Seldom | Retry::OnChange => jittered(SELDOM),
    }
}

/// Between 0.75 and 1.25 times the duration.
fn jittered(duration: Duration) -> Duration {
    let now = Timestamp::now().subsec_nanosecond().unsigned_abs();
    duration.mul_f64(0.75 + f64::from(now % 1000) / 2000.0)
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
        delete(ctx, &subject).await
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

async fn delete(ctx: &Context, subject: &Subject<'_>) -> Result<Option<Duration>, Error> {
    let tenant = subject.tenant;
    let observed = match observe_deletion(ctx, tenant).await {
        Ok(observed) => observed,
        Err(error) => {
            report(ctx, subject, status::unobserved(tenant, &error, Timestamp::now()), false)
                .await?;
            return Err(error);
        }
    };
    let end = steps_of_deletion(ctx, subject, observed).await;
    if matches!(end, End::Planned(Plan::Converged)) {
        ctx.memory.forget(&subject.uid);
        return Ok(None);
    }
    let new = status::deleting(tenant, &verdict(&end), Timestamp::now());
    report(ctx, subject, new, false).await?;
    match end {
        End::Failed(error) => Err(error),
        End::Stopped => Ok(None),
        End::Planned(Plan::Wait(waiting)) => {
            Ok(waiting.delay(Timestamp::now(), ctx.memory.waited(&subject.uid)))
        }
        End::Planned(Plan::Converged | Plan::Do(_) | Plan::Refuse(_)) => Ok(Some(SELDOM)),
    }
}

/// Unmakes what a tenant had whose object is gone, as a deletion does. Answers when to go on, and nothing once nothing is left.
///
/// # Errors
/// When an attempt failed.
pub async fn unmake(ctx: &Context, tenant: &VectorTenant) -> Result<Option<Duration>, Error> {
    let subject = subject(ctx, tenant, &tenant.uid().unwrap_or_default());
    let observed = observe_deletion(ctx, tenant).await?;
    match steps_of_deletion(ctx, &subject, observed).await {
        End::Planned(Plan::Converged) => Ok(None),
        End::Planned(Plan::Wait(waiting)) => {
            Ok(waiting.delay(Timestamp::now(), ctx.memory.waited(&subject.uid)))
        }
        End::Failed(error) => Err(error),
        End::Stopped | End::Planned(Plan::Do(_) | Plan::Refuse(_)) => Ok(Some(SELDOM)),
    }
}

async fn steps_of_deletion(ctx: &Context, subject: &Subject<'_>, mut observed: Observed) -> End {
    let policy = desired::deletion_policy(subject.tenant);
    let decide = |observed: &Observed, now: &_| decide_deletion(policy, observed, now);
    let status = |_: &Observed, verdict: &Verdict<'_>| {
        status::deleting(subject.tenant, verdict, Timestamp::now())
    };
    steps(ctx, subject, &mut observed, decide, status).await
}

/// Decides and acts in turn, until there is nothing to do at once.
async fn steps(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &mut Observed,
    decide: impl Fn(&Observed, &crate::decide::Circumstances) -> Plan,
    status: impl Fn(&Observed, &Verdict<'_>) -> VectorTenantStatus,
) -> End {
    for _ in 0..MOST_STEPS {
        let plan = decide(observed, &ctx.circumstances());
        let Plan::Do(step) = plan else {
            return End::Planned(plan);
        };
        if *ctx.stopping.borrow() {
            return End::Stopped;
        }
        let outcome = {
            let mut acting = pin!(async {
                let started = Instant::now();
                let outcome = act(ctx, subject, observed, &step).await;
                ctx.metrics.step(step.name(), started.elapsed());
                outcome
            });
            match tokio::time::timeout(LONG, &mut acting).await {
                Ok(outcome) => outcome,
                Err(_long) => match status::of_step(&step) {
                    Some(verdict) => {
                        tokio::join!(show(ctx, subject, status(observed, &verdict)), acting).1
                    }
                    None => acting.await,
                },
            }
        };
        match outcome {
            Ok(outcome) => {
                learn(ctx, subject, observed, &step, outcome);
            }
            Err(error) => {
                if matches!(step, Step::Migrate) {
                    ctx.metrics.migration_failed(error.category());
                }
                return End::Failed(error);
            }
        }
    }
    End::Failed(Error::Incomplete("the pass turns in circles: please report this".to_owned()))
}

/// A step that takes its time is told while it goes on. What hindered the tenant before stays told until it is overcome.
async fn show(ctx: &Context, subject: &Subject<'_>, new: VectorTenantStatus) {
    if is_hindered(subject.tenant.status.as_ref()) || subject.known.shows(&new) {
        return;
    }
    if let Err(error) = status::write(ctx, subject.tenant, &subject.known, &new).await {
        subject.known.doubt();
        tracing::debug!(%error, "a step that takes its time was not told");
    }
}

/// Whether a person must act, or something is in the way.
fn is_hindered(status: Option<&VectorTenantStatus>) -> bool {
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let holds = |kind| crds::find(conditions, kind).filter(|found| found.status == "True");
    holds(ConditionType::Stalled).is_some()
        || holds(ConditionType::Reconciling).is_some_and(|found| status::is_trouble(&found.reason))
}

fn learn(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &mut Observed,
    step: &Step,
    outcome: Outcome,
) {
    tracing::debug!(tenant = subject.tenant.name_any(), step = step.name(), ?outcome, "step done");
    if let Some(change) = events::of_step(step, &outcome) {
        // On the way to the first Ready, which is an Event of its own, the way of its parts is for the log.
        let first_time =
            subject.tenant.status.as_ref().is_none_or(|status| status.ready_at.is_none());
        if first_time && matches!(step, Step::Migrate | Step::WriteSecret) {
            ctx.events.note(subject.tenant, &change);
        } else {
            ctx.events.tell(subject.tenant, change);
        }
    }
    observed.learn(outcome);
}

/// A request that was not sent, or that Neon surely did not carry out, needs no grace before the next.
fn forget_unsent(observed: &mut Observed, end: &End) {
    let uncertain = matches!(end, End::Failed(Error::Neon(error)) if error.outcome_unknown());
    if matches!(observed.intent, Intent::ThisPass(_)) && !uncertain {
        observed.intent = Intent::None;
    }
}

fn verdict(end: &End) -> Verdict<'_> {
    match end {
        End::Planned(Plan::Converged) => Verdict::Converged,
        End::Planned(Plan::Wait(waiting)) => Verdict::Waits(waiting),
        End::Planned(Plan::Refuse(refusal)) => Verdict::Refuses(refusal),
        End::Planned(Plan::Do(_)) | End::Stopped => {
            Verdict::AtWork(Reason::Pending, "The operator is restarting and goes on at once")
        }
        End::Failed(error) => Verdict::Failed(error),
    }
}

/// Writes the status and tells what changed in it.
async fn report(
    ctx: &Context,
    subject: &Subject<'_>,
    new: VectorTenantStatus,
    uncertain: bool,
) -> Result<(), Error> {
    let tenant = subject.tenant;
    if uncertain || !subject.known.shows(&new) {
        // What cannot be told in the status must be told somewhere.
        status::write(ctx, tenant, &subject.known, &new).await.inspect_err(|error| {
            if !matches!(error, Error::Overtaken) {
                let tenant =
                    format!("{}/{}", tenant.namespace().unwrap_or_default(), tenant.name_any());
                tracing::warn!(tenant, %error, "the status was not written");
            }
        })?;
    }
    let old = tenant.status.as_ref();
    if let (Some(at), None) = (&new.ready_at, old.and_then(|old| old.ready_at.as_ref())) {
        let created = tenant.metadata.creation_timestamp.as_ref().map_or(at.0, |created| created.0);
        ctx.metrics.became_ready(at.0.duration_since(created).unsigned_abs());
    }
    if let Some(change) = turn(old, &new) {
        ctx.events.tell(tenant, change);
    }
    Ok(())
}

/// A turn for the worse or the better: told when the reason changes, not at every attempt.
fn turn(old: Option<&VectorTenantStatus>, new: &VectorTenantStatus) -> Option<Change> {
    let of = |status: Option<&VectorTenantStatus>, kind| {
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        crds::find(conditions, kind)
            .map(|c| (c.status == "True", c.reason.clone(), c.message.clone()))
    };
    let changed = |kind| {
        let (before, after) = (of(old, kind), of(Some(new), kind)?);
        let same = before.is_some_and(|before| (before.0, &before.1) == (after.0, &after.1));
        (!same).then_some(after)
    };
    if let Some((true, reason, note)) = changed(ConditionType::Stalled) {
        return Some(Change { warning: true, reason, note });
    }
    if let Some((true, reason, note)) = changed(ConditionType::Reconciling)
        && status::is_trouble(&reason)
    {
        return Some(Change { warning: true, reason, note });
    }
    match changed(ConditionType::Ready) {
        Some((true, reason, note)) => Some(Change { warning: false, reason, note }),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests;
