//! The way to the tenant's database: slow, refused, cut, denied, asleep, disabled. In: rules about its connections. Out: the
//! tenant is Reconciling as long as it lasts, and each migration is applied once.

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::case::{Case, TENANT, span, times};
use super::rules::{BEFORE, URI, direct, first, hold};

async fn meets(name: &str, action: Value, times: u64) -> Result<()> {
    let case = Case::new(name).await?;
    let fault = case.fault(first(times, direct(action))).await?;
    case.begin().await?;
    case.ends_well().await?;
    ensure!(fault.hits().await? == times);
    Ok(())
}

#[tokio::test]
async fn a_cold_start() -> Result<()> {
    meets("cold-start", json!({ "type": "delay", "millis": 3000 }), 1).await
}

#[tokio::test]
async fn connections_are_refused_twice() -> Result<()> {
    meets("refused", json!({ "type": "refuse" }), 2).await
}

#[tokio::test]
async fn a_log_in_is_cut() -> Result<()> {
    meets("cut-login", json!({ "type": "cut", "millis": 0 }), 1).await
}

#[tokio::test]
async fn neons_proxy_cannot_reach_the_compute() -> Result<()> {
    let words = "Couldn't connect to compute node";
    meets("proxy-words", json!({ "type": "deny", "message": words }), 1).await
}

#[tokio::test]
async fn a_password_that_does_not_count_yet() -> Result<()> {
    let words = "password authentication failed for user 'neondb_owner'";
    meets("password-early", json!({ "type": "deny", "message": words, "code": "28P01" }), 1).await
}

#[tokio::test]
async fn a_compute_that_never_answers() -> Result<()> {
    let setup = TestOperator::named("silent-compute").flag("--tenant-db-connect-seconds", "1");
    let case = Case::with(setup).await?;
    let fault = case.fault(direct(json!({ "type": "hang" }))).await?;
    case.begin().await?;
    case.wait_condition(TENANT, "Reconciling", "True", "DatabaseUnavailable").await?;
    fault.wait_hits(3).await?;
    let times = times(&fault).await?;
    ensure!(span(&times[..3]).as_secs() >= 2, "{times:?}");
    fault.release().await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_migration() -> Result<()> {
    let case = Case::new("cut-migration").await?;
    let folder = case.folder()?;
    let slow = "create table marks (made timestamptz not null default now());
        insert into marks default values;
        select pg_sleep(2);";
    std::fs::write(folder.join("0001_slow.sql"), slow)?;
    case.set_flag("--tenant-migrations", &folder);
    let cut = case.fault(first(1, direct(json!({ "type": "cut", "millis": 1000 })))).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    ensure!(cut.hits().await? == 1);
    let mut session = case.binding(TENANT).await?.connect().await?;
    let (marks,): (i64,) =
        sqlx::query_as("select count(*) from marks").fetch_one(&mut session).await?;
    ensure!(marks == 1, "it was applied {marks} times");
    case.delete(TENANT).await?;
    case.ends_gone().await
}

/// Something is done to the endpoint just before the operator asks for the connection.
async fn before_it_connects(case: &Case, act: &str) -> Result<String> {
    let uri = case.fault(hold("GET", URI, BEFORE)).await?;
    case.begin().await?;
    uri.wait_held(1).await?;
    let project = case.standing_id().await?;
    let endpoint = case.neon.endpoint(&project).await?.endpoint_id;
    case.neon.on_endpoint(&endpoint, act).await?;
    uri.release().await?;
    Ok(endpoint)
}

#[tokio::test]
async fn a_compute_that_fell_asleep_is_woken_by_the_migration() -> Result<()> {
    let case = Case::new("asleep").await?;
    before_it_connects(&case, "suspend").await?;
    case.wait_ready(TENANT).await?;
    ensure!(case.neon.endpoint(&case.id().await?).await?.wakes == 1);
    case.ends_well().await
}

#[tokio::test]
async fn a_disabled_endpoint() -> Result<()> {
    let case = Case::new("disabled").await?;
    let endpoint = before_it_connects(&case, "disable").await?;
    let told = case.wait_condition(TENANT, "Reconciling", "True", "DatabaseUnavailable").await?;
    ensure!(told.message.contains("endpoint is disabled"), "{}", told.message);
    case.neon.on_endpoint(&endpoint, "enable").await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() -> Result<()> {
    let case = Case::new("not-listening").await?;
    let endpoint = before_it_connects(&case, "refuse").await?;
    case.wait_condition(TENANT, "Reconciling", "True", "DatabaseUnavailable").await?;
    case.neon.on_endpoint(&endpoint, "accept").await?;
    case.ends_well().await
}
