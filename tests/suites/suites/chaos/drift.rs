//! What people do in Neon's console behind the operator's back: delete, recover, rename, reset a password, move a host. In:
//! such acts on a tenant that is Ready. Out: at the next comparison with Neon it is made good, or told; nothing is made anew.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::json;

use super::case::{Case, TENANT};

async fn settled(name: &str) -> Result<(Case, String)> {
    let case = Case::ready(TestOperator::named(name).resync(1.0)).await?;
    let id = case.id().await?;
    Ok((case, id))
}

#[tokio::test]
async fn a_project_deleted_out_of_band_and_recovered() -> Result<()> {
    let (case, id) = settled("deleted-aside").await?;
    case.neon.on_project(&id, "delete", json!({"soft_delete": true})).await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", "ProjectMissing").await?;
    ensure!(told.message.contains(&id), "{}", told.message);
    case.wait_condition(TENANT, "Ready", "False", "ProjectMissing").await?;
    case.wait_event(TENANT, "ProjectMissing").await?;
    // A change of the spec, and a restart, are no reason to make an empty one in its place.
    case.resize("1").await?;
    case.restart().await?;
    case.wait_tenant(TENANT, "the change was looked at", |tenant| {
        let seen = tenant.status.as_ref().and_then(|status| status.observed_generation);
        seen == tenant.metadata.generation
    })
    .await?;
    case.wait_condition(TENANT, "Stalled", "True", "ProjectMissing").await?;
    ensure!(case.commits("create").await? == 1, "something was made in its place");
    case.neon.on_project(&id, "recover", json!({"soft_delete": false})).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.id().await? == id);
    case.ends_well().await
}

#[tokio::test]
async fn a_missing_project_does_not_hold_up_its_tenants_deletion() -> Result<()> {
    let (case, id) = settled("deleted-for-good").await?;
    case.neon.on_project(&id, "delete", json!({})).await?;
    case.wait_condition(TENANT, "Stalled", "True", "ProjectMissing").await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_project_renamed_out_of_band() -> Result<()> {
    let (case, id) = settled("renamed-aside").await?;
    case.neon.on_project(&id, "rename", json!({"name": "my favourite"})).await?;
    case.wait_event(TENANT, "NameRestored").await?;
    let name = &case.neon.project(&id).await?["project"]["name"];
    ensure!(name == &json!(case.project), "{name}");
    case.ends_well().await
}

#[tokio::test]
async fn a_renamed_project_is_deleted_with_its_tenant() -> Result<()> {
    let (case, id) = settled("renamed-deleted").await?;
    case.kill9();
    case.neon.on_project(&id, "rename", json!({"name": "my favourite"})).await?;
    case.delete(TENANT).await?;
    case.begin().await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_password_reset_out_of_band() -> Result<()> {
    let (case, id) = settled("password-aside").await?;
    let before = case.binding(TENANT).await?.get("password")?.to_owned();
    case.neon.on_project(&id, "reset_password", json!({})).await?;
    case.until("the Secret has the new password", Some(TENANT), async || {
        ensure!(case.binding(TENANT).await?.get("password")? != before);
        Ok(())
    })
    .await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_host_that_moves() -> Result<()> {
    let (case, id) = settled("moved-host").await?;
    let before = case.binding(TENANT).await?.get("uri")?.to_owned();
    let endpoint = case.neon.endpoint(&id).await?.endpoint_id;
    case.neon.on_endpoint(&endpoint, "rehost").await?;
    case.until("the Secret has the new host", Some(TENANT), async || {
        ensure!(case.binding(TENANT).await?.get("uri")? != before);
        Ok(())
    })
    .await?;
    case.ends_well().await
}
