//! Many tenants at once, and operators that come and go among them.
//!
//! In: crowds, a namespace that is deleted, a restart, a second operator. Out: one project for each tenant, counted in
//! the emulator's ledger, and none for those that are gone.

use acceptance::{Space, TestOperator, project_id, summary};
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

/// Applies tenants `tenant-0` and so on, all at once.
pub(super) async fn apply_many(space: &Space, count: usize, spec: &Value) -> Result<Vec<String>> {
    let names: Vec<String> = (0..count).map(|number| format!("tenant-{number}")).collect();
    try_join_all(names.iter().map(|name| space.apply(name, spec.clone()))).await?;
    Ok(names)
}

async fn delete_all(space: &Space) -> Result<()> {
    let (tenants, everything) = (space.tenants(), ListParams::default());
    tenants.delete_collection(&DeleteParams::default(), &everything).await?;
    space.wait_all_gone().await
}

#[tokio::test]
async fn a_hundred_tenants_come_at_once_and_go() -> Result<()> {
    let t = TestOperator::start("hundred").await?;
    apply_many(&t, 100, &json!({"vector": {"dimensions": 384}})).await?;
    let tenants = t.wait_all_ready(100).await?;
    t.assert_one_project_each().await?;
    let ledger = t.ledger().await?;
    assert_eq!(ledger.count("create"), 100);
    // Each Secret leads to a database of its own.
    let mut databases = std::collections::BTreeSet::new();
    for name in ["tenant-0", "tenant-42", "tenant-99"] {
        let mut session = t.binding(name).await?.connect().await?;
        let (database,): (String,) =
            sqlx::query_as("select current_database()::text").fetch_one(&mut session).await?;
        databases.insert(database);
    }
    assert_eq!(databases.len(), 3);
    assert_eq!(t.metric("tenantry_tenants{condition=\"Ready\",status=\"True\"}").await?, 100.0);
    assert_eq!(t.metric("tenantry_time_to_ready_seconds_count").await?, tenants.len() as f64);
    delete_all(&t).await?;
    let ledger = t.ledger().await?;
    ensure!(ledger.standing.is_empty(), "{} stand", ledger.standing.len());
    assert_eq!((ledger.count("create"), ledger.count("delete")), (100, 100));
    Ok(())
}

#[tokio::test]
async fn a_namespace_ends_with_its_tenants() -> Result<()> {
    let t = TestOperator::start("namespace-ends").await?;
    apply_many(&t, 8, &json!({"vector": {"dimensions": 8}})).await?;
    t.wait_all_ready(8).await?;
    // Some are still being made when the end begins.
    try_join_all((8..12).map(async |number| t.apply(&format!("tenant-{number}"), json!({})).await))
        .await?;
    let namespaces: Api<Namespace> = Api::all(t.client.clone());
    namespaces.delete(&t.namespace, &DeleteParams::default()).await?;
    t.until("the namespace is gone", None, async || {
        let left = namespaces.get_opt(&t.namespace).await?.and_then(|n| n.status);
        let tenants: Vec<String> = t.list().await?.iter().map(summary).collect();
        ensure!(left.is_none(), "{left:?}; {tenants:?}");
        Ok(())
    })
    .await?;
    let ledger = t.ledger().await?;
    ensure!(ledger.standing.is_empty(), "{:?}", ledger.standing);
    assert_eq!(ledger.count("create"), ledger.count("delete"));
    // The operator has taken no harm: Events cannot be written there, and that is all.
    let (status, text) = t.page("/readyz").await?;
    assert_eq!((status, text.as_str()), (200, "ok"));
    Ok(())
}

#[tokio::test]
async fn a_restart_in_the_middle_of_twenty_creations_harms_none() -> Result<()> {
    let t = TestOperator::start("restart").await?;
    apply_many(&t, 20, &json!({"vector": {"dimensions": 8}})).await?;
    t.until("some are made and some are not", None, async || {
        ensure!(t.ledger().await?.count("create") >= 5, "not yet");
        Ok(())
    })
    .await?;
    t.restart().await?;
    t.wait_all_ready(20).await?;
    t.assert_one_project_each().await?;
    assert_eq!(t.ledger().await?.count("create"), 20, "one was made twice");
    Ok(())
}

#[tokio::test]
async fn two_operators_at_once_make_one_project_each() -> Result<()> {
    // The grace is the time in which the one leaves the other's request alone: longer than any request here.
    let t = TestOperator::named("two-operators").create_grace(60.0).idle().start().await?;
    let both = [t.begin().await?, t.begin().await?];
    apply_many(&t, 20, &json!({"vector": {"dimensions": 8}})).await?;
    let tenants = t.wait_all_ready(20).await?;
    t.assert_one_project_each().await?;
    // Every migration once: a second attempt would have failed, and been told.
    for tenant in &tenants {
        let name = tenant.metadata.name.clone().unwrap_or_default();
        let mut session = t.binding(&name).await?.connect().await?;
        let sql = "select count(*), count(distinct version) from _sqlx_migrations where success";
        let (rows, versions): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut session).await?;
        let newest = super::lifecycle::newest_migration()?;
        assert_eq!((rows, Some(versions)), (versions, newest), "{name}");
    }
    let log = t.log_text();
    ensure!(!log.contains("MigrationFailed"), "{log}");
    ensure!(both.iter().all(|operator| operator.is_running()), "one of them ended");
    let ids: std::collections::BTreeSet<String> =
        tenants.iter().map(project_id).collect::<Result<_>>()?;
    assert_eq!(ids.len(), 20);
    delete_all(&t).await?;
    ensure!(t.ledger().await?.standing.is_empty());
    Ok(())
}

#[tokio::test]
async fn only_its_own_namespaces_are_served() -> Result<()> {
    let t = TestOperator::named("own-namespaces").namespaces(2).start().await?;
    let stranger = TestOperator::named("strangers").idle().start().await?;
    stranger.apply("acme", json!({})).await?;
    for space in &t.spaces {
        space.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    }
    for space in &t.spaces {
        space.wait_ready("acme").await?;
        space.assert_one_project_each().await?;
    }
    assert_eq!(stranger.status("acme").await?.observed_generation, Some(-1));
    ensure!(stranger.ledger().await?.entries.is_empty());
    Ok(())
}
