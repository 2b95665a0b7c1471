//! Every route of the emulator, called as a client would; each reply is judged by Neon's OpenAPI file as it comes.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, text};

#[tokio::test]
async fn a_project_comes_changes_and_goes() -> Result<()> {
    let lab = Lab::start("contract/routes/project", &[])?;
    let annotations = json!({ "tenantry.dev/uid": "u-1" });
    let made = lab
        .post(
            "/projects",
            json!({ "project": {
                "name": "tenant-a",
                "region_id": "aws-eu-central-1",
                "pg_version": 18,
                "history_retention_seconds": 3600,
                "default_endpoint_settings": { "autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 120 },
                "branch": { "name": "trunk", "database_name": "app", "role_name": "app_owner", "annotations": annotations },
            } }),
        )
        .await?
        .expect(201)?;
    for part in
        ["project", "connection_uris", "roles", "databases", "operations", "branch", "endpoints"]
    {
        ensure!(made.get(part).is_some(), "{part} is missing");
    }
    ensure!(
        made["operations"][0]["status"] == "running"
            && made["operations"][1]["status"] == "scheduling"
    );
    ensure!(
        made["endpoints"][0]["current_state"] == "init"
            && made["endpoints"][0]["pending_state"] == "active"
    );
    ensure!(made["endpoints"][0]["suspend_timeout_seconds"] == 120);
    let id = text(&made, "/project/id")?;
    let read = lab.get(&format!("/projects/{id}")).await?.expect(200)?;
    ensure!(read["project"]["name"] == "tenant-a" && read["project"]["owner"].is_object());
    let change = json!({ "project": {
        "name": "tenant-b",
        "history_retention_seconds": 7200,
        "settings": { "quota": { "logical_size_bytes": 1000 } },
        "default_endpoint_settings": { "suspend_timeout_seconds": 60 },
    } });
    let changed = lab.patch(&format!("/projects/{id}"), change).await?.expect(200)?;
    ensure!(changed["project"]["history_retention_seconds"] == 7200);
    ensure!(
        changed["project"]["default_endpoint_settings"]["autoscaling_limit_max_cu"].as_f64()
            == Some(2.0)
    );
    ensure!(changed["project"]["default_endpoint_settings"]["suspend_timeout_seconds"] == 60);
    let branches = lab.get(&format!("/projects/{id}/branches?limit=100")).await?.expect(200)?;
    let branch = text(&branches, "/branches/0/id")?;
    ensure!(branches["annotations"][&branch]["value"] == annotations, "{branches}");
    let gone = lab.delete(&format!("/projects/{id}")).await?.expect(200)?;
    ensure!(gone.get("operations").is_none() && gone["project"]["name"] == "tenant-b");
    lab.get(&format!("/projects/{id}")).await?.expect_error(404, "project not found")?;
    lab.delete(&format!("/projects/{id}")).await?.expect_error(404, "project not found")?;
    let kinds: Vec<_> = lab.ledger().await?.into_iter().map(|(kind, _)| kind).collect();
    ensure!(kinds == ["create", "rename", "delete"], "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn lists_page_search_and_take_duplicates() -> Result<()> {
    let lab = Lab::start("contract/routes/list", &[])?;
    let empty = lab.get("/projects").await?.expect(200)?;
    ensure!(empty.get("pagination").is_none(), "{empty}");
    for name in ["same", "same", "another", "tenant-9"] {
        lab.project(name).await?;
    }
    let mut seen = Vec::new();
    let mut path = "/projects?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = lab.get(&path).await?.expect(200)?;
        let items = page["projects"].as_array().cloned().unwrap_or_default();
        pages += 1;
        let Some(last) = items.last() else { break };
        ensure!(page["pagination"]["cursor"] == last["id"]);
        path = format!("/projects?limit=3&cursor={}", text(last, "/id")?);
        seen.extend(items.iter().map(|p| p["name"].clone()));
    }
    ensure!(pages == 3 && seen.len() == 4, "{pages} pages, {seen:?}");
    let found = lab.get("/projects?search=am&timeout=1000").await?.expect(200)?;
    ensure!(found["projects"].as_array().map(Vec::len) == Some(2), "{found}");
    let none = lab.get("/projects?org_id=org-other-1").await?.expect(200)?;
    ensure!(none["projects"] == json!([]));
    ensure!(lab.get("/projects/shared?limit=100").await?.expect(200)? == json!({ "projects": [] }));
    Ok(())
}

#[tokio::test]
async fn databases_and_roles_of_a_branch() -> Result<()> {
    let lab = Lab::start("contract/routes/databases", &[])?;
    let made = lab.project("t").await?;
    let branch = format!(
        "/projects/{}/branches/{}",
        text(&made, "/project/id")?,
        text(&made, "/branch/id")?
    );
    let listed = lab.get(&format!("{branch}/roles")).await?.expect(200)?;
    ensure!(listed["roles"][0].get("password").is_none(), "{listed}");
    let password =
        lab.get(&format!("{branch}/roles/neondb_owner/reveal_password")).await?.expect(200)?;
    ensure!(password["password"] == made["roles"][0]["password"]);
    let role = lab
        .post(&format!("{branch}/roles"), json!({ "role": { "name": "reader" } }))
        .await?
        .expect(201)?;
    ensure!(role["role"]["password"].is_string());
    lab.get(&format!("{branch}/roles/reader")).await?.expect(200)?;
    let wanted = json!({ "database": { "name": "second", "owner_name": "reader" } });
    lab.post(&format!("{branch}/databases"), wanted).await?.expect(201)?;
    let uri = format!(
        "/projects/{}/connection_uri?database_name=second&role_name=reader",
        text(&made, "/project/id")?
    );
    let uri = text(&lab.get(&uri).await?.expect(200)?, "/uri")?;
    ensure!(lab.psql(&uri, "select 1").await? == Ok("1".to_owned()));
    let renamed = json!({ "database": { "name": "third", "owner_name": "neondb_owner" } });
    let renamed = lab.patch(&format!("{branch}/databases/second"), renamed).await?.expect(200)?;
    ensure!(renamed["database"]["owner_name"] == "neondb_owner");
    lab.get(&format!("{branch}/databases/third")).await?.expect(200)?;
    let databases = lab.get(&format!("{branch}/databases")).await?.expect(200)?;
    ensure!(databases["databases"].as_array().map(Vec::len) == Some(2));
    lab.delete(&format!("{branch}/databases/third")).await?.expect(200)?;
    lab.delete(&format!("{branch}/roles/reader")).await?.expect(200)?;
    let reset = lab
        .call("POST", &format!("{branch}/roles/neondb_owner/reset_password"), None)
        .await?
        .expect(200)?;
    ensure!(
        reset["role"]["password"].is_string() && reset["role"]["password"] != password["password"]
    );
    Ok(())
}

#[tokio::test]
async fn endpoints_change_suspend_and_start() -> Result<()> {
    let lab = Lab::start("contract/routes/endpoints", &[])?;
    let made = lab.project("t").await?;
    let project = format!("/projects/{}", text(&made, "/project/id")?);
    let listed = lab.get(&format!("{project}/endpoints")).await?.expect(200)?;
    let of_branch = format!("{project}/branches/{}/endpoints", text(&made, "/branch/id")?);
    ensure!(lab.get(&of_branch).await?.expect(200)? == listed);
    let endpoint = format!("{project}/endpoints/{}", text(&listed, "/endpoints/0/id")?);
    let change =
        json!({ "endpoint": { "autoscaling_limit_max_cu": 4, "suspend_timeout_seconds": -1 } });
    let changed = lab.patch(&endpoint, change).await?.expect(200)?;
    ensure!(changed["endpoint"]["autoscaling_limit_max_cu"].as_f64() == Some(4.0));
    ensure!(changed["operations"][0]["action"] == "apply_config");
    let asleep = lab.call("POST", &format!("{endpoint}/suspend"), None).await?.expect(200)?;
    ensure!(
        asleep["endpoint"]["pending_state"] == "idle"
            && asleep["operations"][0]["action"] == "suspend_compute"
    );
    ensure!(lab.get(&endpoint).await?.expect(200)?["endpoint"]["current_state"] == "idle");
    let awake = lab.call("POST", &format!("{endpoint}/start"), None).await?.expect(200)?;
    ensure!(awake["endpoint"]["pending_state"] == "active");
    ensure!(lab.get(&endpoint).await?.expect(200)?["endpoint"]["current_state"] == "active");
    lab.call("POST", &format!("{endpoint}/restart"), None).await?.expect(200)?;
    let second = json!({ "endpoint": { "branch_id": made["branch"]["id"], "type": "read_only" } });
    let second = lab.post(&format!("{project}/endpoints"), second).await?.expect(201)?;
    lab.delete(&format!("{project}/endpoints/{}", text(&second, "/endpoint/id")?))
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn branches_come_and_go() -> Result<()> {
    let lab = Lab::start("contract/routes/branches", &[])?;
    let made = lab.project("t").await?;
    let branches = format!("/projects/{}/branches", text(&made, "/project/id")?);
    let bare = lab.post(&branches, json!({ "branch": { "name": "bare" } })).await?.expect(201)?;
    ensure!(bare["endpoints"] == json!([]));
    let wanted = json!({ "branch": { "name": "dev" }, "endpoints": [{ "type": "read_write" }] });
    let dev = lab.post(&branches, wanted).await?.expect(201)?;
    let uri = text(&dev, "/connection_uris/0/connection_uri")?;
    ensure!(lab.psql(&uri, "select 2").await? == Ok("2".to_owned()));
    let one = format!("{branches}/{}", text(&dev, "/branch/id")?);
    ensure!(lab.get(&one).await?.expect(200)?["branch"]["name"] == "dev");
    lab.patch(&one, json!({ "branch": { "name": "dev2" } })).await?.expect(200)?;
    ensure!(lab.get(&format!("{branches}/count")).await?.expect(200)? == json!({ "count": 3 }));
    let sorted =
        lab.get(&format!("{branches}?sort_by=name&sort_order=asc&limit=2")).await?.expect(200)?;
    ensure!(
        sorted["branches"][0]["name"] == "bare"
            && sorted["branches"].as_array().map(Vec::len) == Some(2)
    );
    let next = text(&sorted, "/pagination/next")?.replace('=', "%3D").replace('+', "%2B");
    let rest = lab
        .get(&format!("{branches}?sort_by=name&sort_order=asc&limit=2&cursor={next}"))
        .await?
        .expect(200)?;
    ensure!(rest["branches"][0]["name"] == "main", "{rest}");
    lab.delete(&one).await?.expect(200)?;
    lab.get(&one).await?.expect_error(404, "branch not found")
}

#[tokio::test]
async fn operations_take_their_time() -> Result<()> {
    let lab = Lab::start("contract/routes/operations", &["--operation-millis", "400"])?;
    let made = lab.project("t").await?;
    let project = format!("/projects/{}", text(&made, "/project/id")?);
    let (first, second) = (text(&made, "/operations/0/id")?, text(&made, "/operations/1/id")?);
    let status = async |id: &str| -> Result<Value> {
        Ok(lab.get(&format!("{project}/operations/{id}")).await?.expect(200)?["operation"]["status"].clone())
    };
    ensure!(status(&second).await? == "scheduling");
    lab.until("both are finished", async || {
        let both = (status(&first).await?, status(&second).await?);
        Ok((both == (json!("finished"), json!("finished"))).then_some(()))
    })
    .await?;
    let listed = lab.get(&format!("{project}/operations?limit=1")).await?.expect(200)?;
    ensure!(listed["operations"][0]["id"] == json!(second), "newest first: {listed}");
    let cursor = text(&listed, "/pagination/cursor")?;
    let rest =
        lab.get(&format!("{project}/operations?limit=1&cursor={cursor}")).await?.expect(200)?;
    ensure!(rest["operations"][0]["id"] == json!(first));
    Ok(())
}

#[tokio::test]
async fn accounts_and_regions() -> Result<()> {
    let lab = Lab::start("contract/routes/account", &["--org-id", "org-tenantry-1"])?;
    ensure!(lab.get("/users/me").await?.expect(200)?["email"].is_string());
    let organizations = lab.get("/users/me/organizations").await?.expect(200)?;
    ensure!(organizations["organizations"][0]["id"] == "org-tenantry-1");
    ensure!(lab.get("/auth").await?.expect(200)?["auth_method"] == "api_key_user");
    ensure!(
        lab.get("/regions").await?.expect(200)?["regions"].as_array().is_some_and(|r| r.len() > 5)
    );
    ensure!(lab.project("t").await?["project"]["org_id"] == "org-tenantry-1");
    lab.set(json!({ "key_kind": "org" })).await?;
    lab.get("/users/me").await?.expect_error(404, "not allowed for organization API keys")?;
    let auth = lab.get("/auth").await?.expect(200)?;
    ensure!(auth == json!({ "account_id": "org-tenantry-1", "auth_method": "api_key_org" }));
    Ok(())
}
