//! A creation whose reply is lost, the operator being alive: errors after the commit, silence, a broken connection, half a
//! reply, a commit long after the client gave up. In: each of them once. Out: the project is found again, and is the only one.

use acceptance::{PATIENCE, TestOperator, wait_until};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, answer, count, first, html, rule};

/// The first creation is committed, and its reply is this.
async fn lost(name: &str, action: Value) -> Result<()> {
    let case = Case::new(name).await?;
    let posts = case.fault(count("POST", LIST)).await?;
    case.fault(first(1, rule("POST", LIST, AFTER, action))).await?;
    case.begin().await?;
    case.ends_well().await?;
    ensure!(posts.hits().await? == 1, "it was asked for again");
    Ok(())
}

#[tokio::test]
async fn a_500_after_the_creation() -> Result<()> {
    lost("500-after", answer(500)).await
}

#[tokio::test]
async fn a_503_after_the_creation() -> Result<()> {
    // Neon's specification promises that a 503 did nothing; a gateway makes no such promise.
    lost("503-after", answer(503)).await
}

#[tokio::test]
async fn a_524_page_after_the_creation() -> Result<()> {
    lost("524-after", html(524)).await
}

#[tokio::test]
async fn a_reset_connection_after_the_creation() -> Result<()> {
    lost("reset-after", json!({ "type": "reset" })).await
}

#[tokio::test]
async fn half_a_reply_after_the_creation() -> Result<()> {
    lost("truncated-after", json!({ "type": "truncate" })).await
}

#[tokio::test]
async fn a_reply_without_its_last_byte() -> Result<()> {
    lost("unended-after", json!({ "type": "reply", "status": 201, "body": "{\"project\":{}" }))
        .await
}

#[tokio::test]
async fn silence_after_the_creation() -> Result<()> {
    let setup = TestOperator::named("hang-after").flag("--neon-timeout-seconds", "1");
    let case = Case::with(setup).await?;
    case.fault(first(1, rule("POST", LIST, AFTER, json!({ "type": "hang" })))).await?;
    case.begin().await?;
    case.ends_well().await
}

/// The commit comes 3 s after the request; the client hears an error at once, or nothing for a second.
async fn late(name: &str, status: Option<u16>) -> Result<()> {
    let setup = TestOperator::named(name).create_grace(20.0);
    let case = Case::with(setup.flag("--neon-timeout-seconds", "1")).await?;
    let looks = case.fault(count("GET", LIST)).await?;
    let posts = case.fault(count("POST", LIST)).await?;
    let mut action = json!({ "type": "late_commit", "millis": 3000 });
    if let Some(status) = status {
        action["status"] = json!(status);
    }
    case.fault(first(1, rule("POST", LIST, BEFORE, action))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "CreationUncertain").await?;
    wait_until("a look-up that finds nothing", PATIENCE, async || {
        ensure!(looks.hits().await? >= 2);
        Ok(())
    })
    .await?;
    case.ends_well().await?;
    ensure!(posts.hits().await? == 1, "it was asked for again");
    Ok(())
}

#[tokio::test]
async fn a_creation_that_takes_effect_after_the_client_gave_up() -> Result<()> {
    late("late-silence", None).await
}

#[tokio::test]
async fn a_creation_that_takes_effect_after_an_error() -> Result<()> {
    late("late-500", Some(500)).await
}
