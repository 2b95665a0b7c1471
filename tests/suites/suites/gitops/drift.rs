//! Drift: what git says and what the cluster has. In: a settled tenant, edits by hand. Out: nothing that the operator writes
//! is drift, and what git declares is put back.

use std::collections::BTreeMap;

use acceptance::TestOperator;
use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use serde_json::json;

use super::examples;
use super::flux::Flux;

fn settled(look: &BTreeMap<String, String>) -> bool {
    !look.is_empty() && look.values().all(|what| what == "unchanged")
}

#[tokio::test]
async fn what_the_operator_writes_is_no_drift_and_an_edit_by_hand_is() -> Result<()> {
    let t = TestOperator::start("gitops-drift").await?;
    let Some(flux) = Flux::start("drift", &t).await? else { return Ok(()) };
    let spec = r#"{suspendTimeoutSeconds: 600, autoscaling: {max: "1.0"}, secret: {labels: {team: blue}}}"#;
    let tenant = examples::tenant(&t.namespace, "acme", spec);
    flux.push(&BTreeMap::from([("tenants/acme.yaml".to_owned(), tenant)])).await?;
    flux.follow("tenants", "tenants", json!({})).await?;
    flux.wait_ready("tenants").await?;

    // Finalizer, status and defaults are on the object now, and the controller looks again and again.
    let before = t.wait_ready("acme").await?;
    ensure!(!before.finalizers().is_empty() && before.spec.autoscaling.min == "0.25");
    let looks = flux.wait_applied("tenants", 4).await?;
    ensure!(looks.iter().all(settled), "{looks:?}");
    assert_eq!(t.tenant("acme").await?.resource_version(), before.resource_version());

    // What git declares is put back, whoever changed it.
    t.patch("acme", json!({"spec": {"suspendTimeoutSeconds": 900}})).await?;
    t.wait_tenant("acme", "put back", |t| t.spec.suspend_timeout_seconds == 600).await?;
    let looks = flux.applied("tenants");
    ensure!(looks.iter().flat_map(BTreeMap::values).any(|what| what == "configured"), "{looks:?}");
    let before = t.wait_ready("acme").await?;

    // What git leaves open stays as another tool has set it, and goes where it was set with kubectl.
    t.patch("acme", json!({"spec": {"historyRetentionSeconds": 3600}})).await?;
    let looks = flux.wait_applied("tenants", 3).await?;
    ensure!(looks.iter().all(settled), "{looks:?}");
    let kept = t.wait_ready("acme").await?;
    assert_eq!(kept.spec.history_retention_seconds, Some(3600));
    assert_eq!(kept.spec.suspend_timeout_seconds, before.spec.suspend_timeout_seconds);
    let pause = ["patch", "vt", "acme", "--type=merge", "-p", r#"{"spec":{"paused":true}}"#];
    t.kubectl(&pause).await?.success()?;
    t.wait_tenant("acme", "no longer paused", |t| !t.spec.paused).await?;
    let looks = flux.wait_applied("tenants", 2).await?;
    ensure!(looks.last().is_some_and(settled), "{looks:?}");
    t.wait_ready("acme").await.map(drop).context("in the end")
}
