//! Neon's documented rate limits: 700 calls a minute, and a burst of 40 a second and route. In: settings, route and
//! time. Out: whether the call may pass. Pure but for its lock; off unless a test switches it on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::world::{Millis, Settings};

/// Calls counted per window: (name of the window, its number) -> count.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<HashMap<String, (i64, u32)>>);

impl Limits {
    pub(crate) fn allow(&self, settings: &Settings, route: &str, now: Millis) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut within = |name: &str, window: i64, limit: u32| {
            let entry = windows.entry(name.to_owned()).or_insert((window, 0));
            *entry = if entry.0 == window { (window, entry.1 + 1) } else { (window, 1) };
            limit == 0 || entry.1 <= limit
        };
        let minute = within("", now / 60_000, settings.rate_per_minute);
        within(route, now / 1000, settings.burst_per_route) && minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_counted_per_route_and_second() {
        let settings = Settings { burst_per_route: 2, ..Settings::default() };
        let limits = Limits::default();
        let allowed = |route, at| limits.allow(&settings, route, at);
        assert!(allowed("GET /a", 1000) && allowed("GET /a", 1500) && !allowed("GET /a", 1999));
        assert!(allowed("GET /b", 1999) && allowed("GET /a", 2000));
        assert!((0..99).all(|_| limits.allow(&Settings::default(), "GET /a", 5)));
    }
}
