//! Files in, read, shown, renamed, out. In: good and bad uploads. Out: each has its stage or its message, and nothing is left
//! of what is refused or deleted.

use acceptance::{PATIENCE, TestApp, pdf, wait_until};
use anyhow::{Result, ensure};
use reqwest::Method;

use super::tenants::walk;

#[tokio::test]
async fn a_pdf_becomes_searchable_and_goes_again() -> Result<()> {
    let app = TestApp::start("pdf").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("Über Tiere – 動物.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    let list = ada.get("/documents/list").await?.expect(200)?.text();
    ensure!(list.contains("Über Tiere – 動物") && list.contains("3 pages"), "{list}");
    ensure!(app.tenant_count("Ada", "select count(*) from embeddings").await? > 0);
    let hits = ada.search("Which animal has tufts on its ears?").await?;
    ensure!(hits.contains(&format!("/documents/{id}?page=2")), "{hits}");
    ensure!(ada.search("ZX-4711").await?.contains(&format!("/documents/{id}?page=3")));
    ensure!(
        ada.page(&format!("/documents/{id}?page=2"))
            .await?
            .expect(200)?
            .text()
            .contains("data-page=\"2\"")
    );

    ada.post(&format!("/documents/{id}/rename"), &[("title", "Beasts")]).await?.expect(204)?;
    ensure!(ada.get("/documents/list").await?.text().contains("Beasts"));
    let nameless = ada.post(&format!("/documents/{id}/rename"), &[("title", " ")]).await?;
    ensure!(nameless.status == 422, "{}", nameless.text());

    ada.post(&format!("/documents/{id}/delete"), &[]).await?.expect(204)?;
    // Gone for people at once, gone in truth soon.
    ada.get(&format!("/documents/{id}/file")).await?.expect_error(404, "not_found")?;
    ensure!(!ada.search("ZX-4711").await?.contains(&id));
    wait_until("nothing is left", PATIENCE, async || {
        ensure!(
            app.count("select (select count(*) from documents) + (select count(*) from jobs)")
                .await?
                == 0
        );
        ensure!(app.tenant_count("Ada", "select count(*) from embeddings").await? == 0);
        let files = walk(&app.operator.folder()?.join("files"))?;
        ensure!(files.is_empty(), "{files:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_file_comes_back_whole_and_in_parts() -> Result<()> {
    let app = TestApp::start("file").await?;
    let ada = app.ready_person("Ada").await?;
    let file = super::animals();
    let id = ada.uploaded("a b; x='y'%0D%0AX-Evil: 1.pdf", file.clone()).await?;
    let path = format!("/documents/{id}/file");
    let whole = ada.get(&path).await?.expect(200)?;
    ensure!(whole.bytes == file && whole.header("content-type") == "application/pdf");
    ensure!(whole.header("accept-ranges") == "bytes" && whole.header("x-evil").is_empty());
    ensure!(whole.header("content-disposition").starts_with("inline"));
    ensure!(
        whole.header("cache-control").contains("no-store")
            && whole.header("x-content-type-options") == "nosniff"
    );
    for (range, expected) in [
        ("bytes=0-3", &file[..4]),
        ("bytes=10-", &file[10..]),
        ("bytes=-5", &file[file.len() - 5..]),
        ("bytes=0-999999999", &file[..]),
    ] {
        let part =
            ada.send(ada.request(Method::GET, &path).header("range", range)).await?.expect(206)?;
        ensure!(part.bytes == expected, "{range}");
        ensure!(part.header("content-range").ends_with(&format!("/{}", file.len())));
    }
    let beyond = format!("bytes={}-", file.len());
    let beyond = ada.send(ada.request(Method::GET, &path).header("range", beyond)).await?;
    ensure!(beyond.status == 416, "{}", beyond.status);
    let saved = ada.get(&format!("{path}?download=1")).await?.expect(200)?;
    ensure!(saved.header("content-disposition").starts_with("attachment"));
    Ok(())
}

#[tokio::test]
async fn bad_uploads_are_refused_with_words_and_leave_nothing() -> Result<()> {
    let app = TestApp::named("refused")
        .env("MAX_MEGABYTES", "1")
        .env("MAX_DOCUMENTS", "2")
        .start()
        .await?;
    let ada = app.ready_person("Ada").await?;
    for (what, bytes, status, code) in [
        ("text", b"hello, I am no PDF".to_vec(), 415, "not_pdf"),
        ("html", b"<html><script>alert(1)</script></html>".to_vec(), 415, "not_pdf"),
        ("empty", Vec::new(), 422, "empty"),
        ("large", [b"%PDF-1.4\n".to_vec(), vec![b'x'; 2 << 20]].concat(), 413, "too_large"),
    ] {
        let answer = ada.upload(&format!("{what}.pdf"), bytes).await?;
        ensure!(answer.status == status, "{what}: {} {}", answer.status, answer.text());
        ensure!(answer.json()?["error"] == code, "{what}: {}", answer.text());
    }
    let nothing = ada.request(Method::POST, "/documents").header("x-requested-with", "fetch");
    let form = reqwest::multipart::Form::new().text("other", "field");
    let answer = ada.send(nothing.multipart(form)).await?;
    ensure!(answer.json()?["error"] == "no_file", "{}", answer.text());
    let plain =
        ada.request(Method::POST, "/documents").header("x-requested-with", "fetch").body("x");
    let answer = ada.send(plain).await?;
    ensure!((400..500).contains(&answer.status), "{}", answer.status);
    ensure!(app.count("select count(*) from documents").await? == 0);
    let files = walk(&app.operator.folder()?.join("files"))?;
    ensure!(files.is_empty(), "{files:?}");

    // The limit holds for those who come at the same time.
    let uploads =
        (0..5).map(|n| ada.upload("x.pdf", pdf(&[["one", "two", "three", "four", "five"][n]])));
    let answers = futures::future::try_join_all(uploads).await?;
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    ensure!(taken == 2, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
    let refused = answers.iter().find(|answer| answer.status != 201).map(acceptance::Answer::text);
    ensure!(refused.is_some_and(|text| text.contains("too_many_documents") && text.contains('2')));
    Ok(())
}

#[tokio::test]
async fn the_same_file_again_is_named() -> Result<()> {
    let app = TestApp::start("duplicate").await?;
    let ada = app.ready_person("Ada").await?;
    ada.uploaded("first.pdf", super::animals()).await?;
    let words = ada.upload("second.pdf", super::animals()).await?.expect_error(409, "duplicate")?;
    ensure!(words.contains("first"), "{words}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_says_why_and_may_be_tried_again() -> Result<()> {
    let app = TestApp::named("unreadable")
        .env("MAX_PAGES", "3")
        .env("MAX_DOCUMENTS", "20")
        .start()
        .await?;
    let ada = app.ready_person("Ada").await?;
    let whole = super::animals();
    for (name, bytes, failure) in [
        ("scan", pdf(&[""]), "no_text"),
        ("long", pdf(&["a page of text"; 4]), "too_many_pages"),
        ("broken", b"%PDF-1.7\nnothing that could be a document".to_vec(), "damaged"),
    ] {
        let id = ada.uploaded(&format!("{name}.pdf"), bytes).await?;
        app.wait_stage(&id, "failed").await?;
        let (code, words): (String, String) =
            sqlx::query_as("select failure, failure_words from documents where id = $1::uuid")
                .bind(&id)
                .fetch_one(&app.db)
                .await?;
        ensure!(code == failure, "{name}: {code}: {words}");
        let list = ada.get("/documents/list").await?.text();
        ensure!(
            list.contains(&words.replace('\'', "&#39;")) || list.contains(&words),
            "{words} is not in {list}"
        );
        ada.post(&format!("/documents/{id}/retry"), &[]).await?.expect(204)?;
        app.wait_stage(&id, "failed").await?;
    }
    // What stands before the header does not matter.
    let junk = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), whole].concat();
    let id = ada.uploaded("junk.pdf", junk).await?;
    app.wait_stage(&id, "ready").await
}

#[tokio::test]
async fn a_tenant_for_another_model_is_told_and_not_mixed() -> Result<()> {
    let app = TestApp::start("dimensions").await?;
    app.person("Ada").await?;
    let (tenant, object) = app.tenant_of("Ada").await?;
    app.operator.wait_ready(&object).await?;
    // A tenant that was declared when another model was configured.
    let uid = |object: &crds::VectorTenant| object.metadata.uid.clone();
    app.operator.delete(&object).await?;
    app.operator.wait_gone(&object).await?;
    let labels = serde_json::json!({"app.kubernetes.io/managed-by": "tenantry-app", "tenantry-app/tenant": tenant});
    let made =
        serde_json::json!({"metadata": {"labels": labels}, "spec": {"vector": {"dimensions": 8}}});
    app.operator.apply_object(&object, made).await?;
    let made = app.operator.wait_ready(&object).await?;
    sqlx::query("update tenants set object_uid = $1").bind(uid(&made)).execute(&app.db).await?;
    app.kill_and_begin().await?;
    let ada = app.person("Ada").await?;
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    app.wait_stage(&id, "failed").await?;
    let list = ada.get("/documents/list").await?.text();
    ensure!(list.contains('8') && list.contains("384"), "{list}");
    Ok(())
}
