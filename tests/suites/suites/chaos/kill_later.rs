//! SIGKILL at each call of a tenant's later life: changed settings, a name given back, its deletion. In: a rule that holds
//! that call. Out: after a restart the settings are the declared ones, or everything is gone.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::json;

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, ENDPOINT, LIST, PROJECT, hold};

fn named(name: &str) -> acceptance::Setup {
    TestOperator::named(name)
}

/// The size of the compute that the emulator really has.
async fn ends_resized(case: &Case) -> Result<()> {
    case.wait_ready(TENANT).await?;
    let project = case.neon.project(&case.id().await?).await?;
    let max = &project["endpoints"][0]["autoscaling_limit_max_cu"];
    ensure!(max.as_f64() == Some(1.0), "{max}");
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_the_project_is_changed() -> Result<()> {
    let case = Case::ready(named("kill-patch-project")).await?;
    let fault = case.fault(hold("PATCH", PROJECT, AFTER)).await?;
    case.resize("1").await?;
    case.kill_held(&fault).await?;
    ends_resized(&case).await
}

#[tokio::test]
async fn killed_before_the_endpoint_is_changed() -> Result<()> {
    let case = Case::ready(named("kill-patch-endpoint")).await?;
    let fault = case.fault(hold("PATCH", ENDPOINT, BEFORE)).await?;
    case.resize("1").await?;
    case.kill_held(&fault).await?;
    ends_resized(&case).await
}

#[tokio::test]
async fn killed_after_the_endpoint_is_changed() -> Result<()> {
    let case = Case::ready(named("kill-patched-endpoint")).await?;
    let fault = case.fault(hold("PATCH", ENDPOINT, AFTER)).await?;
    case.resize("1").await?;
    case.kill_held(&fault).await?;
    ends_resized(&case).await
}

#[tokio::test]
async fn killed_while_a_name_is_given_back() -> Result<()> {
    let case = Case::ready(named("kill-rename").resync(1.0)).await?;
    let id = case.id().await?;
    let fault = case.neon.fault(&id, hold("PATCH", PROJECT, AFTER)).await?;
    case.neon.on_project(&id, "rename", json!({"name": "somebody-was-here"})).await?;
    case.kill_held(&fault).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_at_the_look_up_of_a_deletion() -> Result<()> {
    let case = Case::ready(named("kill-delete-look-up")).await?;
    let fault = case.fault(hold("GET", LIST, AFTER)).await?;
    case.delete(TENANT).await?;
    case.kill_held(&fault).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn killed_before_the_deletion() -> Result<()> {
    let case = Case::ready(named("kill-delete")).await?;
    let fault = case.fault(hold("DELETE", PROJECT, BEFORE)).await?;
    case.delete(TENANT).await?;
    case.kill_held(&fault).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1);
    Ok(())
}

#[tokio::test]
async fn killed_after_the_deletion() -> Result<()> {
    let case = Case::ready(named("kill-deleted")).await?;
    let fault = case.fault(hold("DELETE", PROJECT, AFTER)).await?;
    case.delete(TENANT).await?;
    case.kill_held(&fault).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1);
    Ok(())
}

#[tokio::test]
async fn killed_while_the_deletion_is_confirmed() -> Result<()> {
    // No resync in between: its look at the project would be held instead.
    let case = Case::ready(named("kill-confirm").resync(600.0)).await?;
    let fault = case.fault(hold("GET", PROJECT, BEFORE)).await?;
    case.delete(TENANT).await?;
    fault.wait_held(1).await?;
    ensure!(case.commits("delete").await? == 1, "it is the look after the deletion that is held");
    case.kill_held(&fault).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1);
    Ok(())
}

#[tokio::test]
async fn killed_after_the_deletion_is_confirmed() -> Result<()> {
    let case = Case::ready(named("kill-confirmed").resync(600.0)).await?;
    let id = case.id().await?;
    // Only a form of "gone" that is a success can be held on its way back.
    case.neon.on_project(&id, "set", json!({"gone": "deleted_at"})).await?;
    let fault = case.fault(hold("GET", PROJECT, AFTER)).await?;
    case.delete(TENANT).await?;
    case.kill_held(&fault).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1);
    Ok(())
}

#[tokio::test]
async fn killed_while_a_tenant_goes_that_has_no_project_yet() -> Result<()> {
    let case = Case::new("kill-delete-early").await?;
    let created = case.fault(hold("POST", LIST, AFTER)).await?;
    case.begin().await?;
    created.wait_held(1).await?;
    case.kill9();
    case.delete(TENANT).await?;
    created.release().await?;
    let deleted = case.fault(hold("DELETE", PROJECT, AFTER)).await?;
    case.begin().await?;
    case.kill_held(&deleted).await?;
    case.ends_gone().await
}
