//! New migrations on tenants that are there: a good one, one that is held up, a broken one, one from the future.
//!
//! In: a folder of migrations in place of the built-in ones, as a later release would have it. Out: every tenant at the
//! newest version, none of them unusable for a moment.

use std::path::{Path, PathBuf};

use acceptance::{TestOperator, condition, summary};
use anyhow::{Context, Result, ensure};
use crds::VectorTenant;
use kube::ResourceExt;
use serde_json::json;
use sqlx::Executor as _;

use super::fleet::apply_many;
use super::lifecycle::newest_migration;

/// The built-in migrations and further ones; the folder, and the newest version.
fn folder(t: &TestOperator, name: &str, further: &[&str]) -> Result<(PathBuf, i64)> {
    let folder = t.folder()?.join(name);
    std::fs::create_dir_all(&folder)?;
    for file in std::fs::read_dir(stack::paths::checkout().join("tenant_migrations"))? {
        let file = file?;
        std::fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let mut version = newest_migration()?.context("no migration")?;
    for sql in further {
        version += 1;
        std::fs::write(folder.join(format!("{version:04}_further.sql")), sql)?;
    }
    Ok((folder, version))
}

async fn restart_with(t: &TestOperator, folder: &Path) -> Result<()> {
    t.set_flag("--tenant-migrations", folder);
    t.restart().await
}

fn at(tenant: &VectorTenant, version: i64) -> bool {
    tenant.status.as_ref().and_then(|status| status.schema_version) == Some(version)
}

/// Since when the tenant is Ready; it moves when Ready was false in between.
fn ready_since(tenant: &VectorTenant) -> Result<(String, String)> {
    let ready = condition(tenant, "Ready")?;
    ensure!(ready.status == "True", "{}: {}", tenant.name_any(), summary(tenant));
    Ok((tenant.name_any(), ready.last_transition_time.0.to_string()))
}

#[tokio::test]
async fn a_new_migration_reaches_fifty_tenants_past_a_locked_one() -> Result<()> {
    let t = TestOperator::named("migrate-fifty").start().await?;
    apply_many(&t, 50, &json!({"vector": {"dimensions": 8}})).await?;
    let before: Vec<_> =
        t.wait_all_ready(50).await?.iter().map(ready_since).collect::<Result<_>>()?;
    let locked = "tenant-7";
    let mut session = t.binding(locked).await?.connect().await?;
    session.execute("begin; lock table embeddings in access exclusive mode").await?;

    let (folder, version) = folder(&t, "next", &["alter table embeddings add column note text"])?;
    t.set_flag("--migration-lock-seconds", "0.5");
    restart_with(&t, &folder).await?;
    let blocked = t.wait_condition(locked, "SchemaReady", "False", "MigrationBlocked").await?;
    ensure!(blocked.message.contains("lock"), "{}", blocked.message);
    t.until("the other 49 have the new schema", Some(locked), async || {
        let done = t.list().await?.iter().filter(|tenant| at(tenant, version)).count();
        ensure!(done == 49, "{done} have");
        Ok(())
    })
    .await?;
    let tenant = t.tenant(locked).await?;
    for (kind, status) in [("Ready", "True"), ("Reconciling", "True"), ("Stalled", "False")] {
        assert_eq!(condition(&tenant, kind)?.status, status, "{}", summary(&tenant));
    }
    t.wait_event(locked, "MigrationBlocked").await?;
    // It is not given up: it follows as soon as the lock goes.
    session.execute("rollback").await?;
    let after = t.wait_all_ready(50).await?;
    ensure!(after.iter().all(|tenant| at(tenant, version)));
    let after: Vec<_> = after.iter().map(ready_since).collect::<Result<_>>()?;
    assert_eq!(before, after, "a tenant was not Ready for a while");
    let sql = "select note from embeddings";
    t.binding(locked).await?.connect().await?.execute(sql).await?;
    Ok(())
}

#[tokio::test]
async fn a_migration_that_takes_its_time_is_told_while_it_runs() -> Result<()> {
    let t = TestOperator::named("migrate-slow").start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let before = ready_since(&t.wait_ready("acme").await?)?;
    let mut session = t.binding("acme").await?.connect().await?;
    session.execute("begin; lock table embeddings in access exclusive mode").await?;
    let (folder, version) = folder(&t, "next", &["alter table embeddings add column note text"])?;
    t.set_flag("--migration-lock-seconds", "60");
    restart_with(&t, &folder).await?;
    t.wait_condition("acme", "SchemaReady", "False", "Migrating").await?;
    t.wait_condition("acme", "Reconciling", "True", "Migrating").await?;
    assert_eq!(ready_since(&t.tenant("acme").await?)?, before, "it can be used meanwhile");
    session.execute("rollback").await?;
    t.wait_condition("acme", "Reconciling", "False", "Settled").await?;
    let tenant = t.tenant("acme").await?;
    ensure!(at(&tenant, version), "{}", summary(&tenant));
    assert_eq!(ready_since(&tenant)?, before);
    Ok(())
}

#[tokio::test]
async fn a_broken_migration_stalls_and_takes_nothing_away() -> Result<()> {
    let t = TestOperator::named("migrate-broken").resync(1.0).start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let before = ready_since(&t.wait_ready("acme").await?)?;
    let good = "alter table embeddings add column note text";
    let (broken, version) = folder(&t, "broken", &[good, "alter table nowhere add column x int"])?;
    restart_with(&t, &broken).await?;
    let stalled = t.wait_condition("acme", "Stalled", "True", "MigrationFailed").await?;
    ensure!(stalled.message.contains("nowhere"), "{}", stalled.message);
    t.wait_condition("acme", "SchemaReady", "False", "MigrationFailed").await?;
    t.wait_event("acme", "MigrationFailed").await?;
    let tenant = t.tenant("acme").await?;
    assert_eq!(ready_since(&tenant)?, before);
    assert_eq!(condition(&tenant, "Reconciling")?.status, "False");
    t.binding("acme").await?.connect().await?.execute("select 1 from embeddings").await?;
    // A new tenant cannot be made with it, and is not Ready.
    t.apply("new", json!({"vector": {"dimensions": 8}})).await?;
    t.wait_condition("new", "Ready", "False", "MigrationFailed").await?;

    let (mended, _) = folder(&t, "mended", &[good, "alter table embeddings add column x int"])?;
    restart_with(&t, &mended).await?;
    for tenant in t.wait_all_ready(2).await? {
        ensure!(at(&tenant, version), "{}", summary(&tenant));
    }
    assert_eq!(ready_since(&t.tenant("acme").await?)?, before);
    Ok(())
}

#[tokio::test]
async fn a_schema_from_the_future_is_left_alone() -> Result<()> {
    let t = TestOperator::named("migrate-future").idle().start().await?;
    let (future, version) = folder(&t, "future", &["create table future (id int)"])?;
    t.set_flag("--tenant-migrations", &future);
    t.begin().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let before = ready_since(&t.wait_ready("acme").await?)?;
    let (present, _) = folder(&t, "present", &[])?;
    restart_with(&t, &present).await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}, "suspendTimeoutSeconds": 600})).await?;
    let tenant = t.wait_ready("acme").await?;
    ensure!(at(&tenant, version), "{}", summary(&tenant));
    assert_eq!(ready_since(&tenant)?, before);
    t.binding("acme").await?.connect().await?.execute("select id from future").await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_migration_is_a_mismatch_and_takes_nothing_away() -> Result<()> {
    let t = TestOperator::named("migrate-changed").start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let before = ready_since(&t.wait_ready("acme").await?)?;
    let (changed, version) = folder(&t, "changed", &["select 1"])?;
    let first = changed.join("0001_embeddings.sql");
    std::fs::write(&first, std::fs::read_to_string(&first)? + "\n-- changed\n")?;
    restart_with(&t, &changed).await?;
    let stalled = t.wait_condition("acme", "Stalled", "True", "SchemaMismatch").await?;
    ensure!(!stalled.message.is_empty());
    let tenant = t.tenant("acme").await?;
    assert_eq!(ready_since(&tenant)?, before);
    ensure!(!at(&tenant, version));
    Ok(())
}
