//! SIGKILL at each call on the way from nothing to a database, once before and once after the call took effect. In: a rule
//! that holds that call. Out: after a restart exactly one project was made and the tenant is Ready.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::json;

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, OPERATIONS, PROJECT, URI, direct, hold, rule};

#[tokio::test]
async fn killed_before_the_look_up() -> Result<()> {
    let case = Case::new("kill-look-up").await?;
    case.begin_and_kill_at(hold("GET", LIST, BEFORE)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_after_the_look_up() -> Result<()> {
    let case = Case::new("kill-looked-up").await?;
    case.begin_and_kill_at(hold("GET", LIST, AFTER)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_before_the_creation() -> Result<()> {
    let case = Case::new("kill-create").await?;
    case.begin_and_kill_at(hold("POST", LIST, BEFORE)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_after_the_creation_so_that_the_password_is_revealed_again() -> Result<()> {
    let case = Case::new("kill-created").await?;
    case.begin_and_kill_at(hold("POST", LIST, AFTER)).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.commits("reset_password").await? == 0, "it was not lost");
    case.ends_well().await
}

#[tokio::test]
async fn killed_after_the_creation_so_that_the_password_that_neon_does_not_store_is_made_anew()
-> Result<()> {
    let case = Case::new("kill-created-unstored").await?;
    let fault = case.fault(hold("POST", LIST, AFTER)).await?;
    case.begin().await?;
    fault.wait_held(1).await?;
    let id = case.standing_id().await?;
    case.neon.on_project(&id, "set", json!({"store_passwords": false})).await?;
    case.kill_held(&fault).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.commits("reset_password").await? == 1, "it was lost once");
    case.ends_well().await
}

#[tokio::test]
async fn killed_after_the_reset_of_a_password() -> Result<()> {
    let case = Case::new("kill-reset").await?;
    let created = case.fault(hold("POST", LIST, AFTER)).await?;
    let reset = case.fault(hold("POST", "/reset_password$", AFTER)).await?;
    case.begin().await?;
    created.wait_held(1).await?;
    let id = case.standing_id().await?;
    case.neon.on_project(&id, "set", json!({"store_passwords": false})).await?;
    created.release().await?;
    case.kill_held(&reset).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.commits("reset_password").await? == 2, "the first was lost, too");
    case.ends_well().await
}

#[tokio::test]
async fn killed_before_a_creation_that_takes_effect_late() -> Result<()> {
    // The grace is much longer than the delay: what is shown is that the operator waits for it.
    let case = Case::with(TestOperator::named("kill-late").create_grace(20.0)).await?;
    let late = json!({ "type": "late_commit", "millis": 5000 });
    let fault = case.fault(rule("POST", LIST, BEFORE, late)).await?;
    case.begin().await?;
    fault.wait_held(1).await?;
    case.kill9();
    ensure!(case.commits("create").await? == 0, "it came too early to show anything");
    case.begin().await?;
    fault.release().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "CreationUncertain").await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_it_binds_what_it_found() -> Result<()> {
    let case = Case::new("kill-bind").await?;
    case.begin_and_kill_at(hold("POST", LIST, AFTER)).await?;
    let fault = case.fault(hold("GET", PROJECT, AFTER)).await?;
    case.kill_held(&fault).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_a_duplicate_is_removed() -> Result<()> {
    let case = Case::new("kill-duplicate").await?;
    for _ in 0..2 {
        case.neon.make_project(json!({ "name": case.project })).await?;
    }
    case.begin_and_kill_at(hold("DELETE", PROJECT, AFTER)).await?;
    case.ends_well_after(2).await
}

#[tokio::test]
async fn killed_while_it_adopts_a_project() -> Result<()> {
    let case = Case::new("kill-adopt").await?;
    let region = json!({ "name": "left behind", "region_id": "aws-us-east-1" });
    let id = case.neon.make_project(region).await?;
    case.annotate(TENANT, "tenantry.dev/adopt-project", Some(&id)).await?;
    let fault = case.neon.fault(&id, hold("PATCH", PROJECT, AFTER)).await?;
    case.begin().await?;
    case.kill_held(&fault).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.id().await? == id);
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_operations_are_polled() -> Result<()> {
    let case = Case::new("kill-poll").await?;
    case.begin_and_kill_at(hold("GET", OPERATIONS, BEFORE)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_the_connection_is_asked_for() -> Result<()> {
    let case = Case::new("kill-uri").await?;
    case.begin_and_kill_at(hold("GET", URI, AFTER)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_while_it_logs_in_to_migrate() -> Result<()> {
    let case = Case::new("kill-login").await?;
    case.begin_and_kill_at(direct(json!({ "type": "hold" }))).await?;
    case.ends_well().await
}
