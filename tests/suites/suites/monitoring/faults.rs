//! Faults as the metrics tell them: what an alert is built on moves when the fault is there, and goes back when it is over.

use std::time::{Duration, Instant};

use acceptance::{ChatModel, PATIENCE, Play, TestApp, TestOperator, pdf, run, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::json;

/// The value of a sample of the app, named with its labels; none where there is no such line.
async fn sample(app: &TestApp, name: &str) -> Result<Option<f64>> {
    let (status, text) = app.admin("/metrics").await?;
    ensure!(status == 200, "{status} {text}");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map(|value| Ok(value.parse()?)).transpose()
}

/// Waits until a sample of the app fulfils this.
async fn until(app: &TestApp, name: &str, is: impl Fn(f64) -> bool) -> Result<()> {
    wait_until(name, PATIENCE, async || {
        let value = sample(app, name).await?.with_context(|| format!("no {name}"))?;
        ensure!(is(value), "it is {value}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_chat_model_that_refuses_or_hangs_is_counted_as_such() -> Result<()> {
    let model = ChatModel::start().await?;
    let app = model.behind(TestApp::named("mon-model")).env("CHAT_SECONDS", "3").start().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("lynx.pdf", pdf(&["A lynx hunts at night."])).await?;
    app.wait_stage(&id, "ready").await?;
    let calls = |outcome: &str| {
        format!("tenantry_app_model_calls_total{{model=\"chat\",outcome=\"{outcome}\"}}")
    };
    for (chat, outcome, play) in [
        ("c1", "ok", Play::answer(&["At night [1]."])),
        ("c2", "refused", Play::Refuse(401, None)),
        ("c3", "unavailable", Play::Refuse(503, None)),
        ("c4", "unavailable", Play::Ignore),
    ] {
        let name = calls(outcome);
        let before = sample(&app, &name).await?.with_context(|| format!("no {name}"))?;
        model.plays(play);
        ada.ask(chat, "Which animal hunts at night?").await?;
        until(&app, &name, |count| count > before).await?;
    }
    // That is for those who went away, and nobody did.
    ensure!(sample(&app, &calls("abandoned")).await? == Some(0.0), "a time-out was abandoned");
    Ok(())
}

#[tokio::test]
async fn a_main_database_that_is_away_is_told_and_holds_up_no_scrape() -> Result<()> {
    let app = TestApp::start("mon-database").await?;
    let name = app.db.connect_options().get_database().context("a name")?.to_owned();
    until(&app, "tenantry_app_database_up", |up| up == 1.0).await?;
    let stack = app.operator.world.stack();
    let allow = async |allowed: bool| {
        let mut psql = stack.psql();
        let set = format!("alter database {name} allow_connections {allowed}");
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        );
        psql.arg(stack.postgres_url()).args(["-c", &set, "-c", &end]);
        run(psql).await?.success().map(drop)
    };
    allow(false).await?;
    // Each of these scrapes is timed: one of them asks the database that is away, later ones answer from memory.
    let mut longest = Duration::ZERO;
    wait_until("the database is said to be away", PATIENCE, async || {
        let started = Instant::now();
        let up = sample(&app, "tenantry_app_database_up").await?;
        longest = longest.max(started.elapsed());
        ensure!(up == Some(0.0), "it is {up:?}");
        Ok(())
    })
    .await?;
    ensure!(longest < Duration::from_secs(5), "a scrape took {longest:?}");
    allow(true).await?;
    until(&app, "tenantry_app_database_up", |up| up == 1.0).await
}

#[tokio::test]
async fn a_document_that_waits_for_its_database_is_in_the_queue() -> Result<()> {
    let app = TestApp::start("mon-queue").await?;
    app.operator.kill9();
    let ada = app.person("Ada").await?;
    until(&app, "tenantry_app_tenants{phase=\"preparing\"}", |count| count == 1.0).await?;
    let id = ada.uploaded("lynx.pdf", pdf(&["A lynx hunts at night."])).await?;
    until(&app, "tenantry_app_jobs{kind=\"ingest\",state=\"waiting\"}", |count| count == 1.0)
        .await?;
    let oldest = "tenantry_app_oldest_waiting_job_seconds{kind=\"ingest\"}";
    until(&app, oldest, |age| age > 1.0).await?;
    app.operator.begin().await?;
    app.wait_stage(&id, "ready").await?;
    until(&app, oldest, |age| age == 0.0).await?;
    until(&app, "tenantry_app_tenants{phase=\"ready\"}", |count| count == 1.0).await?;
    let waited = sample(&app, "tenantry_app_ingest_stage_seconds_sum{stage=\"waiting\"}").await?;
    ensure!(waited.is_some_and(|seconds| seconds > 1.0), "{waited:?}");
    Ok(())
}

#[tokio::test]
async fn a_broken_migration_is_counted_and_its_tenant_is_stalled() -> Result<()> {
    let t = TestOperator::named("mon-migration").idle().start().await?;
    let folder = t.folder()?.join("migrations");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("0001_broken.sql"), "select * from nothing_of_that_name")?;
    t.set_flag("--tenant-migrations", &folder);
    t.begin().await?;
    t.apply("acme", json!({})).await?;
    t.wait_condition("acme", "Stalled", "True", "MigrationFailed").await?;
    for name in [
        "tenantry_migration_failures_total{reason=\"migration_failed\"}",
        "tenantry_tenants_stalled{reason=\"MigrationFailed\"}",
    ] {
        t.until(name, None, async || {
            let value = t.metric(name).await?;
            ensure!(value >= 1.0, "it is {value}");
            Ok(())
        })
        .await?;
    }
    let other = "tenantry_migration_failures_total{reason=\"migration_locked\"}";
    ensure!(t.metrics().await?.contains(&format!("{other} 0")), "{other} does not begin at 0");
    // Who needs a person is not waited for.
    ensure!(t.metric("tenantry_oldest_unready_seconds").await? == 0.0);
    Ok(())
}
