//! Pauses between passes, and which changes are told.

use super::*;
use crate::tenant_db;

fn status(conditions: &[(ConditionType, bool, Reason)]) -> VectorTenantStatus {
    let now = Timestamp::from_second(1).unwrap();
    let all = conditions.iter();
    let all =
        all.map(|(kind, holds, reason)| crds::condition(*kind, *holds, *reason, "m", None, now));
    VectorTenantStatus { conditions: all.collect(), ..VectorTenantStatus::default() }
}

#[test]
fn pauses_grow_stay_bounded_and_obey_neon() {
    let error = Error::from(tenant_db::Error::Timeout(Duration::from_secs(1)));
    let first = pause_after(&error, 1);
    assert!(first >= Duration::from_millis(375) && first <= Duration::from_millis(625));
    for failures in [5, 50, u32::MAX] {
        assert!(pause_after(&error, failures) <= LONGEST_RETRY.mul_f64(1.25));
    }
    assert!(pause_after(&error, 20) > Duration::from_secs(60));
    let broken = Error::Incomplete("x".to_owned());
    assert!(pause_after(&broken, 1) > Duration::from_secs(200));
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
