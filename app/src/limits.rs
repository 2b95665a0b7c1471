//! How often a person may ask, by kind of route.
//!
//! In: a person (or, before sign-in, an address) and the kind of request. Out: go on, or wait so many seconds. In memory of
//! this process: it spares the process; what must hold over all replicas, such as the number of documents, is in the database.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use uuid::Uuid;

use crate::error::Error;

/// Requests of another kind may be this many times as frequent as costly ones.
const CHEAP: u32 = 10;

/// Who asked how often.
pub struct Limits {
    costly: DefaultKeyedRateLimiter<Uuid>,
    cheap: DefaultKeyedRateLimiter<Uuid>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    /// So many costly requests a minute for each person.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        let quota =
            |count: u32| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            costly: RateLimiter::keyed(quota(per_minute)),
            cheap: RateLimiter::keyed(quota(per_minute.saturating_mul(CHEAP))),
            strangers: RateLimiter::keyed(quota(per_minute.saturating_mul(CHEAP))),
        }
    }

    /// An upload, a search: something that costs.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub fn costly(&self, user: Uuid) -> Result<(), Error> {
        check(&self.costly, &user)
    }

    /// Any other request of a person.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub fn cheap(&self, user: Uuid) -> Result<(), Error> {
        check(&self.cheap, &user)
    }

    /// A request of somebody who is not signed in.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub fn stranger(&self, address: IpAddr) -> Result<(), Error> {
        check(&self.strangers, &network(address))
    }

    /// Forgets whoever has been quiet long enough to have a whole quota again.
    pub fn tidy(&self) {
        self.costly.retain_recent();
        self.cheap.retain_recent();
        self.strangers.retain_recent();
    }
}

/// A household or a machine has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) >> 64 << 64).into()),
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Error> {
    limiter.check_key(key).map_err(|not_until| {
        let wait: Duration = not_until.wait_time_from(limiter.clock().now());
        Error::TooMany { seconds: wait.as_secs() + 1 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_persons_haste_is_no_others_loss() {
        let limits = Limits::new(2);
        let (hasty, calm) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(limits.costly(hasty).is_ok() && limits.costly(hasty).is_ok());
        assert!(matches!(limits.costly(hasty), Err(Error::TooMany { seconds: 1.. })));
        assert!(limits.cheap(hasty).is_ok());
        assert!(limits.costly(calm).is_ok());
    }
}
