//! What the operator counts. Labels come from fixed sets: no object's name is ever one.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use crds::{ConditionType, VectorTenant};
use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::neon;

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
    events: Family<ReasonLabel, Counter>,
    events_lost: Counter,
    neon_ready: Gauge<f64, AtomicU64>,
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
            events: Family::default(),
            events_lost: Counter::default(),
            neon_ready: Gauge::default(),
        };
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("tenantry_operator_build", "Version of the running operator", build);
        registry.register_with_unit(
            "tenantry_reconcile_duration",
            "Time of one pass over one tenant, by its result",
            Unit::Seconds,
            metrics.reconciles.clone(),
        );
        registry.register_with_unit(
            "tenantry_step_duration",
            "Time of one step of a pass",
            Unit::Seconds,
            metrics.steps.clone(),
        );
        registry.register_with_unit(
            "tenantry_neon_request_duration",
            "Time of one attempt of a call to the Neon API, by route and status",
            Unit::Seconds,
            metrics.neon_calls.clone(),
        );
        registry.register_with_unit(
            "tenantry_time_to_ready",
            "Time from a tenant's creation until it was Ready for the first time",
            Unit::Seconds,
            metrics.time_to_ready.clone(),
        );
        registry.register(
            "tenantry_events",
            "Changes that were told, by reason",
            metrics.events.clone(),
        );
        registry.register(
            "tenantry_events_lost",
            "Events that the Kubernetes API did not take; the log has them",
            metrics.events_lost.clone(),
        );
        registry.register(
            "tenantry_neon_key_accepted",
            "Whether Neon accepts the API key: 1 or 0",
            metrics.neon_ready.clone(),
        );
        metrics
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

    /// A change was told.
    pub fn event(&self, reason: &str) {
        self.events.get_or_create(&ReasonLabel { reason: reason.to_owned() }).inc();
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

/// Counts tenants by condition when it is asked, from the controllers' own caches.
pub struct TenantCounts {
    stores: Arc<[Store<VectorTenant>]>,
}

impl TenantCounts {
    /// Over the caches of all served namespaces.
    #[must_use]
    pub fn new(stores: Arc<[Store<VectorTenant>]>) -> Self {
        Self { stores }
    }
}

impl fmt::Debug for TenantCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantCounts")
    }
}

impl Collector for TenantCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tenants: Vec<_> = self.stores.iter().flat_map(Store::state).collect();
        let help = "Tenants by condition and its status; Unknown where nobody has looked yet";
        let mut family =
            encoder.encode_descriptor("tenantry_tenants", help, None, MetricType::Gauge)?;
        for kind in ConditionType::ALL {
            let mut counts = [("True", 0_i64), ("False", 0), ("Unknown", 0)];
            for tenant in &tenants {
                let conditions = tenant.status.as_ref().map(|s| s.conditions.as_slice());
                let condition = crds::find(conditions.unwrap_or_default(), kind);
                let status = condition.map_or("Unknown", |c| c.status.as_str());
                counts.iter_mut().filter(|(name, _)| *name == status).for_each(|(_, n)| *n += 1);
            }
            for (status, count) in counts {
                let labels = [("condition", kind.to_string()), ("status", status.to_owned())];
                ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
