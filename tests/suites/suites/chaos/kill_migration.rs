//! SIGKILL in the middle of a migration. In: a migration that waits for a lock which the test holds. Out: what it had begun
//! is undone, and the restarted operator applies it once.

use std::str::FromStr;

use acceptance::{PATIENCE, TestOperator, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::case::{Case, TENANT};
use super::rules::direct;

const SLOW: &str = "create table marks (made timestamptz not null default now());
insert into marks default values;
select pg_advisory_xact_lock(4711);
";

/// A session of the administrator in the tenant's own database.
async fn administrator(case: &Case, project: &str) -> Result<PgConnection> {
    let project = case.neon.project(project).await?;
    let database = &project["branches"][0]["databases"][0]["physical"];
    let database = database.as_str().context("the database's own name")?;
    let options = PgConnectOptions::from_str(case.world.stack().postgres_url())?.database(database);
    Ok(options.disable_statement_logging().connect().await?)
}

#[tokio::test]
async fn killed_in_the_middle_of_a_migration() -> Result<()> {
    let setup = TestOperator::named("kill-migration").flag("--migration-lock-seconds", "60");
    let case = Case::with(setup).await?;
    let folder = case.folder()?;
    std::fs::write(folder.join("0001_slow.sql"), SLOW)?;
    case.set_flag("--tenant-migrations", &folder);
    let login = case.fault(direct(json!({ "type": "hold" }))).await?;
    case.begin().await?;
    login.wait_held(1).await?;
    let mut session = administrator(&case, &case.standing_id().await?).await?;
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut session).await?;
    login.release().await?;
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 \
        and not granted";
    wait_until("the migration waits", PATIENCE, async || {
        let (waiting,): (i64,) = sqlx::query_as(waits).fetch_one(&mut session).await?;
        ensure!(waiting == 1);
        Ok(())
    })
    .await?;
    case.kill9();
    case.begin().await?;
    sqlx::query("select pg_advisory_unlock(4711)").execute(&mut session).await?;
    case.wait_ready(TENANT).await?;
    let (marks,): (i64,) =
        sqlx::query_as("select count(*) from marks").fetch_one(&mut session).await?;
    ensure!(marks == 1, "it was applied {marks} times");
    case.assert_one_project_each().await?;
    case.delete(TENANT).await?;
    case.ends_gone().await
}
