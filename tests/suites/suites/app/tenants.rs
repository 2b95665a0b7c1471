//! A person's database: made behind their back, shown as it comes, reached when it is there.

use std::time::Duration;

use acceptance::{PATIENCE, TestApp, pdf, wait_until};
use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn signing_up_waits_for_nothing_and_shows_the_way() -> Result<()> {
    let app = TestApp::start("sign-up").await?;
    // Nobody makes databases now.
    app.operator.end().await?;
    let ada = app.person("Ada").await?;
    let page = ada.page("/documents").await?.expect(200)?.text();
    ensure!(page.contains("Preparing your database"), "{page}");
    let (tenant, object) = app.tenant_of("Ada").await?;
    ensure!(object == format!("t-{}", tenant.replace('-', "")), "{object}");
    let declared = app.operator.tenant(&object).await?;
    ensure!(declared.spec.vector.dimensions == 384);
    // The page hears of it without asking.
    let events = ada.request(Method::GET, "/events").header("accept", "text/event-stream");
    let mut stream = events.send().await?.error_for_status()?.bytes_stream();
    app.operator.begin().await?;
    let mut heard = String::new();
    let ready = async {
        while let Some(chunk) = stream.next().await {
            heard.push_str(&String::from_utf8_lossy(&chunk?));
            // Both events of a batch; they need not come in one piece.
            if heard.contains("data-ready=\"true\"") && heard.contains("event: documents") {
                return Ok(());
            }
        }
        anyhow::bail!("the stream ended")
    };
    tokio::time::timeout(PATIENCE, ready).await.context("no word of ready")??;
    ensure!(heard.contains("event: tenant"), "{heard}");
    ensure!(!ada.page("/documents").await?.text().contains("Preparing your database"));
    Ok(())
}

#[tokio::test]
async fn a_document_that_waits_for_its_database_goes_on_at_once_when_that_is_ready() -> Result<()> {
    let app = TestApp::start("waits-for-database").await?;
    app.operator.end().await?;
    let ada = app.person("Ada").await?;
    let id = ada.uploaded("a.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    wait_until("the document waits", PATIENCE, async || {
        let list = ada.page("/documents/list").await?.text();
        ensure!(list.contains("Waiting until your database is ready."), "{list}");
        Ok(())
    })
    .await?;
    // By its own clock it would wait for the rest of this test.
    let later = "update jobs set run_at = now() + interval '1 hour' where worker is null";
    wait_until("its pause is long", PATIENCE, async || {
        ensure!(sqlx::query(later).execute(&app.db).await?.rows_affected() == 1, "being tried");
        Ok(())
    })
    .await?;
    app.operator.begin().await?;
    app.wait_stage(&id, "ready").await
}

#[tokio::test]
async fn first_sign_ins_at_the_same_time_make_one_user_and_one_database() -> Result<()> {
    let app = TestApp::start("sign-up-twice").await?;
    let (first, second) = (app.stranger()?, app.stranger()?);
    let (one, two) = tokio::join!(first.sign_in("Ada"), second.sign_in("Ada"));
    one.and(two)?;
    app.wait_database("Ada").await?;
    ensure!(app.count("select count(*) from users").await? == 1);
    ensure!(app.count("select count(*) from tenants").await? == 1);
    ensure!(app.operator.list().await?.len() == 1);
    Ok(())
}

#[tokio::test]
async fn a_tenant_without_its_object_is_healed() -> Result<()> {
    let app = TestApp::start("heal").await?;
    app.person("Ada").await?;
    let (tenant, object) = app.tenant_of("Ada").await?;
    app.wait_database("Ada").await?;
    // As if the app had died between its row and the object, or between the object and its UID.
    let forget = "update tenants set object_uid = null";
    sqlx::query(forget).execute(&app.db).await?;
    app.person("Ada").await?;
    ensure!(app.count("select count(*) from tenants where object_uid is not null").await? == 1);
    let other = "insert into tenants (id, object_name) values ('00000000-0000-4000-8000-000000000001', 't-00000000000040008000000000000001')";
    sqlx::query(other).execute(&app.db).await?;
    app.kill_and_begin().await?;
    app.operator.wait_ready("t-00000000000040008000000000000001").await?;
    ensure!(
        app.operator
            .tenant(&object)
            .await?
            .metadata
            .labels
            .is_some_and(|l| l.values().any(|v| *v == tenant))
    );
    Ok(())
}

#[tokio::test]
async fn a_new_password_fails_no_request() -> Result<()> {
    let app = TestApp::start("rotation").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("a.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&id, "ready").await?;
    ensure!(ada.search("whales").await?.contains("lighthouse"));
    let (_, object) = app.tenant_of("Ada").await?;
    let project = acceptance::project_id(&app.operator.tenant(&object).await?)?;
    let before = app.operator.binding(&object).await?.get("password")?.to_owned();
    let asking = async {
        let mut answers = 0;
        while app.operator.binding(&object).await?.get("password")? == before || answers < 20 {
            let page = ada.search("whales").await?;
            ensure!(page.contains("lighthouse"), "{page}");
            answers += 1;
        }
        for _ in 0..5 {
            ensure!(ada.search("whales").await?.contains("lighthouse"));
        }
        Ok(())
    };
    let rotating = async {
        app.operator.neon.on_project(&project, "reset_password", json!({})).await?;
        // The operator sees it at its next look; a touch of the Secret makes it look now.
        let patch = json!({"metadata": {"annotations": {"look": "now"}}});
        let name = app.operator.status(&object).await?.binding.context("binding")?.name;
        let params = PatchParams::default();
        app.operator
            .secrets()
            .patch(&name, &params, &Patch::<_>::Merge(&patch))
            .await
            .map(|_: Secret| ())?;
        anyhow::Ok(())
    };
    let (asked, rotated) = tokio::join!(asking, rotating);
    rotated?;
    asked
}

#[tokio::test]
async fn a_sleeping_database_is_woken_and_falls_asleep_again() -> Result<()> {
    let app = TestApp::named("asleep").env("TENANT_IDLE_SECONDS", "1").start().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("a.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&id, "ready").await?;
    let (_, object) = app.tenant_of("Ada").await?;
    let project = acceptance::project_id(&app.operator.tenant(&object).await?)?;
    wait_until("no connection is open", PATIENCE, async || {
        let endpoint = app.operator.neon.endpoint(&project).await?;
        ensure!(endpoint.connections_open == 0, "{endpoint:?}");
        Ok(())
    })
    .await?;
    let endpoint = app.operator.neon.endpoint(&project).await?;
    app.operator.neon.on_endpoint(&endpoint.endpoint_id, "suspend").await?;
    ensure!(ada.search("whales").await?.contains("lighthouse"));
    ensure!(app.operator.neon.endpoint(&project).await?.wakes > endpoint.wakes);
    Ok(())
}

#[tokio::test]
async fn deleting_the_account_leaves_nothing() -> Result<()> {
    let app = TestApp::start("account").await?;
    let (ada, bob) = (app.ready_person("Ada").await?, app.ready_person("Bob").await?);
    let id = ada.uploaded("a.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&id, "ready").await?;
    let (_, object) = app.tenant_of("Ada").await?;
    let answer = ada.post("/account/delete", &[("confirm", "yes")]).await?;
    ensure!(answer.expect(422)?.text().contains("Type the word delete"));
    ada.post("/account/delete", &[("confirm", "delete")]).await?.expect(303)?;
    ada.get("/documents/list").await?.expect_error(401, "signed_out")?;
    app.operator.wait_gone(&object).await?;
    // A row without a word of whose it was stays for a while, for what was still on its way: as if the while were over.
    wait_until("the account's job is done", PATIENCE, async || {
        ensure!(app.count("select count(*) from jobs").await? == 0);
        Ok(())
    })
    .await?;
    sqlx::query("update tenants set deleted_at = deleted_at - interval '1 hour'")
        .execute(&app.db)
        .await?;
    app.kill_and_begin().await?;
    wait_until("every row is gone", Duration::from_secs(30), async || {
        let left = app.count("select (select count(*) from tenants) + (select count(*) from users) + (select count(*) from documents) + (select count(*) from jobs)").await?;
        ensure!(left == 2, "{left} rows are left, Bob's are two");
        Ok(())
    })
    .await?;
    let files = walk(&app.operator.folder()?.join("files"))?;
    ensure!(files.is_empty(), "{files:?}");
    bob.get("/documents/list").await?.expect(200)?;
    // Whoever comes back is new.
    app.ready_person("Ada").await?;
    ensure!(app.tenant_of("Ada").await?.1 != object);
    Ok(())
}

/// All files below a folder.
pub(crate) fn walk(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(files);
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { files.extend(walk(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

#[tokio::test]
async fn a_database_that_somebody_removed_is_called_gone() -> Result<()> {
    let app = TestApp::start("removed").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("a.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&id, "ready").await?;
    let (_, object) = app.tenant_of("Ada").await?;
    app.operator.delete(&object).await?;
    app.operator.wait_gone(&object).await?;
    wait_until("the page says so", PATIENCE, async || {
        let page = ada.page("/documents").await?.expect(200)?.text();
        ensure!(page.contains("Your database is gone"), "{page}");
        Ok(())
    })
    .await?;
    ensure!(
        ada.page("/search?q=whales").await?.expect(503)?.text().contains("Your database is gone")
    );
    // It is not made anew without a word: an empty one would look as if the documents had never been read.
    app.kill_and_begin().await?;
    let ada = app.person("Ada").await?;
    ensure!(ada.page("/documents").await?.text().contains("Your database is gone"));
    ensure!(app.operator.list().await?.is_empty());
    Ok(())
}
