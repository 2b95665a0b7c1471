//! What only a person can put right: a revoked key, a full plan, a missing organization. In: such answers. Out: Stalled with a
//! reason, no hot loop, and on it goes once it is put right.

use acceptance::{PATIENCE, TestOperator, condition, wait_until};
use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::{BEFORE, LIST, URI, rule, says};

/// The creation is refused in these words, until the rule ends; it is asked for once.
async fn refused(name: &str, answer: Value, reason: &str, words: &str) -> Result<()> {
    let case = Case::new(name).await?;
    let refusal = case.fault(rule("POST", LIST, BEFORE, answer)).await?;
    case.begin().await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", reason).await?;
    ensure!(told.message.contains(words), "{}", told.message);
    case.wait_event(TENANT, reason).await?;
    // Another tenant's whole way is time enough for a hot loop.
    case.apply("other", json!({})).await?;
    case.wait_ready("other").await?;
    let hits = refusal.hits().await?;
    ensure!(hits == 1, "asked {hits} times");
    case.delete("other").await?;
    case.wait_gone("other").await?;
    refusal.release().await?;
    case.resize("1").await?;
    case.wait_ready(TENANT).await?;
    case.ends_well_after(2).await
}

#[tokio::test]
async fn the_plans_limit_of_projects() -> Result<()> {
    let limit = says(422, "PROJECTS_LIMIT_EXCEEDED", "projects limit exceeded");
    refused("limit", limit, "NeonLimitReached", "Raise the plan's limit").await
}

#[tokio::test]
async fn a_missing_organization() -> Result<()> {
    let words = "org_id is required, you can find it on your organization settings page";
    refused("org", says(400, "", words), "NeonRefused", "org_id is required").await
}

#[tokio::test]
async fn a_key_that_may_not_create() -> Result<()> {
    let words = "access denied";
    refused("forbidden", says(403, "", words), "NeonUnauthorized", words).await
}

#[tokio::test]
async fn a_region_that_neon_does_not_have() -> Result<()> {
    let t = TestOperator::start("region").await?;
    t.apply("far", json!({ "region": "aws-mars-1" })).await?;
    let told = t.wait_condition("far", "Stalled", "True", "NeonRefused").await?;
    ensure!(told.message.contains("aws-mars-1"), "{}", told.message);
    ensure!(told.message.contains("such as region, needs a new object"), "{}", told.message);
    // Nothing was made, and its region cannot be changed: it goes away without leaving anything.
    t.delete("far").await?;
    t.wait_gone("far").await
}

#[tokio::test]
async fn a_uri_that_neon_does_not_give() -> Result<()> {
    let case = Case::new("uri-refused").await?;
    let words = "storing passwords is disabled";
    let refusal = case.fault(rule("GET", URI, BEFORE, says(412, "", words))).await?;
    case.begin().await?;
    let told = case.wait_condition(TENANT, "Stalled", "True", "NeonRefused").await?;
    ensure!(told.message.contains(words), "{}", told.message);
    refusal.release().await?;
    case.resize("1").await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_revoked_key() -> Result<()> {
    let key = format!("napi_{}", stack::paths::random_hex(16)?);
    let setup = TestOperator::named("revoked").env("NEON_API_KEY", &key);
    let case = Case::with(setup).await?;
    let set = async |good: bool| {
        let body = json!({ "key": key, "good": good });
        case.neon.control(Method::POST, "/keys", Some(body)).await
    };
    set(true).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    wait_readyz(&case, 200).await?;
    set(false).await?;
    case.resize("1").await?;
    case.wait_condition(TENANT, "Stalled", "True", "NeonUnauthorized").await?;
    let ready = condition(&case.tenant(TENANT).await?, "Ready")?;
    ensure!(ready.status == "True", "its database can be used without the key");
    case.restart().await?;
    wait_readyz(&case, 503).await?;
    // Before Neon has said so, the operator may be unready for another reason.
    wait_until("the metric says that the key is refused", PATIENCE, async || {
        let accepted = case.metric("tenantry_neon_key_accepted").await?;
        ensure!(accepted == 0.0, "{accepted}");
        Ok(())
    })
    .await?;
    case.wait_condition(TENANT, "Stalled", "True", "NeonUnauthorized").await?;
    set(true).await?;
    wait_readyz(&case, 200).await?;
    case.resize("2").await?;
    case.ends_well().await?;
    set(false).await.map(drop)
}

async fn wait_readyz(case: &Case, wanted: u16) -> Result<()> {
    wait_until(&format!("/readyz answers {wanted}"), PATIENCE, async || {
        let (status, text) = case.page("/readyz").await?;
        ensure!(status == wanted, "{status}: {text}");
        Ok(())
    })
    .await
}
