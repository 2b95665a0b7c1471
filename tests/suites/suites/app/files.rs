//! Files in a bucket instead of a folder: a real server that checks signatures.

use acceptance::{AppSetup, PATIENCE, TestApp, wait_until};
use anyhow::{Result, ensure};
use reqwest::Method;

/// An app that is told of an empty bucket, by the variables that the stack would set.
fn in_a_bucket(name: &str) -> Result<AppSetup> {
    let mut told = std::process::Command::new("true");
    acceptance::world()?.stack().s3()?.configure(&mut told);
    let told = told
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_string_lossy(), value?.to_string_lossy())));
    Ok(told.fold(TestApp::named(name), |setup, (name, value)| setup.env(&name, &value)))
}

#[tokio::test]
async fn a_bucket_keeps_files_as_a_folder_does() -> Result<()> {
    let app = in_a_bucket("bucket")?.start().await?;
    let ada = app.ready_person("Ada").await?;
    let file = super::animals();
    let id = ada.uploaded("a.pdf", file.clone()).await?;
    app.wait_stage(&id, "ready").await?;
    let path = format!("/documents/{id}/file");
    ensure!(ada.get(&path).await?.expect(200)?.bytes == file);
    let part = ada.send(ada.request(Method::GET, &path).header("range", "bytes=10-19")).await?;
    ensure!(part.expect(206)?.bytes == file[10..20]);
    ensure!(ada.search("tufts").await?.contains(&format!("/documents/{id}?page=2")));
    ada.post(&format!("/documents/{id}/delete"), &[]).await?.expect(204)?;
    wait_until("the file is gone from the bucket", PATIENCE, async || {
        ensure!(app.count("select count(*) from documents").await? == 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_wrong_key_of_the_bucket_is_told_at_the_start() -> Result<()> {
    let setup = in_a_bucket("bucket-key")?.idle();
    let app = setup.env("S3_SECRET_ACCESS_KEY", "not-the-key-of-this-bucket").start().await?;
    ensure!(app.begin_unready().await.is_err(), "it serves");
    let log = app.log_text();
    ensure!(log.contains("--s3-") && !log.contains("not-the-key"), "{log}");
    Ok(())
}
