//! What is kept of conversations. In: questions, changes, an older database. Out: every conversation as its person left it,
//! in the tenant's own database and nowhere else, and nothing of it once it is deleted.

use acceptance::{PATIENCE, TestApp, question, text_of, wait_until};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::chat::{Lab, PAYMENT, TUFTS, lab};

/// Rows of any table that hold a word that this file's questions and answers have, and documents have not.
pub(super) const ROWS: &str = "select coalesce(sum((xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I.%I t where t::text like %L',
    schemaname, tablename, '%quagga%'), false, true, '')))[1]::text::bigint), 0)::bigint from pg_tables where schemaname = 'public'";

fn titles(conversations: &[Value]) -> Vec<String> {
    conversations.iter().map(|one| one["title"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(super) fn texts(conversation: &Value) -> Vec<String> {
    conversation["messages"].as_array().into_iter().flatten().map(text_of).collect()
}

fn message_ids(conversation: &Value) -> Vec<String> {
    let messages = conversation["messages"].as_array().into_iter().flatten();
    messages.map(|message| message["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn conversations_are_kept_listed_renamed_and_really_deleted() -> Result<()> {
    let lab = lab("chat-kept").await?;
    let Lab { model, app, ada, id } = &lab;
    model.answers(&["The lynx, not the quagga [1]."]);
    ada.ask("first", "Has the lynx or the quagga black tufts on its ears?")
        .await?
        .ended("finish")?;
    let turn = ada.ask("second", PAYMENT).await?.ended("finish")?;
    let list = ada.conversations().await?;
    ensure!(list.iter().map(|one| &one["id"]).eq(["second", "first"]), "{list:?}");
    ensure!(
        list.iter().all(|one| one["updatedAt"].is_string() && one["documentId"].is_null()),
        "{list:?}"
    );
    ensure!(
        titles(&list)[0].contains("payment") && titles(&list)[1].contains("quagga"),
        "{list:?}"
    );
    // What was streamed is what is kept: sources, citations, text, in this order.
    let kept = ada.conversation("second").await?;
    ensure!(kept["id"] == "second" && kept["answering"] == false, "{kept}");
    let (asked, answer) = (&kept["messages"][0], &kept["messages"][1]);
    ensure!(asked["role"] == "user" && text_of(asked) == PAYMENT, "{kept}");
    ensure!(answer["role"] == "assistant" && answer["id"] == turn.message_id(), "{kept}");
    ensure!(text_of(answer) == turn.text(), "{kept}");
    let parts = answer["parts"].as_array().context("parts")?;
    let data: Vec<Value> =
        turn.all("data-citation").iter().map(|one| one["data"].clone()).collect();
    let of = |kind: &'static str| parts.iter().filter(move |part| part["type"] == *kind);
    ensure!(of("data-citation").map(|part| part["data"].clone()).eq(data), "{kept}");
    ensure!(of("source-document").count() == turn.all("source-document").len(), "{kept}");
    ensure!(parts.last().is_some_and(|part| part["type"] == "text"), "{kept}");
    // A question moves its conversation to the top.
    ada.ask("first", TUFTS).await?.ended("finish")?;
    ensure!(ada.conversations().await?[0]["id"] == "first");

    ada.post("/chat/first/rename", &[("title", "  Beasts <b>  ")]).await?.expect(204)?;
    ensure!(titles(&ada.conversations().await?).contains(&"Beasts <b>".to_owned()));
    ensure!(!ada.page("/chat").await?.expect(200)?.text().contains("Beasts <b>"));
    for bad in ["   ".to_owned(), "x".repeat(5000)] {
        let answer = ada.post("/chat/first/rename", &[("title", &bad)]).await?;
        // A long one may be cut, an empty one may not be taken.
        ensure!(
            answer.status == 422 || (bad.len() == 5000 && answer.status == 204),
            "{}",
            answer.text()
        );
    }
    let form = ada.request(Method::POST, "/chat/first/rename").form(&[("title", "Beasts")]);
    let answer = ada.send(form.header("accept", "text/html")).await?.expect(303)?;
    ensure!(answer.location().starts_with("/chat"), "{}", answer.location());

    // Content is in the tenant's own database only, and then in none.
    ensure!(app.tenant_count("Ada", ROWS).await? > 0 && app.count(ROWS).await? == 0);
    ada.post("/chat/first/delete", &[]).await?.expect(204)?;
    let form = ada.request(Method::POST, "/chat/second/delete").header("accept", "text/html");
    ensure!(ada.send(form.form(&[("x", "y")])).await?.expect(303)?.location() == "/chat");
    for chat in ["first", "second"] {
        ada.get(&format!("/api/chat/{chat}")).await?.expect_error(404, "not_found")?;
        ada.post(&format!("/chat/{chat}/delete"), &[]).await?.expect_error(404, "not_found")?;
        ensure!(ada.page(&format!("/chat/{chat}")).await?.status == 404);
    }
    ensure!(ada.conversations().await?.is_empty());
    ensure!(app.tenant_count("Ada", ROWS).await? == 0);
    ada.get(&format!("/documents/{id}/file")).await?.expect(200).map(drop)
}

#[tokio::test]
async fn a_follow_up_is_searched_as_a_question_of_its_own() -> Result<()> {
    let lab = lab("chat-follow").await?;
    lab.model.rewrites_to("When is the payment of invoice ZX-4711 due?");
    lab.ada.ask("c1", "What is the number of the invoice?").await?.ended("finish")?;
    ensure!(lab.model.asked().len() == 1, "a first question stands alone");
    lab.model.forget();
    lab.model.answers(&["Within thirty days [1]."]);
    let turn = lab.ada.ask("c1", "And by when?").await?.ended("finish")?;
    ensure!(turn.pages().first() == Some(&(lab.id.clone(), 3)), "{}", turn.shown());
    let asked = lab.model.asked();
    ensure!(asked.iter().map(acceptance::Asked::is_answer).eq([false, true]), "{asked:?}");
    let (rewriting, answer) = (asked[0].prompt(), asked[1].prompt());
    ensure!(
        rewriting.contains("And by when?") && rewriting.contains("number of the invoice"),
        "{rewriting}"
    );
    ensure!(answer.contains("And by when?") && answer.contains("thirty days"), "{answer}");
    ensure!(answer.contains("What is the number of the invoice?"), "{answer}");
    // The person's own words are kept.
    ensure!(texts(&lab.ada.conversation("c1").await?)[2] == "And by when?");
    Ok(())
}

#[tokio::test]
async fn a_follow_up_that_cannot_be_rewritten_is_searched_as_it_stands() -> Result<()> {
    let lab = lab("chat-follow-bad").await?;
    lab.ada.ask("c1", TUFTS).await?.ended("finish")?;
    for useless in ["", " \n ", &"word ".repeat(5000)] {
        lab.model.rewrites_to(useless);
        let turn = lab.ada.ask("c1", PAYMENT).await?.ended("finish")?;
        ensure!(turn.pages().contains(&(lab.id.clone(), 3)), "{useless:.20}: {}", turn.shown());
    }
    Ok(())
}

#[tokio::test]
async fn answers_are_made_anew_and_questions_edited() -> Result<()> {
    let lab = lab("chat-edit").await?;
    let Lab { model, ada, .. } = &lab;
    let again = |body: Value| async move { ada.begin(&body).await?.rest().await?.ended("finish") };
    for (question, answer) in [(TUFTS, "one [1]"), (PAYMENT, "two [1]")] {
        model.answers(&[answer]);
        ada.ask("c1", question).await?.ended("finish")?;
    }
    // The last answer, named or not.
    model.answers(&["three [1]"]);
    again(json!({"id": "c1", "trigger": "regenerate-message"})).await?;
    let kept = ada.conversation("c1").await?;
    ensure!(texts(&kept) == [TUFTS, "one [1]", PAYMENT, "three [1]"], "{kept}");
    model.answers(&["four [1]"]);
    let last = message_ids(&kept)[3].clone();
    again(json!({"id": "c1", "trigger": "regenerate-message", "messageId": last})).await?;
    let kept = ada.conversation("c1").await?;
    ensure!(texts(&kept) == [TUFTS, "one [1]", PAYMENT, "four [1]"], "{kept}");
    // An edited question takes everything after it along.
    model.answers(&["five [1]"]);
    let second = message_ids(&kept)[2].clone();
    let edited = "When is the bill of the invoice to be paid?";
    let mut body = question("c1", edited);
    body["message"]["id"] = json!(second);
    body["messageId"] = json!(second);
    again(body).await?;
    let kept = ada.conversation("c1").await?;
    ensure!(texts(&kept) == [TUFTS, "one [1]", edited, "five [1]"], "{kept}");
    ensure!(message_ids(&kept)[2] == second, "{kept}");
    // An older answer takes everything after it along.
    model.answers(&["six [1]"]);
    let first = message_ids(&kept)[1].clone();
    again(json!({"id": "c1", "trigger": "regenerate-message", "messageId": first})).await?;
    let kept = ada.conversation("c1").await?;
    ensure!(texts(&kept) == [TUFTS, "six [1]"], "{kept}");
    // What is not there cannot be replaced, and nothing is lost by the attempt.
    let mut body = question("c1", "x");
    body["messageId"] = json!("no-such");
    let unknown = json!({"id": "c1", "trigger": "regenerate-message", "messageId": "no-such"});
    let nowhere = json!({"id": "c9", "trigger": "regenerate-message"});
    for body in [body, unknown, nowhere] {
        let answer = ada.refused(&body).await?;
        ensure!([404, 422].contains(&answer.status), "{body}: {}", answer.text());
    }
    ensure!(ada.conversation("c1").await? == kept && ada.conversations().await?.len() == 1);
    Ok(())
}

#[tokio::test]
async fn thumbs_are_kept() -> Result<()> {
    let lab = lab("chat-thumbs").await?;
    lab.ada.ask("c1", TUFTS).await?.ended("finish")?;
    let kept = lab.ada.conversation("c1").await?;
    let ids = message_ids(&kept);
    let answer = ids[1].clone();
    let give = |message: &str, value: Value| {
        lab.ada.send(
            lab.ada.json("/api/chat/c1/feedback", &json!({"messageId": message, "value": value})),
        )
    };
    for value in [1, -1, 0, 1] {
        give(&answer, json!(value)).await?.expect(204)?;
        let kept = lab.ada.conversation("c1").await?;
        ensure!(kept["messages"][1]["metadata"]["feedback"] == value, "{kept}");
    }
    for (message, value) in [
        (answer.as_str(), json!(2)),
        (&answer, json!("up")),
        ("no-such", json!(1)),
        (&ids[0], json!(1)),
    ] {
        let answer = give(message, value.clone()).await?;
        ensure!(
            [400, 404, 422].contains(&answer.status),
            "{message} {value}: {} {}",
            answer.status,
            answer.text()
        );
    }
    ensure!(lab.ada.conversation("c1").await?["messages"][1]["metadata"]["feedback"] == 1);
    Ok(())
}

/// The passage of a document that was read before there was a chat: what this app's forerunner wrote.
async fn read_long_ago(app: &TestApp, document: &str) -> Result<()> {
    let text = "The lighthouse keeper of Skagen counts whales from the upper gallery.";
    let models = app.operator.world.stack().embeddings();
    let asked = json!({"model": models.model, "input": [text]});
    let http = reqwest::Client::builder().no_proxy().build()?;
    let made =
        http.post(format!("{}/embeddings", models.url)).bearer_auth(&models.key).json(&asked);
    let made: Value = made.send().await?.error_for_status()?.json().await?;
    let vector = made["data"][0]["embedding"].to_string();
    let (_, object) = app.tenant_of("Ada").await?;
    let mut session = app.operator.binding(&object).await?.connect().await?;
    sqlx::query("insert into embeddings (document_id, position, page_first, page_last, content, embedding) values ($1::uuid, 0, 1, 1, $2, $3::vector)")
        .bind(document)
        .bind(text)
        .bind(vector)
        .execute(&mut session)
        .await?;
    sqlx::query("update documents set stage = 'ready', pages = 1, passages = 1, embedding_model = $2 where id = $1::uuid")
        .bind(document)
        .bind(&models.model)
        .execute(&app.db)
        .await?;
    sqlx::query("delete from jobs").execute(&app.db).await?;
    Ok(())
}

#[tokio::test]
async fn a_tenant_of_the_first_schema_is_upgraded_and_then_chats() -> Result<()> {
    let app = TestApp::named("chat-upgrade").idle().start().await?;
    let first = app.operator.folder()?.join("first");
    std::fs::create_dir_all(&first)?;
    let migrations = stack::paths::checkout().join("tenant_migrations");
    std::fs::copy(migrations.join("0001_embeddings.sql"), first.join("0001_embeddings.sql"))?;
    app.operator.set_flag("--tenant-migrations", &first);
    app.operator.restart().await?;
    app.begin().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("whales.pdf", acceptance::pdf(&["The lighthouse keeper."])).await?;
    read_long_ago(&app, &id).await?;
    wait_until("the app says so", PATIENCE, async || {
        let words = ada.refused(&question("c1", TUFTS)).await?.expect_error(503, "unavailable")?;
        ensure!(words.contains("being upgraded"), "{words}");
        Ok(())
    })
    .await?;
    let page = ada.page("/chat").await?.text();
    ensure!(page.contains("upgraded"), "{page}");
    app.operator.set_flag("--tenant-migrations", &migrations);
    app.operator.restart().await?;
    let turn = wait_until("the chat answers", PATIENCE, async || {
        ada.ask("c2", "Who counts whales at the lighthouse?").await?.ended("finish")
    })
    .await?;
    ensure!(turn.pages() == [(id.clone(), 1)], "{}", turn.shown());
    ensure!(ada.search("whales").await?.contains(&format!("/documents/{id}?page=1")));
    Ok(())
}
