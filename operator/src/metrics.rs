//! What the operator counts. Labels come from fixed sets: no object's name is ever one.

mod tenants;

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::neon;
pub use tenants::TenantCounts;

/// Why a migration can fail: categories of errors, each told from the start, because a count that is not there cannot be seen to rise.
const MIGRATION_FAILURES: [&str; 7] = [
    "migration_failed",
    "migration_locked",
    "migration_mismatch",
    "database_certificate",
    "database_interrupted",
    "database_timeout",
    "database_unavailable",
];

/// Label `result` of a reconcile: `ok`, or an error's category.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    route: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

/// Every metric of the process.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<ResultLabel, Histogram, fn() -> Histogram>,
    steps: Family<StepLabel, Histogram, fn() -> Histogram>,
    neon_calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    time_to_ready: Histogram,
    migration_failures: Family<ReasonLabel, Counter>,
    events: Family<ReasonLabel, Counter>,
    events_lost: Counter,
    neon_ready: Gauge<f64, AtomicU64>,
    leader: Gauge,
    leader_transitions: Counter,
    watching: Gauge,
}

fn quick() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0])
}

fn slow() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0])
}

impl Metrics {
    /// Registers every metric.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::new_with_constructor(quick as fn() -> Histogram),
            steps: Family::new_with_constructor(quick as fn() -> Histogram),
            neon_calls: Family::new_with_constructor(quick as fn() -> Histogram),
            time_to_ready: slow(),
            migration_failures: Family::default(),
            events: Family::default(),
            events_lost: Counter::default(),
            neon_ready: Gauge::default(),
            leader: Gauge::default(),
            leader_transitions: Counter::default(),
            watching: Gauge::default(),
        };
        for reason in MIGRATION_FAILURES {
            let _ = metrics.migration_failures.get_or_create(&reason_label(reason));
        }
        // Neon has not said anything yet.
        metrics.neon_ready.set(f64::NAN);
        metrics.register_durations(registry);
        metrics.register_counts(registry);
        process::metrics::register(registry);
        metrics
    }

    fn register_durations(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "tenantry_reconcile_duration",
            "Time of one pass over one tenant, by its result",
            Unit::Seconds,
            self.reconciles.clone(),
        );
        registry.register_with_unit(
            "tenantry_step_duration",
            "Time of one step of a pass",
            Unit::Seconds,
            self.steps.clone(),
        );
        registry.register_with_unit(
            "tenantry_neon_request_duration",
            "Time of one attempt of a call to the Neon API, by route and status",
            Unit::Seconds,
            self.neon_calls.clone(),
        );
        registry.register_with_unit(
            "tenantry_time_to_ready",
            "Time from a tenant's creation until it was Ready for the first time",
            Unit::Seconds,
            self.time_to_ready.clone(),
        );
    }

    fn register_counts(&self, registry: &mut Registry) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("tenantry_operator_build", "Version of the running operator", build);
        registry.register(
            "tenantry_migration_failures",
            "Attempts to migrate a tenant's database that failed, by reason",
            self.migration_failures.clone(),
        );
        registry.register(
            "tenantry_events",
            "Changes that were told, by reason",
            self.events.clone(),
        );
        registry.register(
            "tenantry_events_lost",
            "Events that the Kubernetes API did not take; the log has them",
            self.events_lost.clone(),
        );
        registry.register(
            "tenantry_neon_key_accepted",
            "Whether Neon accepts the API key: 1 or 0, and NaN before Neon has said so",
            self.neon_ready.clone(),
        );
        registry.register(
            "tenantry_leader",
            "Whether this operator is the one at work: 1 or 0",
            self.leader.clone(),
        );
        registry.register(
            "tenantry_leader_transitions",
            "Times that this operator became the one at work",
            self.leader_transitions.clone(),
        );
        registry.register(
            "tenantry_watching",
            "Whether this operator has listed its tenants in every namespace that it serves: 1 or 0",
            self.watching.clone(),
        );
    }

    /// This operator has listed its tenants in every namespace that it serves.
    pub fn watching(&self) {
        self.watching.set(1);
    }

    /// This operator became, or ceased to be, the one at work.
    pub fn leading(&self, is_leader: bool) {
        self.leader.set(i64::from(is_leader));
        if is_leader {
            self.leader_transitions.inc();
        }
    }

    /// One pass is over.
    pub fn reconciled(&self, result: &'static str, elapsed: Duration) {
        self.reconciles.get_or_create(&ResultLabel { result }).observe(elapsed.as_secs_f64());
    }

    /// One step is over.
    pub fn step(&self, step: &'static str, elapsed: Duration) {
        self.steps.get_or_create(&StepLabel { step }).observe(elapsed.as_secs_f64());
    }

    /// One attempt of a call to Neon is over.
    pub fn neon_call(&self, call: &neon::Call) {
        let labels = CallLabels { route: call.route, status: call.status.to_string() };
        self.neon_calls.get_or_create(&labels).observe(call.elapsed.as_secs_f64());
    }

    /// A tenant became Ready for the first time.
    pub fn became_ready(&self, after: Duration) {
        self.time_to_ready.observe(after.as_secs_f64());
    }

    /// A tenant's database could not be migrated, for this category of errors.
    pub fn migration_failed(&self, category: &'static str) {
        self.migration_failures.get_or_create(&reason_label(category)).inc();
    }

    /// A change was told.
    pub fn event(&self, reason: &str) {
        self.events.get_or_create(&reason_label(reason)).inc();
    }

    /// An event could not be written.
    pub fn event_lost(&self) {
        self.events_lost.inc();
    }

    /// Whether Neon accepts the key.
    pub fn neon_key_accepted(&self, accepted: bool) {
        self.neon_ready.set(f64::from(u8::from(accepted)));
    }
}

fn reason_label(reason: &str) -> ReasonLabel {
    ReasonLabel { reason: reason.to_owned() }
}
