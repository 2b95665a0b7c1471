//! What is looked up when Prometheus asks, and not counted as it happens: the queue, the tenants, the pools.
//!
//! In: the app. Out: gauges. The main database is asked once in a few seconds at most, however many ask, and never waited for
//! longer than a scrape may take: where it does not answer, that itself is told and the queue's last numbers stay.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::{JobLabels, KindLabel, Metrics, Phase};
use crate::{
    ingest::queue::{self, Depth, Kind},
    state::App,
};

/// For so long the database's last word holds.
const FRESH: Duration = Duration::from_secs(5);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// When the database was last asked.
#[derive(Default)]
pub struct Scrape(Mutex<Option<Instant>>);

impl Scrape {
    /// Sets the gauges to what is so now.
    pub async fn look(&self, app: &App) {
        let metrics = &app.metrics;
        let pools = app.tenants.open_pools().await;
        metrics.0.open_pools.set(i64::try_from(pools).unwrap_or(i64::MAX));
        for (phase, count) in app.tenants.phases() {
            metrics.0.tenants.get_or_create(&Phase { phase }).set(count);
        }
        for kind in Kind::NAMES {
            let longest = metrics.0.work.longest(kind).as_secs_f64();
            metrics.0.longest_running.get_or_create(&KindLabel { kind }).set(longest);
        }
        let mut asked = self.0.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return;
        }
        let answer = tokio::time::timeout(PATIENCE, queue::depth(&app.db)).await;
        *asked = Some(Instant::now());
        let depth = answer.ok().and_then(Result::ok);
        metrics.0.database_up.set(i64::from(depth.is_some()));
        if let Some(depth) = depth {
            metrics.queue(&depth);
        }
    }
}

impl Metrics {
    /// A kind that has no jobs is told with zeros.
    fn queue(&self, depth: &[Depth]) {
        for kind in Kind::NAMES {
            let found = depth.iter().find(|depth| depth.kind == kind);
            let (waiting, running, oldest) =
                found.map_or((0, 0, None), |found| (found.waiting, found.running, found.oldest));
            for (state, count) in [("waiting", waiting), ("running", running)] {
                self.0.jobs.get_or_create(&JobLabels { kind, state }).set(count);
            }
            self.0.oldest_waiting.get_or_create(&KindLabel { kind }).set(oldest.unwrap_or(0.0));
        }
    }
}
