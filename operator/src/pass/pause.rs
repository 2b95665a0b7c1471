//! How long to wait after a failure. In: the error, how many there were. Out: a pause, with jitter.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Retry};

/// First and longest pause between attempts, and the one where only a person can help.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(120);
pub(super) const SELDOM: Duration = Duration::from_secs(300);

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
pub(super) fn jittered(duration: Duration) -> Duration {
    let now = Timestamp::now().subsec_nanosecond().unsigned_abs();
    duration.mul_f64(0.75 + f64::from(now % 1000) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_db;

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
}
