//! One tenant from its creation to its end, and what its declaration changes in between.

use acceptance::{Space, TestOperator, condition, connect, project_id, run, uid};
use anyhow::{Context, Result, ensure};
use crds::ConditionType;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

#[tokio::test]
async fn an_organization_owns_the_projects_and_is_searched() -> Result<()> {
    let setup = TestOperator::named("org").env("NEON_ORG_ID", "org-acceptance-1");
    let t = setup.start().await?;
    t.apply("acme", json!({})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    assert_eq!(t.neon.project(&id).await?["project"]["org_id"], "org-acceptance-1");
    t.delete("acme").await?;
    t.wait_gone("acme").await
}

#[tokio::test]
async fn a_new_tenant_becomes_ready_and_its_status_tells_all() -> Result<()> {
    let t = TestOperator::start("ready").await?;
    t.apply("acme", json!({"region": "aws-eu-central-1", "historyRetentionSeconds": 3600})).await?;
    let tenant = t.wait_ready("acme").await?;
    let status = tenant.status.clone().context("status")?;
    assert_eq!(status.observed_generation, tenant.metadata.generation);
    let kinds: Vec<String> = status.conditions.iter().map(|c| c.type_.clone()).collect();
    assert_eq!(kinds, ConditionType::ALL.map(|kind| kind.to_string()));
    for (kind, expected) in
        [("ProjectReady", "True"), ("SchemaReady", "True"), ("SecretReady", "True")]
    {
        let found = condition(&tenant, kind)?;
        ensure!(found.status == expected && found.reason == "Ready", "{found:?}");
    }
    for found in &status.conditions {
        ensure!(!found.message.is_empty(), "{found:?}");
        assert_eq!(found.observed_generation, tenant.metadata.generation);
    }
    let id = project_id(&tenant)?;
    let project = t.neon.project(&id).await?;
    let endpoint = &project["endpoints"][0];
    assert_eq!(project["project"]["name"], json!(status.project_name));
    assert_eq!(status.project_name, Some(t.world.project_name(&uid(&tenant))));
    assert_eq!(project["project"]["region_id"], "aws-eu-central-1");
    assert_eq!(json!(status.branch_id), project["branches"][0]["id"]);
    assert_eq!(json!(status.endpoint_id), endpoint["id"]);
    assert_eq!(status.database.as_deref(), Some("neondb"));
    assert_eq!(status.host.as_deref(), Some(t.binding("acme").await?.get("host")?));
    assert_eq!(status.schema_version, newest_migration()?);
    let settings = status.settings.context("settings")?;
    assert_eq!(settings.history_retention_seconds, Some(3600));
    assert_eq!((&*settings.autoscaling_min, &*settings.autoscaling_max), ("0.25", "2"));
    let binding = status.binding.context("binding")?;
    ensure!(binding.name == "acme-postgres" && binding.revision.is_some(), "{binding:?}");
    ensure!(status.ready_at.is_some() && status.creation.is_none());
    assert_eq!(tenant.metadata.finalizers, Some(vec![crds::FINALIZER.to_owned()]));
    t.assert_one_project_each().await
}

/// Version of the newest file in the repository's folder of tenant migrations.
pub(super) fn newest_migration() -> Result<Option<i64>> {
    let files = std::fs::read_dir(stack::paths::checkout().join("tenant_migrations"))?;
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.split_once('_')?.0.parse().ok()).max())
}

#[tokio::test]
async fn the_secret_is_complete_and_belongs_to_the_tenant() -> Result<()> {
    let t = TestOperator::start("secret-keys").await?;
    let extras = json!({"labels": {"team": "blue"}, "annotations": {"mirror/to": "elsewhere"}});
    t.apply("acme", json!({"secret": extras})).await?;
    let tenant = t.wait_ready("acme").await?;
    let binding = t.binding("acme").await?;
    let keys: Vec<&str> = binding.data.keys().map(String::as_str).collect();
    let mut wanted = vec!["type", "provider", "host", "port", "database", "username", "password"];
    wanted.extend(["uri", "pooler-host", "pooler-port", "pooled-uri"]);
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    ensure!(binding.data.values().all(|value| !value.is_empty()));
    assert_eq!(binding.get("type")?, "postgresql");
    assert_eq!(binding.get("provider")?, "neon");
    let secret = &binding.secret;
    assert_eq!(secret.type_.as_deref(), Some("servicebinding.io/postgresql"));
    let owners = secret.metadata.owner_references.clone().unwrap_or_default();
    let ours = |owner: &OwnerReference| {
        (owner.kind.as_str(), &owner.uid) == ("VectorTenant", &uid(&tenant))
            && owner.controller == Some(true)
    };
    ensure!(owners.len() == 1 && ours(&owners[0]), "{owners:?}");
    let labels = secret.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels.get("team").map(String::as_str), Some("blue"));
    assert_eq!(labels.get(crds::TENANT_LABEL).map(String::as_str), Some("acme"));
    assert_eq!(labels.get(crds::MANAGED_BY_LABEL).map(String::as_str), Some(crds::MANAGED_BY));
    let annotations = secret.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.get("mirror/to").map(String::as_str), Some("elsewhere"));
    let uri = binding.get("uri")?;
    for key in ["username", "host", "port", "database"] {
        ensure!(uri.contains(binding.get(key)?), "the URI lacks the {key}");
    }
    ensure!(uri.contains("sslmode=require"), "the URI does not ask for TLS");
    Ok(())
}

#[tokio::test]
async fn psql_and_sqlx_connect_by_the_uris() -> Result<()> {
    let t = TestOperator::start("uris").await?;
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let binding = t.binding("acme").await?;
    // (The emulator keeps every project's role and database in one server, under names of its own.)
    let sql = "select current_user = session_user, count(*) from embeddings";
    let mut psql = t.world.stack().psql();
    psql.args(["-A", "-t", "-c", sql, binding.get("uri")?]);
    assert_eq!(run(psql).await?.success()?, "t|0");
    let mut session = binding.connect().await?;
    let (rows,): (i64,) =
        sqlx::query_as("select count(*) from embeddings").fetch_one(&mut session).await?;
    assert_eq!(rows, 0);
    if let Err(reason) = t.world.stack().pooler() {
        stack::skip("operator::lifecycle::psql_and_sqlx_connect_by_the_uris (pooled)", reason);
        return Ok(());
    }
    // Two sessions of a transaction pooler share one process of the server; straight to it, each has its own.
    let (pooled, direct) = (binding.get("pooled-uri")?, binding.get("uri")?);
    let (mut one, mut two) = (connect(pooled).await?, connect(pooled).await?);
    assert_eq!(backend(&mut one).await?, backend(&mut two).await?);
    let (mut one, mut two) = (connect(direct).await?, connect(direct).await?);
    assert_ne!(backend(&mut one).await?, backend(&mut two).await?);
    Ok(())
}

async fn backend(session: &mut sqlx::PgConnection) -> Result<i32> {
    let sql = "select pg_backend_pid()";
    let (pid,) = sqlx::query_as(sql).persistent(false).fetch_one(session).await?;
    Ok(pid)
}

#[tokio::test]
async fn a_deleted_tenant_takes_project_and_secret_along() -> Result<()> {
    let t = TestOperator::start("delete").await?;
    t.apply("acme", json!({})).await?;
    let tenant = t.wait_ready("acme").await?;
    t.delete("acme").await?;
    t.wait_gone("acme").await?;
    let ledger = t.ledger().await?;
    ensure!(ledger.standing.is_empty(), "{ledger:?}");
    assert_eq!((ledger.count("create"), ledger.count("delete")), (1, 1));
    wait_without_secret(&t, "acme-postgres").await?;
    let note = t.wait_event("acme", "ProjectDeleted").await?;
    ensure!(note.contains(&project_id(&tenant)?), "{note}");
    Ok(())
}

/// The garbage collector removes what the tenant owned.
async fn wait_without_secret(space: &Space, name: &str) -> Result<()> {
    space
        .until(&format!("Secret {name} is gone"), None, async || {
            ensure!(space.secrets().get_opt(name).await?.is_none(), "it is there");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn retain_leaves_the_project_and_names_it() -> Result<()> {
    let t = TestOperator::start("retain").await?;
    t.apply("acme", json!({"deletionPolicy": "Retain"})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    t.delete("acme").await?;
    t.wait_gone("acme").await?;
    let note = t.wait_event("acme", "ProjectRetained").await?;
    ensure!(note.contains(&id), "{note}");
    let ledger = t.ledger().await?;
    ensure!(ledger.standing.iter().any(|project| project.project_id == id), "{ledger:?}");
    assert_eq!(ledger.count("delete"), 0);
    wait_without_secret(&t, "acme-postgres").await?;
    t.neon.on_project(&id, "delete", json!({})).await.map(drop)
}

#[tokio::test]
async fn a_tenant_that_is_gone_already_lets_go() -> Result<()> {
    let t = TestOperator::start("gone-already").await?;
    for (name, how) in [("notfound", "404"), ("gone", "410"), ("marked", "deleted_at")] {
        t.apply(name, json!({})).await?;
        let id = project_id(&t.wait_ready(name).await?)?;
        t.neon.on_project(&id, "delete", json!({"gone": how})).await?;
        t.delete(name).await?;
        t.wait_gone(name).await?;
    }
    ensure!(t.ledger().await?.standing.is_empty());
    Ok(())
}

#[tokio::test]
async fn pause_leaves_everything_alone_but_deletion() -> Result<()> {
    let t = TestOperator::named("pause").resync(0.5).start().await?;
    t.apply("never", json!({"paused": true})).await?;
    t.apply("later", json!({})).await?;
    let before = t.wait_ready("later").await?;
    let changed = json!({"autoscaling": {"min": "1", "max": "4"}, "paused": true});
    t.apply("later", changed.clone()).await?;
    for name in ["never", "later"] {
        let tenant = t
            .wait_tenant(name, "paused", |t| {
                let seen = t.status.as_ref().and_then(|status| status.observed_generation);
                seen == t.metadata.generation
            })
            .await?;
        assert_eq!(condition(&tenant, "Reconciling")?.reason, "Paused");
        assert_eq!(condition(&tenant, "Stalled")?.status, "False");
    }
    // A paused tenant that works goes on working, and says so.
    assert_eq!(condition(&t.tenant("later").await?, "Ready")?.status, "True");
    t.secrets().delete("later-postgres", &kube::api::DeleteParams::default()).await?;
    // Whoever comes after has been served: so much time the paused ones had.
    for fence in ["fence-1", "fence-2"] {
        t.apply(fence, json!({})).await?;
        t.wait_ready(fence).await?;
    }
    ensure!(t.secrets().get_opt("later-postgres").await?.is_none(), "a paused Secret came back");
    let id = project_id(&before)?;
    assert_eq!(limits(&t.neon.project(&id).await?), [json!(0.25), json!(2.0)]);
    assert_eq!(project_id(&t.tenant("never").await?).ok(), None);

    t.apply("later", json!({"autoscaling": {"min": "1", "max": "4"}})).await?;
    t.wait_ready("later").await?;
    assert_eq!(limits(&t.neon.project(&id).await?), [json!(1.0), json!(4.0)]);
    t.secret("later-postgres").await?;

    t.apply("later", changed).await?;
    for name in ["never", "later"] {
        t.delete(name).await?;
        t.wait_gone(name).await?;
    }
    t.assert_one_project_each().await
}

fn limits(project: &Value) -> [Value; 2] {
    let endpoint = &project["endpoints"][0];
    ["autoscaling_limit_min_cu", "autoscaling_limit_max_cu"]
        .map(|key| json!(endpoint[key].as_f64()))
}

#[tokio::test]
async fn changed_settings_reach_the_live_project() -> Result<()> {
    let t = TestOperator::start("settings").await?;
    t.apply("acme", json!({})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    let wanted = json!({
        "autoscaling": {"min": "500m", "max": "8"},
        "suspendTimeoutSeconds": 900,
        "historyRetentionSeconds": 7200,
    });
    t.apply("acme", wanted).await?;
    let tenant = t.wait_ready("acme").await?;
    let project = t.neon.project(&id).await?;
    assert_eq!(limits(&project), [json!(0.5), json!(8.0)]);
    assert_eq!(project["endpoints"][0]["suspend_timeout_seconds"], 900);
    assert_eq!(project["project"]["history_retention_seconds"], 7200);
    // Endpoints that come later get the same.
    let defaults = &project["project"]["default_endpoint_settings"];
    assert_eq!(defaults["suspend_timeout_seconds"], 900);
    assert_eq!(defaults["autoscaling_limit_max_cu"].as_f64(), Some(8.0));
    let shown = tenant.status.and_then(|status| status.settings).context("settings")?;
    assert_eq!((&*shown.autoscaling_min, &*shown.autoscaling_max), ("0.5", "8"));
    assert_eq!(shown.suspend_timeout_seconds, 900);
    assert_eq!(shown.history_retention_seconds, Some(7200));
    t.wait_event("acme", "SettingsApplied").await?;

    // What leaves the spec goes back to its default; a retention that is left out stays as it is.
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let project = t.neon.project(&id).await?;
    assert_eq!(limits(&project), [json!(0.25), json!(2.0)]);
    assert_eq!(project["endpoints"][0]["suspend_timeout_seconds"], 300);
    assert_eq!(t.ledger().await?.count("create"), 1);
    Ok(())
}
