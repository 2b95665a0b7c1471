//! Passages found again. In: questions of all kinds. Out: the right page, marked words, and never an error page for odd input.

use acceptance::{TestApp, pdf};
use anyhow::{Result, ensure};

#[tokio::test]
async fn meaning_and_words_both_find() -> Result<()> {
    let app = TestApp::start("search").await?;
    let ada = app.ready_person("Ada").await?;
    let empty = ada.search("anything").await?;
    ensure!(!empty.contains("went wrong"), "{empty}");
    let animals = ada.uploaded("animals.pdf", super::animals()).await?;
    let other = pdf(&["Tomatoes need sun and water.", "Compost feeds the soil of a garden."]);
    let garden = ada.uploaded("garden.pdf", other).await?;
    app.wait_stage(&animals, "ready").await?;
    app.wait_stage(&garden, "ready").await?;
    for (question, document, page) in [
        ("Where do ships bring fish?", &animals, 1),
        ("a wild cat that is active after dark", &animals, 2),
        ("4711", &animals, 3),
        ("When must the bill be paid?", &animals, 3),
        ("fertilizer", &garden, 2),
    ] {
        let hits = ada.search(question).await?;
        let first = first_hit(&hits).unwrap_or_default();
        ensure!(
            first.starts_with(&format!("/documents/{document}?page={page}")),
            "{question}: {first:.120}"
        );
    }
    let in_one =
        ada.page(&format!("/search?q=tomatoes&document={animals}")).await?.expect(200)?.text();
    ensure!(!in_one.contains(&format!("/documents/{garden}?page")), "{in_one}");
    let marked = ada.search("tufts").await?;
    ensure!(marked.contains("<mark>tufts</mark>"), "{marked}");
    Ok(())
}

/// The first link with a page.
fn first_hit(html: &str) -> Option<&str> {
    let at = html.find("?page=")?;
    html[..at].rfind("/documents/").map(|start| &html[start..])
}

#[tokio::test]
async fn odd_questions_are_no_errors() -> Result<()> {
    let app = TestApp::start("odd").await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("animals.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    let long = "tufts ".repeat(80);
    for question in [
        "the of and",
        "'; drop table embeddings; --",
        "\"unclosed",
        "a & | ! <-> (",
        "🦁",
        "مرحبا",
        "動物",
        "%",
        "\\",
        "\u{0}x",
        "<script>alert(1)</script>",
        long.trim(),
    ] {
        let page = ada.search(question).await?;
        ensure!(!page.contains("<script>alert"), "{page}");
    }
    let blank = ada.page("/search?q=").await?.expect(200)?;
    ensure!(!blank.text().contains("?page="));
    let endless = "x".repeat(2000);
    let answer = ada.page(&format!("/search?q={endless}")).await?;
    ensure!(answer.status == 422 || answer.text().contains("500"), "{}", answer.status);
    let nowhere = ada.page("/search?q=x&document=00000000-0000-4000-8000-000000000000").await?;
    ensure!([200, 404].contains(&nowhere.status));
    let nonsense = ada.page("/search?q=x&document=abc").await?;
    ensure!((200..500).contains(&nonsense.status));
    ensure!(app.tenant_count("Ada", "select count(*) from embeddings").await? > 0);
    Ok(())
}
