//! Operations of Neon that take long, fail, never end, or are of a kind that nobody knows. In: rules about the operations of
//! the creation. Out: the tenant waits, or says what failed, and goes on once they are done.

use acceptance::TestOperator;
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::creation_operations;

async fn with_operations(name: &str, fault: Value) -> Result<Case> {
    let case = Case::with(TestOperator::named(name).resync(1.0)).await?;
    case.fault(creation_operations(fault)).await?;
    case.begin().await?;
    Ok(case)
}

/// Ends the operation that starts the compute, as if Neon had made it good.
async fn make_good(case: &Case) -> Result<()> {
    let (id, api) = (case.standing_id().await?, case.world.stack().neon_api_url());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.get(format!("{api}/projects/{id}/operations"));
    let reply = request.bearer_auth(case.world.stack().neon_api_key()).send().await?;
    let listed: Value = serde_json::from_slice(&reply.bytes().await?)?;
    for operation in listed["operations"].as_array().context("operations")? {
        let path = format!("/operations/{}", operation["id"].as_str().context("id")?);
        case.neon.control(Method::POST, &path, Some(json!({ "outcome": "finished" }))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn slow_operations() -> Result<()> {
    let case = with_operations("op-slow", json!({ "millis": 4000 })).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "OperationsRunning").await?;
    case.ends_well().await
}

#[tokio::test]
async fn an_operation_that_fails() -> Result<()> {
    let fault = json!({ "only": "start_compute", "outcome": "failed", "error": "no room" });
    let case = with_operations("op-failed", fault).await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", "OperationFailed").await?;
    anyhow::ensure!(told.message.contains("start_compute: no room"), "{}", told.message);
    make_good(&case).await?;
    case.ends_well().await
}

#[tokio::test]
async fn an_operation_that_never_ends() -> Result<()> {
    let case = with_operations("op-stuck", json!({ "outcome": "stuck" })).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "OperationsRunning").await?;
    make_good(&case).await?;
    case.ends_well().await
}

#[tokio::test]
async fn an_operation_of_an_unknown_kind() -> Result<()> {
    let case = with_operations("op-unknown", json!({ "action": "polish_pageserver" })).await?;
    case.ends_well().await
}

#[tokio::test]
async fn an_operation_in_an_unknown_state() -> Result<()> {
    let case = with_operations("op-state", json!({ "status": "pondering" })).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "OperationsRunning").await?;
    make_good(&case).await?;
    case.ends_well().await
}
