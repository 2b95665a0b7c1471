//! What a pass tells when it ends. In: the status as it is to be. Out: it is written where it changed, and the turn for the worse or
//! the better is an Event.

use crds::{ConditionType, VectorTenantStatus};
use kube::ResourceExt;

use crate::{act::Subject, context::Context, error::Error, events::Change, status};

/// Writes the status and tells what changed in it.
pub(super) async fn report(
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
pub(super) mod tests {
    use crds::Reason;
    use jiff::Timestamp;

    use super::*;

    pub(in crate::pass) fn status(
        conditions: &[(ConditionType, bool, Reason)],
    ) -> VectorTenantStatus {
        let now = Timestamp::from_second(1).unwrap();
        let all = conditions.iter();
        let all = all
            .map(|(kind, holds, reason)| crds::condition(*kind, *holds, *reason, "m", None, now));
        VectorTenantStatus { conditions: all.collect(), ..VectorTenantStatus::default() }
    }

    #[test]
    fn trouble_is_told_once_and_recovery_too() {
        let fine = status(&[(ConditionType::Stalled, false, Reason::Settled)]);
        let stalled = status(&[(ConditionType::Stalled, true, Reason::SecretConflict)]);
        assert!(turn(Some(&fine), &stalled).is_some_and(|change| change.warning));
        assert_eq!(turn(Some(&stalled), &stalled), None);

        let down = status(&[(ConditionType::Reconciling, true, Reason::NeonUnavailable)]);
        assert!(turn(None, &down).is_some());
        assert_eq!(turn(Some(&down), &down), None);
        let at_work = status(&[(ConditionType::Reconciling, true, Reason::CreatingProject)]);
        assert_eq!(turn(None, &at_work), None, "work in progress is no trouble");

        let before = status(&[(ConditionType::Ready, false, Reason::NeonUnavailable)]);
        let ready = status(&[(ConditionType::Ready, true, Reason::Ready)]);
        assert!(turn(Some(&before), &ready).is_some_and(|change| !change.warning));
        assert_eq!(turn(Some(&ready), &ready), None);
    }
}
