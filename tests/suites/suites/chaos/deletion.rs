//! Deletion, in every form that Neon may give it. In: answers to DELETE and to the look after it. Out: the finalizer goes
//! when the project is proven gone, whatever "gone" looks like, and never before.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, PROJECT, answer, first, html, rule};

async fn settled(name: &str) -> Result<(Case, String)> {
    let case = Case::ready(TestOperator::named(name)).await?;
    let id = case.id().await?;
    Ok((case, id))
}

/// A deleted project looks like this from now on.
async fn gone_looks(name: &str, form: Value) -> Result<()> {
    let (case, id) = settled(name).await?;
    case.neon.on_project(&id, "set", form).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1);
    Ok(())
}

#[tokio::test]
async fn gone_is_a_404() -> Result<()> {
    gone_looks("gone-404", json!({ "gone": "404" })).await
}

#[tokio::test]
async fn gone_is_a_410() -> Result<()> {
    gone_looks("gone-410", json!({ "gone": "410" })).await
}

#[tokio::test]
async fn gone_is_a_200_with_deleted_at() -> Result<()> {
    gone_looks("gone-deleted-at", json!({ "gone": "deleted_at" })).await
}

#[tokio::test]
async fn gone_is_kept_for_recovery() -> Result<()> {
    gone_looks("gone-kept", json!({ "soft_delete": true })).await
}

#[tokio::test]
async fn gone_shows_only_in_the_list_of_recoverable_projects() -> Result<()> {
    let (case, id) = settled("gone-listed").await?;
    let shown = case.neon.project(&id).await?["project"].clone();
    case.neon.on_project(&id, "set", json!({ "soft_delete": true })).await?;
    let as_ever = json!({ "type": "reply", "status": 200, "body": { "project": shown } });
    case.fault(rule("GET", PROJECT, BEFORE, as_ever)).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_deleted_project_that_lingers_is_waited_for() -> Result<()> {
    let (case, id) = settled("gone-lingers").await?;
    let shown = case.neon.project(&id).await?["project"].clone();
    let as_ever = json!({ "type": "reply", "status": 200, "body": { "project": shown } });
    let lingers = case.fault(rule("GET", PROJECT, BEFORE, as_ever)).await?;
    case.delete(TENANT).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "Deleting").await?;
    lingers.wait_hits(2).await?;
    lingers.release().await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_project_that_is_gone_already() -> Result<()> {
    let (case, id) = settled("gone-already").await?;
    case.neon.on_project(&id, "delete", json!({})).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}

/// The answer to the DELETE of a project that the look-up still shows.
async fn deleted_meanwhile(name: &str, status: u16) -> Result<()> {
    let (case, id) = settled(name).await?;
    let fault = case.fault(rule("DELETE", PROJECT, BEFORE, json!({ "type": "hold" }))).await?;
    case.delete(TENANT).await?;
    fault.wait_held(1).await?;
    let form = json!({ "gone": status.to_string() });
    case.neon.on_project(&id, "delete", form).await?;
    fault.release().await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_404_to_the_deletion() -> Result<()> {
    deleted_meanwhile("delete-404", 404).await
}

#[tokio::test]
async fn a_410_to_the_deletion() -> Result<()> {
    deleted_meanwhile("delete-410", 410).await
}

#[tokio::test]
async fn a_404_page_of_a_proxy_is_not_gone() -> Result<()> {
    let (case, _) = settled("delete-404-page").await?;
    let proxy = case.fault(rule("*", PROJECT, BEFORE, html(404))).await?;
    case.delete(TENANT).await?;
    proxy.wait_hits(2).await?;
    ensure!(!case.tenant(TENANT).await?.metadata.finalizers.unwrap_or_default().is_empty());
    case.standing_id().await?;
    proxy.release().await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_422_for_a_protected_branch() -> Result<()> {
    let (case, id) = settled("delete-protected").await?;
    case.neon.on_project(&id, "protect", json!({ "protected": true })).await?;
    case.delete(TENANT).await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", "DeletionRefused").await?;
    ensure!(told.message.contains("protected"), "{}", told.message);
    ensure!(case.standing_id().await? == id);
    // A restart does not change Neon's mind, nor the operator's.
    case.restart().await?;
    case.wait_condition(TENANT, "Stalled", "True", "DeletionRefused").await?;
    let finalizers = case.tenant(TENANT).await?.metadata.finalizers.unwrap_or_default();
    ensure!(finalizers.len() == 1, "the finalizer is gone");
    case.neon.on_project(&id, "protect", json!({ "protected": false })).await?;
    case.restart().await?;
    case.ends_gone().await
}

/// These answers to the first DELETE, before or after it took effect.
async fn first_delete(name: &str, phase: &str, status: u16, times: u64) -> Result<()> {
    let (case, _) = settled(name).await?;
    let fault = case.fault(first(times, rule("DELETE", PROJECT, phase, answer(status)))).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await?;
    ensure!(case.commits("delete").await? == 1 && fault.hits().await? >= 1);
    Ok(())
}

#[tokio::test]
async fn a_423_to_the_deletion() -> Result<()> {
    first_delete("delete-423", BEFORE, 423, 6).await
}

#[tokio::test]
async fn a_503_to_the_deletion() -> Result<()> {
    first_delete("delete-503", BEFORE, 503, 2).await
}

#[tokio::test]
async fn a_500_before_the_deletion() -> Result<()> {
    first_delete("delete-500-before", BEFORE, 500, 1).await
}

#[tokio::test]
async fn a_500_after_the_deletion() -> Result<()> {
    first_delete("delete-500-after", AFTER, 500, 1).await
}

#[tokio::test]
async fn a_creation_that_takes_effect_while_its_tenant_is_being_deleted() -> Result<()> {
    let case = Case::with(TestOperator::named("delete-late").create_grace(12.0)).await?;
    let late = json!({ "type": "late_commit", "millis": 3000, "status": 500 });
    let fault = case.fault(first(1, rule("POST", LIST, BEFORE, late))).await?;
    case.begin().await?;
    fault.wait_hits(1).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await?;
    ensure!(case.commits("create").await? == 1, "it took effect all the same");
    ensure!(case.commits("delete").await? == 1, "and was found");
    Ok(())
}
