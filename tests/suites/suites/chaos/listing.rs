//! Lists that do not tell the whole truth: stale, partial, paged, with somebody else's project of our name. In: such lists
//! around a lost reply. Out: no second project, and nobody else's is touched.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, answer, count, first, rule};

#[tokio::test]
async fn a_list_that_is_stale_for_less_than_the_grace() -> Result<()> {
    let case = Case::with(TestOperator::named("list-stale").create_grace(20.0)).await?;
    let looks = case.fault(count("GET", LIST)).await?;
    case.fault(rule("GET", LIST, BEFORE, json!({ "type": "stale_list", "millis": 4000 }))).await?;
    case.fault(first(1, rule("POST", LIST, AFTER, json!({ "type": "reset" })))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "CreationUncertain").await?;
    case.wait_ready(TENANT).await?;
    ensure!(looks.hits().await? >= 3, "before, in vain, and with success");
    case.ends_well().await
}

#[tokio::test]
async fn a_project_that_neon_cannot_show() -> Result<()> {
    let case = Case::with(TestOperator::named("list-partial").create_grace(1.0)).await?;
    let all = json!({ "type": "unavailable", "project_ids": ["*"] });
    let partial = case.fault(rule("GET", LIST, BEFORE, all)).await?;
    case.fault(first(1, rule("POST", LIST, AFTER, answer(500)))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "NeonUnavailable").await?;
    // Longer than the grace: not being shown is no proof of absence, however long it lasts.
    partial.wait_hits(3).await?;
    ensure!(case.commits("create").await? == 1);
    partial.release().await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_project_that_neon_cannot_show_while_its_tenant_is_deleted() -> Result<()> {
    let case = Case::with(TestOperator::named("list-partial-gone").create_grace(1.0)).await?;
    let all = json!({ "type": "unavailable", "project_ids": ["*"] });
    let partial = case.fault(rule("GET", LIST, BEFORE, all)).await?;
    let lost = case.fault(first(1, rule("POST", LIST, AFTER, answer(500)))).await?;
    case.begin().await?;
    lost.wait_hits(1).await?;
    case.delete(TENANT).await?;
    partial.wait_hits(4).await?;
    ensure!(!case.tenant(TENANT).await?.metadata.finalizers.unwrap_or_default().is_empty());
    partial.release().await?;
    case.ends_gone().await
}

/// A project of our name that somebody else made.
fn look_alike(case: &Case, marker: Option<&str>) -> Value {
    let branch = match marker {
        Some(uid) => json!({ "annotations": { "tenantry.dev/tenant-uid": uid } }),
        None => json!({}),
    };
    json!({ "name": case.project, "branch": branch })
}

#[tokio::test]
async fn a_project_of_our_name_with_anothers_marker() -> Result<()> {
    let case = Case::new("look-alike").await?;
    let other = "00000000-0000-4000-8000-000000000000";
    let id = case.neon.make_project(look_alike(&case, Some(other))).await?;
    case.begin().await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", "ProjectAmbiguous").await?;
    ensure!(told.message.contains(&id) && told.message.contains(other), "{}", told.message);
    ensure!(case.commits("create").await? == 1, "only theirs");
    case.delete(TENANT).await?;
    case.wait_gone(TENANT).await?;
    ensure!(case.standing_id().await? == id, "it was not ours to delete");
    ensure!(case.commits("rename").await? == 0);
    case.neon.on_project(&id, "delete", json!({})).await?;
    case.nothing_leaked().await
}

#[tokio::test]
async fn two_lost_creations_leave_one_project() -> Result<()> {
    let case = Case::new("two-lost").await?;
    let uid = case.tenant(TENANT).await?.metadata.uid.unwrap_or_default();
    let elder = case.neon.make_project(look_alike(&case, Some(&uid))).await?;
    case.neon.make_project(look_alike(&case, Some(&uid))).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    case.wait_event(TENANT, "DuplicateRemoved").await?;
    // Both may be of the same second, then either may stay.
    ensure!(case.standing_id().await? == case.id().await?, "{elder}");
    case.ends_well_after(2).await
}

#[tokio::test]
async fn more_projects_than_fit_on_two_pages() -> Result<()> {
    let case = Case::new("crowd").await?;
    let crowd = |count: usize| json!({ "name": format!("{}-not-", case.project), "count": count });
    case.neon.control(Method::POST, "/crowd", Some(crowd(850))).await?;
    let looks = case.fault(count("GET", LIST)).await?;
    case.fault(first(1, rule("POST", LIST, AFTER, answer(500)))).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    ensure!(looks.hits().await? >= 6, "three pages, before and after");
    case.ends_well().await?;
    case.neon.control(Method::POST, "/crowd", Some(crowd(0))).await.map(drop)
}
