//! The steps of a pass. In: what was observed, what decides. Out: how they ended; what each step brought is learnt, told and counted.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use crds::{ConditionType, Reason, VectorTenantStatus};
use kube::ResourceExt;

use crate::{
    act::{Subject, act},
    context::Context,
    decide::Circumstances,
    error::Error,
    events,
    observed::{Intent, Observed, Outcome},
    plan::{Plan, Step},
    status::{self, Verdict},
};

/// A step that takes longer is told while it goes on.
const LONG: Duration = Duration::from_secs(1);
/// More steps than any tenant needs: a pass that reaches it would go on for ever.
const MOST_STEPS: usize = 40;

/// How the steps of a pass ended.
pub(super) enum End {
    Planned(Plan),
    Stopped,
    Failed(Error),
}

/// Decides and acts in turn, until there is nothing to do at once.
pub(super) async fn steps(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &mut Observed,
    decide: impl Fn(&Observed, &Circumstances) -> Plan,
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
pub(super) fn forget_unsent(observed: &mut Observed, end: &End) {
    let uncertain = matches!(end, End::Failed(Error::Neon(error)) if error.outcome_unknown());
    if matches!(observed.intent, Intent::ThisPass(_)) && !uncertain {
        observed.intent = Intent::None;
    }
}

pub(super) fn verdict(end: &End) -> Verdict<'_> {
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

#[cfg(test)]
mod tests {
    use super::{super::report::tests::status, *};

    #[test]
    fn work_is_not_told_over_trouble() {
        let table = [
            (ConditionType::Reconciling, true, Reason::CreatingProject, false),
            (ConditionType::Reconciling, false, Reason::Settled, false),
            (ConditionType::Reconciling, true, Reason::MigrationBlocked, true),
            (ConditionType::Stalled, true, Reason::MigrationFailed, true),
            (ConditionType::Stalled, false, Reason::MigrationBlocked, false),
        ];
        for (kind, holds, reason, hindered) in table {
            assert_eq!(
                is_hindered(Some(&status(&[(kind, holds, reason)]))),
                hindered,
                "{kind} {reason}"
            );
        }
        assert!(!is_hindered(None));
    }
}
