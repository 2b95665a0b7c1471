//! Each documented error, in its documented words, with the request id in body and header; and the forms in which a
//! project can be gone.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::lab::{KEY, Lab, text};

#[tokio::test]
async fn keys_bodies_and_ids_that_are_wrong() -> Result<()> {
    let lab = Lab::start("contract/errors/requests", &[])?;
    let credentials = "supplied credentials do not pass authentication";
    lab.send("GET", "/projects", None, None).await?.expect_error(401, credentials)?;
    lab.send("GET", "/projects", None, Some("napi_other")).await?.expect_error(401, credentials)?;
    let required = "invalid request: decode application/json: invalid: project (field required)";
    lab.post("/projects", json!({})).await?.expect_error(400, required)?;
    lab.post("/projects", json!("{broken"))
        .await?
        .expect_error(400, "invalid request: decode application/json")?;
    for project in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(257) }),
        json!({ "name": 5 }),
        json!({ "pg_version": 13 }),
        json!({ "pg_version": 19 }),
        json!({ "history_retention_seconds": 2_592_001 }),
        json!({ "provisioner": "docker" }),
        json!({ "default_endpoint_settings": { "autoscaling_limit_min_cu": 0.1 } }),
        json!({ "default_endpoint_settings": { "suspend_timeout_seconds": 604_801 } }),
    ] {
        lab.post("/projects", json!({ "project": project }))
            .await?
            .expect_error(400, "invalid request")?;
    }
    for query in ["limit=0", "limit=401", "limit=x", "timeout=5", "recoverable=perhaps"] {
        lab.get(&format!("/projects?{query}"))
            .await?
            .expect_error(400, "invalid request: query")?;
    }
    lab.get("/projects/none-such-1").await?.expect_error(404, "project not found")?;
    lab.get("/nonsense").await?.expect_error(404, "not found")?;
    let id = text(&lab.project("t").await?, "/project/id")?;
    lab.get(&format!("/projects/{id}/connection_uri?role_name=x"))
        .await?
        .expect_error(400, "database_name")?;
    let uri = format!("/projects/{id}/connection_uri?database_name=neondb&role_name=nobody");
    lab.get(&uri).await?.expect_error(404, "role not found")?;
    lab.get(&format!("/projects/{id}/operations/7")).await?.expect_error(400, "UUID")?;
    ensure!(lab.ledger().await?.len() == 1, "a refused create has left something");
    Ok(())
}

#[tokio::test]
async fn conflicts_and_refusals() -> Result<()> {
    let lab = Lab::start("contract/errors/conflicts", &[])?;
    let made = lab.project("t").await?;
    let project = format!("/projects/{}", text(&made, "/project/id")?);
    let branch = format!("{project}/branches/{}", text(&made, "/branch/id")?);
    let again = json!({ "branch": { "name": "main" } });
    lab.post(&format!("{project}/branches"), again)
        .await?
        .expect_error(409, "branch already exists")?;
    let again = json!({ "database": { "name": "neondb", "owner_name": "neondb_owner" } });
    lab.post(&format!("{branch}/databases"), again)
        .await?
        .expect_error(409, "database already exists")?;
    let again = json!({ "role": { "name": "neondb_owner" } });
    lab.post(&format!("{branch}/roles"), again).await?.expect_error(409, "role already exists")?;
    let second = json!({ "endpoint": { "branch_id": made["branch"]["id"], "type": "read_write" } });
    lab.post(&format!("{project}/endpoints"), second).await?.expect_error(409, "read_write")?;
    let sizes = json!({ "project": { "default_endpoint_settings": { "autoscaling_limit_min_cu": 2, "autoscaling_limit_max_cu": 1 } } });
    lab.patch(&project, sizes).await?.expect_error(422, "autoscaling_limit_min_cu")?;
    lab.delete(&branch).await?.expect_error(422, "default branch")?;
    lab.patch(&branch, json!({ "branch": { "protected": true } })).await?.expect(200)?;
    lab.delete(&project).await?.expect_error(422, "protected")?;
    lab.patch(&branch, json!({ "branch": { "protected": false } })).await?.expect(200)?;
    lab.delete(&project).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn locked_while_operations_run() -> Result<()> {
    let lab = Lab::start("contract/errors/locked", &["--operation-millis", "60000"])?;
    let made = lab.project("t").await?;
    let project = format!("/projects/{}", text(&made, "/project/id")?);
    let branch = format!("{project}/branches/{}", text(&made, "/branch/id")?);
    let locked =
        "project already has running conflicting operations, scheduling of new ones is prohibited";
    let role = json!({ "role": { "name": "r" } });
    lab.post(&format!("{branch}/roles"), role).await?.expect_error(423, locked)?;
    let retention = json!({ "project": { "history_retention_seconds": 0 } });
    lab.patch(&project, retention).await?.expect_error(423, locked)?;
    let reset = format!("{branch}/roles/neondb_owner/reset_password");
    lab.call("POST", &reset, None).await?.expect_error(423, locked)?;
    lab.patch(&project, json!({ "project": { "name": "renamed" } })).await?.expect(200)?;
    lab.set(json!({ "delete_conflicts": true })).await?;
    lab.delete(&project).await?.expect_error(423, locked)?;
    lab.set(json!({ "delete_conflicts": false })).await?;
    lab.delete(&project).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn organizations_plans_rates_and_unstored_passwords() -> Result<()> {
    let lab = Lab::start("contract/errors/account", &["--org-id", "org-ours-1"])?;
    lab.set(json!({ "require_org": true })).await?;
    let bare = || json!({ "project": { "name": "t" } });
    lab.post("/projects", bare()).await?.expect_error(400, "org_id is required")?;
    let other = json!({ "project": { "org_id": "org-other-1" } });
    lab.post("/projects", other).await?.expect_error(404, "organization not found")?;
    lab.set(json!({ "require_org": false, "projects_limit": 0 })).await?;
    let refused = lab.post("/projects", bare()).await?;
    ensure!(refused.body["code"] == "PROJECTS_LIMIT_EXCEEDED");
    refused.expect_error(422, "projects limit exceeded")?;
    lab.set(json!({ "projects_limit": null })).await?;
    let secret = json!({ "project": { "name": "s", "store_passwords": false } });
    let made = lab.post("/projects", secret).await?.expect(201)?;
    ensure!(made["roles"][0]["password"].is_string(), "the create tells it once");
    let (id, branch) = (text(&made, "/project/id")?, text(&made, "/branch/id")?);
    let reveal = format!("/projects/{id}/branches/{branch}/roles/neondb_owner/reveal_password");
    lab.get(&reveal).await?.expect_error(412, "storing passwords")?;
    lab.get(&reveal.replace("neondb_owner", "nobody"))
        .await?
        .expect_error(404, "role not found")?;
    lab.set(json!({ "burst_per_route": 2, "retry_after": "7" })).await?;
    let limited = lab
        .until("a burst is refused", async || {
            Ok(Some(lab.get("/regions").await?).filter(|r| r.status == 429))
        })
        .await?;
    ensure!(limited.headers.get("retry-after").is_some_and(|v| v == "7"));
    Ok(())
}

async fn deleted(lab: &Lab, name: &str) -> Result<String> {
    let id = text(&lab.project(name).await?, "/project/id")?;
    lab.delete(&format!("/projects/{id}")).await?.expect(200)?;
    Ok(id)
}

#[tokio::test]
async fn gone_has_four_forms() -> Result<()> {
    let lab = Lab::start("contract/errors/gone", &[])?;
    let id = deleted(&lab, "a").await?;
    let path = format!("/projects/{id}");
    lab.get(&path).await?.expect_error(404, "project not found")?;
    lab.set(json!({ "gone": "410" })).await?;
    lab.get(&path).await?.expect_error(410, "")?;
    lab.delete(&path).await?.expect_error(410, "")?;
    lab.set(json!({ "gone": "deleted_at" })).await?;
    ensure!(lab.get(&path).await?.expect(200)?["project"]["deleted_at"].is_string());
    lab.set(json!({ "gone": "404" })).await?;
    ensure!(recoverable(&lab).await? == 0, "its data is gone, so it cannot be recovered");
    lab.call("POST", &format!("{path}/recover"), None)
        .await?
        .expect_error(404, "project not found")?;

    lab.set(json!({ "soft_delete": true })).await?;
    let made = lab.project("b").await?;
    let uri = text(&made, "/connection_uris/0/connection_uri")?;
    ensure!(lab.psql(&uri, "create table kept as select 7 as n").await?.is_ok());
    let path = format!("/projects/{}", text(&made, "/project/id")?);
    lab.delete(&path).await?.expect(200)?;
    lab.get(&path).await?.expect_error(404, "project not found")?;
    ensure!(lab.get("/projects").await?.expect(200)?["projects"] == json!([]));
    ensure!(recoverable(&lab).await? == 1);
    ensure!(lab.psql(&uri, "select 1").await?.is_err(), "a deleted project takes connections");
    lab.call("POST", &format!("{path}/recover"), None).await?.expect(200)?;
    ensure!(recoverable(&lab).await? == 0);
    lab.until("its connection string works again", async || {
        Ok((lab.psql(&uri, "select n from kept").await? == Ok("7".to_owned())).then_some(()))
    })
    .await
}

async fn recoverable(lab: &Lab) -> Result<usize> {
    let list = lab.get("/projects?recoverable=true").await?.expect(200)?;
    let items = list["projects"].as_array().cloned().unwrap_or_default();
    ensure!(
        items.iter().all(|p| p["deleted_at"].is_string() && p["recoverable_until"].is_string()),
        "{list}"
    );
    Ok(items.len())
}

/// What tests do behind the operator's back.
#[tokio::test]
async fn acts_out_of_band() -> Result<()> {
    let lab = Lab::start("contract/errors/out-of-band", &[])?;
    let seeded = lab.control("POST", "/projects", Some(json!({ "name": "theirs" }))).await?;
    let id = text(&seeded, "/project/project/id").or_else(|_| text(&seeded, "/project/id"))?;
    let act = async |act: &str, body: Value| {
        lab.control("POST", &format!("/projects/{id}/{act}"), Some(body)).await
    };
    act("rename", json!({ "name": "renamed" })).await?;
    ensure!(
        lab.get(&format!("/projects/{id}")).await?.expect(200)?["project"]["name"] == "renamed"
    );
    act("protect", json!({})).await?;
    lab.delete(&format!("/projects/{id}")).await?.expect_error(422, "protected")?;
    act("protect", json!({ "protected": false })).await?;
    let branch =
        text(&lab.get(&format!("/projects/{id}/branches")).await?.expect(200)?, "/branches/0/id")?;
    let reveal = format!("/projects/{id}/branches/{branch}/roles/neondb_owner/reveal_password");
    let before = lab.get(&reveal).await?.expect(200)?;
    act("reset_password", json!({})).await?;
    ensure!(lab.get(&reveal).await?.expect(200)? != before);
    act("delete", json!({ "gone": "410" })).await?;
    lab.get(&format!("/projects/{id}")).await?.expect_error(410, "")?;
    let without_call = lab.control("GET", "/ledger", None).await?;
    let last =
        without_call["entries"].as_array().and_then(|e| e.last().cloned()).unwrap_or_default();
    ensure!(last["kind"] == "delete" && last["request_id"].is_null(), "{last}");
    let set_key = async |good: bool| {
        lab.control("POST", "/keys", Some(json!({ "key": KEY, "good": good }))).await
    };
    set_key(false).await?;
    lab.send("GET", "/projects", None, Some(KEY)).await?.expect_error(401, "credentials")?;
    set_key(true).await?;
    ensure!(lab.get("/projects").await?.expect(200)?["projects"] == json!([]));
    Ok(())
}
