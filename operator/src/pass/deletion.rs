//! The pass over a tenant that is deleted, or whose object is gone. In: the object as it was last seen. Out: when to go on; its
//! finalizer is let go once nothing is left.

use std::time::Duration;

use crds::VectorTenant;
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    pause::SELDOM,
    report::report,
    steps::{End, steps, verdict},
    subject,
};
use crate::{
    act::Subject,
    context::Context,
    decide::decide_deletion,
    desired,
    error::Error,
    observe::observe_deletion,
    observed::Observed,
    plan::Plan,
    status::{self, Verdict},
};

pub(super) async fn delete(
    ctx: &Context,
    subject: &Subject<'_>,
) -> Result<Option<Duration>, Error> {
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
