//! When a Lease may be taken, and when it must be given up. Pure.
//!
//! In: what the Lease says, when this process first saw it so. Out: take it or wait. Clocks of different machines are never
//! compared: a follower waits the holder's whole duration from the moment when it saw the last renewal, and a holder gives up
//! after two thirds of it, counted from before that renewal was sent. So the holder has ended a third of the duration
//! before anybody else begins.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime};
use tokio::time::Instant;

/// What the Lease said last, when that was seen first, and how long it holds.
#[derive(Debug, Default)]
pub(super) struct Seen(Option<(Said, Instant, Duration)>);

/// What changes when a holder renews, and only then: somebody else's label does not make a dead holder live on.
type Said = (Option<String>, Option<MicroTime>, Option<i32>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Take,
    Wait,
}

/// Whose turn it is. `duration` counts where the Lease names none.
pub(super) fn of(found: Option<&Lease>, seen: &mut Seen, now: Instant, duration: Duration) -> Turn {
    let over = |since: Instant, held: Duration| now.saturating_duration_since(since) >= held;
    let Some(lease) = found else {
        // Removed by hand: whoever held it learns that at its next renewal, not before.
        let is_held =
            matches!(&seen.0, Some(((Some(_), _, _), since, held)) if !over(*since, *held));
        return if is_held { Turn::Wait } else { Turn::Take };
    };
    let spec = lease.spec.clone().unwrap_or_default();
    let named = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let held = named.map_or(duration, Duration::from_secs);
    let said = (holder(lease).cloned(), spec.renew_time, spec.lease_transitions);
    let since = match &seen.0 {
        Some((known, since, _)) if *known == said => *since,
        Some(_) | None => now,
    };
    let is_free = said.0.is_none();
    seen.0 = Some((said, since, held));
    if is_free || over(since, held) { Turn::Take } else { Turn::Wait }
}

/// Who has the Lease.
pub(super) fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

/// A holder that could not renew for so long gives up.
pub(super) fn deadline(duration: Duration) -> Duration {
    duration * 2 / 3
}

/// Between two looks, or two renewals.
pub(super) fn pause(duration: Duration) -> Duration {
    duration / 8
}

/// So long a call may take: two fit before the deadline.
pub(super) fn patience(duration: Duration) -> Duration {
    duration / 4
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;

    use super::*;

    const FIFTEEN: Duration = Duration::from_secs(15);

    fn lease(renewal: i64, holder: Option<&str>, seconds: Option<i32>) -> Lease {
        let spec = LeaseSpec {
            holder_identity: holder.map(ToOwned::to_owned),
            lease_duration_seconds: seconds,
            renew_time: jiff::Timestamp::from_second(renewal).ok().map(MicroTime),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn what_nobody_has_is_taken_at_once() {
        let (now, mut seen) = (Instant::now(), Seen::default());
        assert_eq!(of(None, &mut seen, now, FIFTEEN), Turn::Take);
        for holder in [None, Some("")] {
            let free = lease(1, holder, Some(15));
            assert_eq!(of(Some(&free), &mut seen, now, FIFTEEN), Turn::Take);
        }
        let bare = Lease { spec: None, ..lease(1, None, None) };
        assert_eq!(of(Some(&bare), &mut seen, now, FIFTEEN), Turn::Take);
    }

    #[test]
    fn a_holder_keeps_it_for_its_own_duration_from_when_we_saw_it_renewed() {
        let (start, mut seen) = (Instant::now(), Seen::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let held = lease(1, Some("a"), Some(20));
        assert_eq!(of(Some(&held), &mut seen, at(0), FIFTEEN), Turn::Wait);
        assert_eq!(of(Some(&held), &mut seen, at(19), FIFTEEN), Turn::Wait);
        // Renewed in time: all of it begins anew, whatever its clock says.
        let renewed = lease(2, Some("a"), Some(20));
        assert_eq!(of(Some(&renewed), &mut seen, at(19), FIFTEEN), Turn::Wait);
        assert_eq!(of(Some(&renewed), &mut seen, at(38), FIFTEEN), Turn::Wait);
        assert_eq!(of(Some(&renewed), &mut seen, at(39), FIFTEEN), Turn::Take);
    }

    #[test]
    fn a_holder_that_names_no_duration_has_ours() {
        let (start, mut seen) = (Instant::now(), Seen::default());
        for nonsense in [None, Some(-1)] {
            let held = lease(i64::from(nonsense.unwrap_or(7)), Some("a"), nonsense);
            assert_eq!(of(Some(&held), &mut seen, start, FIFTEEN), Turn::Wait);
            assert_eq!(of(Some(&held), &mut seen, start + FIFTEEN, FIFTEEN), Turn::Take);
        }
    }

    #[test]
    fn the_holder_has_ended_before_another_begins() {
        for seconds in [1, 5, 15, 60] {
            let duration = Duration::from_secs(seconds);
            assert!(deadline(duration) + duration / 4 < duration);
            assert!(pause(duration) + 2 * patience(duration) < deadline(duration));
        }
    }

    #[test]
    fn somebody_elses_label_keeps_no_dead_holder_alive() {
        let (start, mut seen) = (Instant::now(), Seen::default());
        let mut held = lease(1, Some("a"), Some(15));
        for second in 0..15 {
            held.metadata.resource_version = Some(second.to_string());
            let now = start + Duration::from_secs(second);
            assert_eq!(of(Some(&held), &mut seen, now, FIFTEEN), Turn::Wait);
        }
        assert_eq!(of(Some(&held), &mut seen, start + FIFTEEN, FIFTEEN), Turn::Take);
    }

    #[test]
    fn one_that_was_removed_by_hand_is_held_until_it_would_have_run_out() {
        let (start, mut seen) = (Instant::now(), Seen::default());
        let held = lease(1, Some("a"), Some(15));
        assert_eq!(of(Some(&held), &mut seen, start, FIFTEEN), Turn::Wait);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(of(None, &mut seen, at(14), FIFTEEN), Turn::Wait);
        assert_eq!(of(None, &mut seen, at(15), FIFTEEN), Turn::Take);
        let (mut seen, free) = (Seen::default(), lease(1, None, Some(1)));
        assert_eq!(of(Some(&free), &mut seen, start, FIFTEEN), Turn::Take);
        assert_eq!(of(None, &mut seen, start, FIFTEEN), Turn::Take);
    }
}
