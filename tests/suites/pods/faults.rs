//! What befalls pods: a leader that is killed, a pod that is deleted while it creates.

use std::time::Duration;

use acceptance::{PATIENCE, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::installation::{Installation, LEASE_SECONDS, SYSTEM};

const TENANTS: usize = 6;

/// SIGKILL to the leader's process in the middle of creations: the other pod takes over once the Lease has run out.
pub(crate) async fn leader_killed(it: &Installation) -> Result<()> {
    let leader = it.leader().await?;
    begin(it).await?;
    let id =
        ["get", "pod", &leader, "--output", "jsonpath={.status.containerStatuses[0].containerID}"];
    let id = it.kubectl(&[&["--namespace", SYSTEM], &id[..]].concat()).await?;
    let id = id.strip_prefix("containerd://").context("the container's id")?.to_owned();
    tokio::task::spawn_blocking(move || stack::node::kill_container(&id)).await??;
    replaced(it, &leader).await?;
    finish(it).await
}

/// As an eviction does it: SIGTERM, the step in hand is finished, the Lease is handed on, the other pod goes on at once.
pub(crate) async fn deleted_in_mid_creation(it: &Installation) -> Result<()> {
    let leader = it.leader().await?;
    begin(it).await?;
    it.kubectl(&["--namespace", SYSTEM, "delete", "pod", &leader, "--wait=false"]).await?;
    replaced(it, &leader).await?;
    finish(it).await?;
    it.kubectl(&[
        "--namespace",
        SYSTEM,
        "rollout",
        "status",
        "deployment/tenantry-operator",
        "--timeout=60s",
    ])
    .await
    .map(drop)
}

/// Tenants are applied, and the first project is being made.
async fn begin(it: &Installation) -> Result<()> {
    let made = it.platform.ledger().await?.count("create");
    for number in 0..TENANTS {
        it.platform
            .apply(&format!("tenant-{number}"), json!({"vector": {"dimensions": 8}}))
            .await?;
    }
    wait_until("the first project is made", PATIENCE, async || {
        ensure!(it.platform.ledger().await?.count("create") > made, "none yet");
        Ok(())
    })
    .await
}

async fn replaced(it: &Installation, before: &str) -> Result<()> {
    let patience = Duration::from_secs(LEASE_SECONDS * 5);
    wait_until("another pod leads", patience, async || {
        let now = it.leader().await?;
        ensure!(now != before, "{now} leads");
        Ok(())
    })
    .await
}

/// All of them become Ready, none was made twice, and they go again.
async fn finish(it: &Installation) -> Result<()> {
    it.platform.wait_all_ready(TENANTS).await?;
    it.platform.assert_one_project_each().await?;
    for number in 0..TENANTS {
        it.platform.delete(&format!("tenant-{number}")).await?;
    }
    it.platform.wait_all_gone().await?;
    ensure!(it.platform.ledger().await?.standing.is_empty(), "a project was left behind");
    Ok(())
}
