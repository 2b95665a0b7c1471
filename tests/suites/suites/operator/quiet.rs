//! Settled tenants cost nothing: their databases are never connected to, and their computes sleep on.
//!
//! In: a tenant whose compute is suspended, and three resyncs, told by the calls that Neon gets. Out: no connection, no
//! wake-up, no write to Neon, to the Secret or to the status.

use acceptance::{Emulator, Space, TestOperator, project_id};
use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::json;

/// Waits until the operator has looked at the project so many times more; what it asked.
async fn looks(space: &Space, neon: &Emulator, project: &str, times: usize) -> Result<Vec<String>> {
    let (_, start) = neon.calls(project, 0).await?;
    space
        .until(&format!("{times} resyncs of {project}"), None, async || {
            let (calls, _) = neon.calls(project, start).await?;
            let look = format!("GET /projects/{project}");
            let looks = calls.iter().filter(|call| **call == look).count();
            ensure!(looks >= times, "{calls:?}");
            Ok(calls)
        })
        .await
}

#[tokio::test]
async fn settled_tenants_sleep_through_three_resyncs() -> Result<()> {
    let t = TestOperator::named("quiet").resync(0.5).start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let tenant = t.wait_ready("acme").await?;
    let id = project_id(&tenant)?;
    let endpoint = t.neon.endpoint(&id).await?;
    t.neon.on_endpoint(&endpoint.endpoint_id, "suspend").await?;
    let asleep = t.neon.endpoint(&id).await?;
    assert_eq!(asleep.state, "idle");
    // The password is looked at once more after this; what counts begins with the next look.
    looks(&t, &t.neon, &id, 1).await?;
    let (tenant, secret) = (t.tenant("acme").await?, t.binding("acme").await?.version());
    let calls = looks(&t, &t.neon, &id, 4).await?;
    let after = t.neon.endpoint(&id).await?;
    assert_eq!(after.state, "idle", "it was woken");
    assert_eq!(after.connections_ever, asleep.connections_ever, "it was connected to");
    assert_eq!(after.wakes, asleep.wakes);
    ensure!(calls.iter().all(|call| call.starts_with("GET ")), "{calls:?}");
    assert_eq!(t.tenant("acme").await?.resource_version(), tenant.resource_version());
    assert_eq!(t.binding("acme").await?.version(), secret);
    let mut told: Vec<String> = t.events("acme").await?.into_iter().map(|(_, r, _)| r).collect();
    told.sort();
    assert_eq!(told, ["ProjectCreated", "Ready"], "each change once");
    Ok(())
}

#[tokio::test]
async fn a_restart_wakes_nobody() -> Result<()> {
    let t = TestOperator::named("quiet-restart").resync(0.5).start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    t.neon.on_endpoint(&t.neon.endpoint(&id).await?.endpoint_id, "suspend").await?;
    let before = t.neon.endpoint(&id).await?;
    t.restart().await?;
    looks(&t, &t.neon, &id, 3).await?;
    let after = t.neon.endpoint(&id).await?;
    assert_eq!((after.connections_ever, after.state.as_str()), (before.connections_ever, "idle"));
    Ok(())
}

#[tokio::test]
async fn a_sleeping_tenant_takes_new_settings_and_its_user_wakes_it() -> Result<()> {
    let t = TestOperator::start("quiet-settings").await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    let endpoint = t.neon.endpoint(&id).await?;
    t.neon.on_endpoint(&endpoint.endpoint_id, "suspend").await?;
    let connections = t.neon.endpoint(&id).await?.connections_ever;
    let spec = json!({"vector": {"dimensions": 8}, "suspendTimeoutSeconds": 600});
    t.apply("acme", spec).await?;
    t.wait_ready("acme").await?;
    assert_eq!(t.neon.endpoint(&id).await?.connections_ever, connections);
    t.binding("acme").await?.connect().await?;
    assert_eq!(t.neon.endpoint(&id).await?.connections_ever, connections + 1);
    Ok(())
}
