//! What the controllers' own caches say of all tenants, counted when somebody asks.
//!
//! In: the caches of all served namespaces. Out: tenants by condition, the stalled ones by reason, and for how long the oldest has
//! not become ready, or not gone. An operator that stands by watches nothing and tells zeros.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crds::{ConditionType, VectorTenant};
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

/// Counts tenants when it is asked.
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
        by_condition(&mut encoder, &tenants)?;
        by_reason(&mut encoder, &tenants)?;
        let now = Timestamp::now();
        let oldest = |since: fn(&VectorTenant) -> Option<Timestamp>| {
            let oldest = tenants.iter().filter_map(|tenant| since(tenant)).min();
            oldest.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0))
        };
        for (name, help, since) in [
            (
                "tenantry_oldest_unready_seconds",
                "For how long the one tenant has not been Ready that waits longest; paused, stalled and deleted ones do not count",
                unready_since as fn(&VectorTenant) -> Option<Timestamp>,
            ),
            (
                "tenantry_oldest_deletion_seconds",
                "For how long the deletion has been under way that takes longest",
                deleted_since,
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(oldest(since)).encode(metric)?;
        }
        Ok(())
    }
}

fn by_condition(
    encoder: &mut DescriptorEncoder<'_>,
    tenants: &[Arc<VectorTenant>],
) -> Result<(), fmt::Error> {
    let help = "Tenants by condition and its status; Unknown where nobody has looked yet";
    let mut family =
        encoder.encode_descriptor("tenantry_tenants", help, None, MetricType::Gauge)?;
    for kind in ConditionType::ALL {
        let mut counts = [("True", 0_i64), ("False", 0), ("Unknown", 0)];
        for tenant in tenants {
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

fn by_reason(
    encoder: &mut DescriptorEncoder<'_>,
    tenants: &[Arc<VectorTenant>],
) -> Result<(), fmt::Error> {
    let mut counts = BTreeMap::<String, i64>::new();
    for status in tenants.iter().filter_map(|tenant| tenant.status.as_ref()) {
        let stalled = crds::find(&status.conditions, ConditionType::Stalled);
        if let Some(stalled) = stalled.filter(|stalled| stalled.status == "True") {
            *counts.entry(stalled.reason.clone()).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let (name, help) = ("tenantry_tenants_stalled", "Tenants that need a person, by reason");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (reason, count) in counts {
        ConstGauge::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
    }
    Ok(())
}

/// Since when a tenant should have become Ready by itself, and has not.
fn unready_since(tenant: &VectorTenant) -> Option<Timestamp> {
    let conditions = tenant.status.as_ref().map(|status| status.conditions.as_slice());
    let conditions = conditions.unwrap_or_default();
    let counts = tenant.metadata.deletion_timestamp.is_none()
        && !tenant.spec.paused
        && !crds::is_true(conditions, ConditionType::Stalled);
    if !counts || crds::is_true(conditions, ConditionType::Ready) {
        return None;
    }
    // From when it was last let go on: the days in which it was paused, or waited for a person, are not the operator's.
    let turns = [ConditionType::Ready, ConditionType::Stalled, ConditionType::Reconciling];
    let at = |kind| crds::find(conditions, kind).map(|found| found.last_transition_time.0);
    let created = tenant.metadata.creation_timestamp.as_ref().map(|time| time.0);
    turns.into_iter().filter_map(at).max().or(created)
}

fn deleted_since(tenant: &VectorTenant) -> Option<Timestamp> {
    tenant.metadata.deletion_timestamp.as_ref().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tenant(object: serde_json::Value) -> VectorTenant {
        let mut whole =
            json!({"apiVersion": "tenantry.dev/v1alpha1", "kind": "VectorTenant", "spec": {}});
        for (key, value) in object.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn condition(kind: &str, status: &str) -> serde_json::Value {
        let (at, reason) = ("2026-01-01T00:05:00Z", "R");
        json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": at})
    }

    #[test]
    fn only_tenants_that_should_become_ready_by_themselves_wait() {
        let created = json!({"name": "t", "creationTimestamp": "2026-01-01T00:00:00Z"});
        let since = |metadata: &serde_json::Value,
                     spec: serde_json::Value,
                     conditions: &[serde_json::Value]| {
            let status = json!({"conditions": conditions});
            let tenant = tenant(json!({"metadata": metadata, "spec": spec, "status": status}));
            unready_since(&tenant).map(|at| at.as_second() % 3600 / 60)
        };
        assert_eq!(since(&created, json!({}), &[]), Some(0), "nobody has looked at it yet");
        assert_eq!(since(&created, json!({}), &[condition("Ready", "False")]), Some(5));
        assert_eq!(since(&created, json!({}), &[condition("Ready", "True")]), None);
        assert_eq!(since(&created, json!({"paused": true}), &[condition("Ready", "False")]), None);
        let stalled = [condition("Ready", "False"), condition("Stalled", "True")];
        assert_eq!(since(&created, json!({}), &stalled), None, "it needs a person");
        let mut deleted = created.clone();
        deleted["deletionTimestamp"] = json!("2026-01-01T00:10:00Z");
        assert_eq!(since(&deleted, json!({}), &[condition("Ready", "False")]), None);
        let deleted = tenant(json!({"metadata": deleted}));
        assert_eq!(deleted_since(&deleted).map(|at| at.as_second() % 3600 / 60), Some(10));
    }
}
