//! SIGKILL in the middle. In: uploads and ingestions that are cut short. Out: nothing lost, nothing twice.

use acceptance::{PATIENCE, TestApp, pdf, wait_until};
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::StreamExt;
use reqwest::Method;

use super::tenants::walk;

#[tokio::test]
async fn an_upload_that_is_cut_short_leaves_nothing() -> Result<()> {
    let app = TestApp::start("kill-upload").await?;
    let ada = app.ready_person("Ada").await?;
    // The first half of a file, and then nothing for as long as the app lives.
    let whole = pdf(&["The tide comes in and the tide goes out again."; 40]);
    let half = Bytes::from(whole[..whole.len() / 2].to_vec());
    let endless = futures::stream::once(async move { Ok::<_, std::io::Error>(half) })
        .chain(futures::stream::pending());
    let part =
        reqwest::multipart::Part::stream(reqwest::Body::wrap_stream(endless)).file_name("half.pdf");
    let form = reqwest::multipart::Form::new().part("file", part);
    let request =
        ada.request(Method::POST, "/documents").header("x-requested-with", "fetch").multipart(form);
    let upload = tokio::spawn(request.send());
    wait_until("the upload has begun", PATIENCE, async || {
        ensure!(app.count("select count(*) from documents where stage = 'uploading'").await? == 1);
        Ok(())
    })
    .await?;
    app.kill_and_begin().await?;
    ensure!(upload.await?.is_err(), "the client hears of it");
    // What nobody goes on with is swept after a while: as if the while were over.
    let old = "update documents set updated_at = now() - interval '1 hour'";
    sqlx::query(old).execute(&app.db).await?;
    app.kill_and_begin().await?;
    wait_until("it is swept", PATIENCE, async || {
        ensure!(app.count("select count(*) from documents").await? == 0);
        let files = walk(&app.operator.folder()?.join("files"))?;
        ensure!(files.is_empty(), "{files:?}");
        Ok(())
    })
    .await?;
    let ada = app.person("Ada").await?;
    let id = ada.uploaded("whole.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await
}

#[tokio::test]
async fn an_ingestion_that_is_cut_short_goes_on_and_doubles_nothing() -> Result<()> {
    let app = TestApp::start("kill-ingest").await?;
    let ada = app.ready_person("Ada").await?;
    let sentences: Vec<String> = (0..24)
        .map(|page| {
            format!(
                "Page {page} speaks of lantern number {page}. {}",
                "The tide comes in and the tide goes out again. ".repeat(40)
            )
        })
        .collect();
    let pages: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let id = ada.uploaded("long.pdf", pdf(&pages)).await?;
    for done in [1, 8] {
        wait_until("it is under way", PATIENCE, async || {
            let (stage, now): (String, i32) =
                sqlx::query_as("select stage, done from documents").fetch_one(&app.db).await?;
            ensure!(stage == "ready" || (stage == "embedding" && now >= done), "{stage} {now}");
            Ok(())
        })
        .await?;
        app.kill_and_begin().await?;
        // The lease of the dead is believed for a while: as if that were over.
        sqlx::query("update jobs set leased_until = now()").execute(&app.db).await?;
    }
    app.wait_stage(&id, "ready").await?;
    let (passages,): (i32,) =
        sqlx::query_as("select passages from documents").fetch_one(&app.db).await?;
    let stored = app.tenant_count("Ada", "select count(*) from embeddings").await?;
    let positions =
        app.tenant_count("Ada", "select count(distinct position) from embeddings").await?;
    ensure!(
        i64::from(passages) == stored && stored == positions,
        "{passages} {stored} {positions}"
    );
    ensure!(app.count("select count(*) from jobs").await? == 0);
    Ok(())
}

#[tokio::test]
async fn a_deletion_that_is_cut_short_goes_on() -> Result<()> {
    let app = TestApp::start("kill-delete").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    ada.post(&format!("/documents/{id}/delete"), &[]).await?.expect(204)?;
    app.kill_and_begin().await?;
    sqlx::query("update jobs set leased_until = now()").execute(&app.db).await?;
    wait_until("it is gone", PATIENCE, async || {
        ensure!(app.count("select count(*) from documents").await? == 0);
        ensure!(app.tenant_count("Ada", "select count(*) from embeddings").await? == 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_app_that_is_told_to_end_ends_and_hands_its_work_on() -> Result<()> {
    let app = TestApp::start("sigterm-app").await?;
    let ada = app.ready_person("Ada").await?;
    let stream = ada.request(Method::GET, "/events").send().await?;
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    ensure!(app.end().await?.success());
    drop(stream);
    app.begin().await?;
    app.wait_stage(&id, "ready").await
}
