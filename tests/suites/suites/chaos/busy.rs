//! Neon asks for patience: 429 in all its forms, 423, 503, 500 before anything happened. In: such answers, for a while or for
//! ever. Out: the operator waits as told, never in a hot loop, and goes on by itself.

use std::time::Duration;

use acceptance::{TestOperator, condition};
use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::case::{Case, TENANT, span, times};
use super::rules::{AFTER, BEFORE, LIST, PROJECT, answer, count, first, rule, says, with_header};

#[tokio::test]
async fn a_429_with_seconds() -> Result<()> {
    let case = Case::new("429-seconds").await?;
    let calls = case.fault(count("POST", LIST)).await?;
    let limit = with_header(429, "Retry-After", "2");
    case.fault(first(2, rule("POST", LIST, BEFORE, limit))).await?;
    case.begin().await?;
    case.ends_well().await?;
    let times = times(&calls).await?;
    ensure!(times.len() == 3, "{times:?}");
    ensure!(span(&times[..2]) >= Duration::from_secs(2), "{times:?}");
    ensure!(span(&times[1..]) >= Duration::from_secs(2), "{times:?}");
    Ok(())
}

#[tokio::test]
async fn a_429_with_a_date() -> Result<()> {
    let case = Case::new("429-date").await?;
    let calls = case.fault(count("POST", LIST)).await?;
    let date = Timestamp::now().checked_add(SignedDuration::from_secs(6))?;
    let text = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let limit = with_header(429, "Retry-After", &text);
    case.fault(first(1, rule("POST", LIST, BEFORE, limit))).await?;
    case.begin().await?;
    case.ends_well().await?;
    let times = times(&calls).await?;
    ensure!(times.len() == 2, "{times:?}");
    ensure!(times[1].as_second() >= date.as_second(), "{times:?}, not before {date}");
    Ok(())
}

#[tokio::test]
async fn a_429_without_a_word() -> Result<()> {
    let case = Case::new("429-bare").await?;
    let limit = case.fault(rule("POST", LIST, BEFORE, answer(429))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "NeonRateLimited").await?;
    limit.wait_hits(13).await?;
    let times = times(&limit).await?;
    // Four attempts a pass, and the third pause between passes alone is longer.
    ensure!(span(&times[..13]) >= Duration::from_secs(1), "a hot loop: {times:?}");
    limit.release().await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_429_for_an_hour() -> Result<()> {
    let case = Case::new("429-hour").await?;
    let limit = with_header(429, "Retry-After", "3600");
    let limit = case.fault(rule("GET", LIST, BEFORE, limit)).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "NeonRateLimited").await?;
    // A second tenant on its way to Ready is time enough for a hot loop.
    case.apply("other", json!({})).await?;
    case.wait_ready("other").await?;
    let hits = limit.hits().await?;
    ensure!(hits == 1, "{hits} calls in spite of Retry-After");
    limit.release().await?;
    case.resize("1").await?;
    case.wait_ready(TENANT).await?;
    case.delete("other").await?;
    case.wait_gone("other").await?;
    case.wait_ready(TENANT).await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_423_while_operations_run() -> Result<()> {
    let case = Case::ready(TestOperator::named("423-settings")).await?;
    let busy = case.fault(first(6, rule("PATCH", PROJECT, BEFORE, answer(423)))).await?;
    case.resize("1").await?;
    busy.wait_hits(5).await?;
    let ready = condition(&case.tenant(TENANT).await?, "Ready")?;
    ensure!(ready.status == "True", "its database can be used all the while");
    case.wait_ready(TENANT).await?;
    ensure!(busy.hits().await? == 6);
    case.ends_well().await
}

#[tokio::test]
async fn a_branch_that_is_not_ready_yet() -> Result<()> {
    let case = Case::new("422-not-ready").await?;
    let unready = says(422, "", "branch not ready yet");
    let path = "^/projects/[^/]+/connection_uri$";
    let unready = case.fault(first(5, rule("GET", path, BEFORE, unready))).await?;
    case.begin().await?;
    case.ends_well().await?;
    ensure!(unready.hits().await? == 5);
    Ok(())
}

#[tokio::test]
async fn a_503_before_the_creation() -> Result<()> {
    let case = Case::new("503-before").await?;
    case.fault(first(1, rule("POST", LIST, BEFORE, answer(503)))).await?;
    case.begin().await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_500_before_the_creation() -> Result<()> {
    let case = Case::new("500-before").await?;
    let calls = case.fault(count("*", LIST)).await?;
    case.fault(first(1, rule("POST", LIST, BEFORE, answer(500)))).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    let state = calls.state().await?;
    let log = state["log"].as_array().context("log")?;
    let methods: Vec<&str> = log.iter().filter_map(|call| call["method"].as_str()).collect();
    let posts: Vec<usize> = (0..methods.len()).filter(|at| methods[*at] == "POST").collect();
    ensure!(posts.len() == 2 && posts[1] > posts[0] + 1, "a look-up in between: {methods:?}");
    case.ends_well().await
}

#[tokio::test]
async fn neon_answers_503_to_everything_for_a_while() -> Result<()> {
    let case = Case::new("503-all").await?;
    let outage = case.fault(rule("*", "", BEFORE, answer(503))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "NeonUnavailable").await?;
    outage.wait_hits(13).await?;
    let times = times(&outage).await?;
    ensure!(span(&times[..13]) >= Duration::from_secs(1), "a hot loop: {times:?}");
    outage.release().await?;
    case.ends_well().await
}

#[tokio::test]
async fn neon_fails_at_random_before_and_after_each_call() -> Result<()> {
    let case = Case::new("flaky").await?;
    for (phase, status, seed) in [(BEFORE, 503, 11), (AFTER, 500, 12), (AFTER, 503, 13)] {
        let mut fault = rule("*", "", phase, answer(status));
        (fault["probability"], fault["seed"]) = (json!(0.2), json!(seed));
        case.fault(fault).await?;
    }
    case.begin().await?;
    case.ends_well().await
}
