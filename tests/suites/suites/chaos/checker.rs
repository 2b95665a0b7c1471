//! The check for leaks can fail. In: worlds that do leak, made by the emulator: a look-up that is blind for longer than the
//! grace, a finalizer taken off by force. Out: the check names the duplicate, and the orphan. Without this, green kills
//! would prove nothing.

use acceptance::{PATIENCE, TestOperator, wait_until};
use anyhow::{Result, ensure};
use serde_json::json;

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, first, hold, rule};

/// What an account without any project answers.
fn nothing() -> serde_json::Value {
    let body = json!({ "projects": [], "applications": {}, "integrations": {} });
    json!({ "type": "reply", "status": 200, "body": body })
}

/// What the check says when it does not let pass.
async fn complaint(case: &Case) -> Result<String> {
    let check = case.assert_one_project_each().await;
    Ok(check.err().map(|error| error.to_string()).unwrap_or_default())
}

#[tokio::test]
async fn without_the_look_up_the_kill_test_turns_red() -> Result<()> {
    let case = Case::with(TestOperator::named("check-duplicate").create_grace(1.0)).await?;
    let blind = case.fault(rule("GET", LIST, BEFORE, nothing())).await?;
    // The very kill that `kill_create` survives.
    case.begin_and_kill_at(first(1, hold("POST", LIST, AFTER))).await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.commits("create").await? == 2, "a second project was made");
    let complaint = complaint(&case).await?;
    ensure!(complaint.contains("duplicates") && complaint.contains(&case.project), "{complaint}");
    // With its eyes open again, the operator leaves nothing behind all the same.
    blind.release().await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_project_without_a_tenant_is_found() -> Result<()> {
    let case = Case::ready(TestOperator::named("check-orphan")).await?;
    let id = case.id().await?;
    case.kill9();
    case.patch(TENANT, json!({"metadata": {"finalizers": null}})).await?;
    case.delete(TENANT).await?;
    case.wait_gone(TENANT).await?;
    let complaint = complaint(&case).await?;
    ensure!(complaint.contains("orphans") && complaint.contains(&id), "{complaint}");
    case.neon.on_project(&id, "delete", json!({})).await?;
    case.assert_one_project_each().await
}

#[tokio::test]
async fn a_creation_beyond_the_grace_makes_a_duplicate_that_goes_with_the_tenant() -> Result<()> {
    let setup = TestOperator::named("check-late").create_grace(1.0);
    let case = Case::with(setup.flag("--neon-timeout-seconds", "1")).await?;
    let late = json!({ "type": "late_commit", "millis": 8000, "status": 500 });
    case.fault(first(1, rule("POST", LIST, BEFORE, late))).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    wait_until("the late creation takes effect", PATIENCE, async || {
        ensure!(case.commits("create").await? == 2);
        Ok(())
    })
    .await?;
    let complaint = complaint(&case).await?;
    ensure!(complaint.contains("duplicates"), "{complaint}");
    case.delete(TENANT).await?;
    case.ends_gone().await
}
