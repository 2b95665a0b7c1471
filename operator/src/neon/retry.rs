//! When an attempt is repeated inside one call, and how long it waits first.
//!
//! In: the route and the error of the attempt. Out: yes or no, and a wait. It must not repeat a change whose
//! outcome is unknown; whoever asked for it has to look first.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use backon::ExponentialBuilder;

use super::{
    error::Error,
    route::{Effect, Route},
};

/// A longer `Retry-After` than this is not waited for inside a call: the caller gets the error and requeues.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// How often, and how far apart, an attempt is repeated inside one call.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Attempts in all, the first included.
    pub attempts: usize,
    /// The longest wait before the second attempt; it doubles each time.
    pub base: Duration,
    /// No wait is longer, `Retry-After` aside.
    pub cap: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 4, base: Duration::from_millis(250), cap: Duration::from_secs(5) }
    }
}

impl Retries {
    /// The waits before jitter.
    pub(super) fn schedule(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .with_factor(2.0)
            .with_max_times(self.attempts.saturating_sub(1))
    }
}

/// Whether the same request may and should be sent again at once.
///
/// 423 and 429 did nothing; neither did a connection that was never made. A 503 promises the same in Neon's
/// specification, but there is no key by which Neon could tell a second `POST /projects` from the first, and a
/// gateway can say 503 for a server that has done its work: only there, the caller looks before asking again.
pub(super) fn repeatable(route: &Route, error: &Error) -> bool {
    let patient = error.retry_after().is_none_or(|wait| wait <= LONGEST_RETRY_AFTER);
    match error {
        Error::Locked(_) | Error::RateLimited(_) => patient,
        Error::Unavailable(_) => patient && route.effect != Effect::Create,
        Error::Unreachable { .. } => true,
        Error::NoAnswer { .. } | Error::Decode { truncated: true, .. } => !route.is_mutation(),
        Error::Decode { truncated: false, .. }
        | Error::Unauthorized(_)
        | Error::Forbidden(_)
        | Error::NotFound(_)
        | Error::Conflict(_)
        | Error::Refused(_)
        | Error::LimitReached(_)
        | Error::OutcomeUnknown(_)
        | Error::Argument { .. }
        | Error::Settings(_) => false,
    }
}

/// Neon's own wish plus full jitter over the scheduled wait, so that many callers do not come back together.
pub(super) fn wait(error: &Error, scheduled: Duration) -> Duration {
    error.retry_after().unwrap_or_default() + jitter(scheduled)
}

/// Somewhere between nothing and all of it. Every `RandomState` has keys of its own, which is all the chance
/// that this needs.
pub(super) fn jitter(most: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0u8);
    most.mul_f64((chance >> 11) as f64 / (1u64 << 53) as f64)
}
