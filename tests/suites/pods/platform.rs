//! What a platform team sees: pods that cannot do harm, tenants that come and go, an uninstall that loses nothing.

use std::fs;
use std::path::{Path, PathBuf};

use acceptance::{PATIENCE, project_id, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use sqlx::Connection as _;

use crate::installation::{Installation, RELEASE};

/// The kernel's word on the running processes, not the manifest's.
pub(crate) async fn confined(_: &Installation) -> Result<()> {
    for (program, count) in [("tenantry-operator", 2), ("tenantry-app", 2)] {
        let processes = processes(program)?;
        ensure!(processes.len() == count, "{} processes of {program}", processes.len());
        for process in processes {
            let status = fs::read_to_string(process.join("status"))?;
            let field = |name: &str| {
                let line =
                    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            assert_eq!(field("Uid:"), "65532 65532 65532 65532", "{program}");
            assert_eq!(field("Gid:"), "65532 65532 65532 65532", "{program}");
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
                assert_eq!(field(set), "0000000000000000", "{program} {set}");
            }
            assert_eq!(field("NoNewPrivs:"), "1", "{program}");
            assert_eq!(field("Seccomp:"), "2", "{program}: a filter");
            let root = process.join("root");
            let written = fs::write(root.join("written"), "x").map_err(|error| error.kind());
            assert_eq!(written, Err(std::io::ErrorKind::ReadOnlyFilesystem), "{program}");
            for shell in ["bin/sh", "bin/bash", "usr/bin/sh", "busybox"] {
                ensure!(!root.join(shell).exists(), "{program} has {shell}");
            }
        }
    }
    Ok(())
}

/// The folders in /proc of the processes of a program.
pub(crate) fn processes(program: &str) -> Result<Vec<PathBuf>> {
    let is_it = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let second = line.split(|byte| *byte == 0).nth(1).unwrap_or_default();
        Path::new(&*String::from_utf8_lossy(first)).file_name().is_some_and(|name| name == program)
            && second != b"extract"
    };
    let all = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
    Ok(all.filter(is_it).collect())
}

/// Applied, Ready, used, deleted, gone.
pub(crate) async fn comes_and_goes(it: &Installation) -> Result<()> {
    it.platform.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    it.platform.wait_ready("acme").await?;
    let table = it.platform.kubectl(&["get", "vt"]).await?.success()?;
    ensure!(table.lines().any(|line| line.starts_with("acme   True    Settled")), "{table}");
    let mut session = it.platform.binding("acme").await?.connect().await?;
    let (version,): (String,) =
        sqlx::query_as("select extversion from pg_extension where extname = 'vector'")
            .fetch_one(&mut session)
            .await?;
    ensure!(!version.is_empty());
    session.close().await?;
    let renamed = json!({"vector": {"dimensions": 8}, "secret": {"name": "elsewhere"}});
    it.platform.apply("acme", renamed).await?;
    it.platform.wait_ready("acme").await?;
    ensure!(
        it.platform.secrets().get_opt("acme-postgres").await?.is_none(),
        "the old Secret is still there"
    );
    it.platform.delete("acme").await?;
    it.platform.wait_gone("acme").await?;
    ensure!(it.platform.ledger().await?.standing.is_empty(), "its project stands");
    Ok(())
}

/// The definition, the tenants, their Secrets and their projects stay; installed again, the operator takes them back.
pub(crate) async fn uninstall_keeps(it: &Installation) -> Result<()> {
    it.platform.apply("stays", json!({"vector": {"dimensions": 8}})).await?;
    let before = it.platform.wait_ready("stays").await?;
    let mut helm = it.helm();
    helm.args(["uninstall", RELEASE, "--wait", "--timeout", "120s"]);
    acceptance::run(helm).await?.success()?;
    wait_until("all pods are gone", PATIENCE, async || {
        let left = processes("tenantry-operator")?.len() + processes("tenantry-app")?.len();
        ensure!(left == 0, "{left} processes");
        Ok(())
    })
    .await?;
    let after = it.platform.tenant("stays").await?;
    assert_eq!(after.metadata.uid, before.metadata.uid);
    let session =
        it.platform.binding("stays").await?.connect().await.context("without an operator")?;
    session.close().await?;
    it.kubectl(&["get", "crd/vectortenants.tenantry.dev", "namespace/tenants"]).await?;

    it.install().await?;
    let again = it.platform.wait_ready("stays").await?;
    assert_eq!(project_id(&again)?, project_id(&before)?);
    it.platform.assert_one_project_each().await?;
    it.platform.delete("stays").await?;
    it.platform.wait_gone("stays").await
}
