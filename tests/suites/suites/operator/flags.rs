//! What the operator is told when it starts: good flags that change what it does, bad ones that it names.

use std::process::Command;

use acceptance::{PATIENCE, TestOperator, run, uid};
use anyhow::{Context, Result, ensure};
use operator::naming::{ClusterId, project_name};
use serde_json::json;

#[tokio::test]
async fn the_databases_certificate_is_checked_unless_told_otherwise() -> Result<()> {
    let setup = TestOperator::named("unknown-ca").without_flag("--tenant-db-ca-file");
    let t = setup.start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let ready = t.wait_condition("acme", "Ready", "False", "DatabaseUnavailable").await?;
    ensure!(ready.message.to_lowercase().contains("certificate"), "{}", ready.message);
    ensure!(t.secrets().get_opt("acme-postgres").await?.is_none(), "a Secret was written");
    t.set_flag("--tenant-db-ssl-mode", "require");
    t.restart().await?;
    t.wait_ready("acme").await?;
    t.assert_one_project_each().await
}

#[tokio::test]
async fn a_cluster_that_was_rebuilt_keeps_its_projects_by_its_id() -> Result<()> {
    let t = TestOperator::named("cluster-id").flag("--cluster-id", "prod-eu").start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let tenant = t.wait_ready("acme").await?;
    let expected = project_name(&ClusterId::new("prod-eu"), &uid(&tenant));
    assert_ne!(expected, t.world.project_name(&uid(&tenant)));
    assert_eq!(tenant.status.and_then(|status| status.project_name), Some(expected));
    t.delete("acme").await?;
    t.wait_gone("acme").await
}

/// A command that must fail, and say so about a flag.
async fn complains(command: Command, flag: &str) -> Result<()> {
    // It might run for ever if it did not fail.
    let ended = tokio::time::timeout(PATIENCE, run(command)).await;
    let ended = ended.with_context(|| format!("{flag}: it runs on"))??;
    ensure!(ended.code.is_some_and(|code| code != 0), "{flag}: {ended:?}");
    ensure!(ended.error.contains(flag), "{flag} is not named: {}", ended.error);
    Ok(())
}

#[tokio::test]
async fn bad_flags_are_named() -> Result<()> {
    let t = TestOperator::named("bad-flags").start().await?;
    let busy = std::net::TcpListener::bind("127.0.0.1:0")?;
    let busy = busy.local_addr()?.to_string();
    for (flag, value) in [
        ("--resync-seconds", "0"),
        ("--create-grace-seconds", "soon"),
        ("--concurrency", "0"),
        ("--tenant-db-ssl-mode", "disable"),
        ("--neon-api-url", "not a url"),
        ("--neon-api-key-file", "/nowhere/key"),
        ("--log-format", "xml"),
        ("--log-filter", "operator=loudly"),
        ("--tenant-db-ca-file", "/nowhere/ca.pem"),
        ("--tenant-migrations", "/nowhere"),
        ("--kubeconfig", "/nowhere/kubeconfig"),
        ("--listen", "everywhere"),
        ("--listen", &busy),
    ] {
        let mut command = bare(&t)?;
        if flag != "--neon-api-key-file" {
            command.env("NEON_API_KEY", "napi_any");
        }
        command.args([flag, value]);
        complains(command, flag).await?;
    }
    complains(bare(&t)?, "--neon-api-key").await
}

/// An operator that is told nothing but the cluster, and by its environment.
fn bare(t: &TestOperator) -> Result<Command> {
    let mut command = Command::new(stack::binary("tenantry-operator")?);
    command.env("KUBECONFIG", t.world.stack().operator_kubeconfig());
    command.env("TENANTRY_LISTEN", "127.0.0.1:0").env("RUST_BACKTRACE", "0");
    command.env_remove("NEON_API_KEY");
    Ok(command)
}

#[tokio::test]
async fn migrations_that_would_be_passed_over_or_collide_are_named() -> Result<()> {
    let t = TestOperator::named("bad-migrations").idle().start().await?;
    for (case, files, words) in [
        ("misnamed", ["0001_one.sql", "orders.sql"], "orders.sql"),
        ("loud", ["0001_one.sql", "0002_two.SQL"], "0002_two.SQL"),
        ("twice", ["1000_orders.sql", "1000_again.sql"], "number 1000"),
        ("worded", ["0001_one.sql", "two_three.sql"], "two_three.sql"),
    ] {
        let folder = t.folder()?.join(case);
        std::fs::create_dir_all(&folder)?;
        for file in files {
            std::fs::write(folder.join(file), "select 1;")?;
        }
        t.set_flag("--tenant-migrations", &folder);
        let ended = tokio::time::timeout(PATIENCE, run(t.command()?)).await??;
        ensure!(ended.code == Some(1), "{case}: {ended:?}");
        for part in ["--tenant-migrations", words] {
            ensure!(ended.error.contains(part), "{case}: {part} is not named: {}", ended.error);
        }
    }
    Ok(())
}
