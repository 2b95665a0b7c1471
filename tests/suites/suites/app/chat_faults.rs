//! What the chat depends on is away, slow or wrong. In: a model that fails in every way, a tenant's database that stops. Out: the
//! passages with their pages, or an error that says so; what was written is kept; nothing hangs, and the next question works.

use std::time::Duration;

use acceptance::{
    ChatModel, End, NOWHERE, PATIENCE, Play, TestApp, Turn, pdf, question, text_of, wait_until,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::chat::{Lab, PAYMENT, TUFTS, lab, lab_with};

/// The passages take the answer's place, and it is said why.
fn passages_instead(turn: &Turn, document: &str) -> Result<()> {
    ensure!(turn.end() == "finish", "{}", turn.shown());
    ensure!(turn.pages().first() == Some(&(document.to_owned(), 2)), "{}", turn.shown());
    ensure!(!turn.note().is_empty(), "{}", turn.shown());
    Ok(())
}

/// The last message, once nothing is answered any more.
async fn last_kept(lab: &Lab, chat: &str) -> Result<Value> {
    let kept = lab.ada.settled(chat).await?;
    kept["messages"]
        .as_array()
        .and_then(|all| all.last())
        .cloned()
        .with_context(|| kept.to_string())
}

/// The answer broke off: it is kept as far as it came, and marked.
async fn failed_in_the_middle(lab: &Lab, chat: &str, turn: &Turn) -> Result<()> {
    let error = turn.chunks.last().and_then(|last| last["errorText"].as_str()).unwrap_or_default();
    ensure!(turn.end() == "error" && !error.is_empty(), "{}", turn.shown());
    ensure!(!error.contains("127.0.0.1") && !error.contains(ChatModel::KEY), "{error}");
    let kept = last_kept(lab, chat).await?;
    ensure!(kept["role"] == "assistant" && text_of(&kept) == turn.text(), "{kept}");
    ensure!(kept["metadata"]["state"] == "failed", "{kept}");
    ensure!(kept["metadata"]["words"].as_str().is_some_and(|words| !words.is_empty()), "{kept}");
    Ok(())
}

#[tokio::test]
async fn without_a_chat_model_the_passages_are_the_answer() -> Result<()> {
    let setup = TestApp::named("chat-none").without_env("CHAT_URL").without_env("CHAT_MODEL");
    let app = setup.start().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("animals.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    let turn = ada.ask("c1", TUFTS).await?;
    passages_instead(&turn, &id)?;
    let kept = ada.conversation("c1").await?;
    let metadata = &kept["messages"][1]["metadata"];
    ensure!(metadata["model"].is_null() && metadata["state"] == "done", "{kept}");
    // The note is part of the answer, and stays.
    ensure!(
        kept.to_string().contains("data-note")
            || text_of(&kept["messages"][1]).contains(&turn.note()),
        "{kept}"
    );
    // A follow-up cannot be rewritten, and is answered.
    ensure!(ada.ask("c1", PAYMENT).await?.ended("finish")?.pages().contains(&(id, 3)));
    Ok(())
}

#[tokio::test]
async fn a_model_that_refuses_connections_leaves_the_passages() -> Result<()> {
    let setup = TestApp::named("chat-down").env("CHAT_URL", NOWHERE).env("CHAT_MODEL", "none");
    let app = setup.start().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("animals.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    passages_instead(&ada.ask("c1", TUFTS).await?, &id)?;
    // The follow-up's rewriting fails as well.
    passages_instead(&ada.ask("c1", "And which animal has a fur that turns grey?").await?, &id)
}

#[tokio::test]
async fn a_model_that_refuses_leaves_the_passages_and_its_key_is_shown_nowhere() -> Result<()> {
    let lab = lab("chat-refused").await?;
    for (chat, status, retry_after) in [
        ("key", 401, None),
        ("forbidden", 403, None),
        ("busy", 429, Some(30)),
        ("broken", 500, None),
        ("away", 503, Some(30)),
    ] {
        lab.model.plays(Play::Refuse(status, retry_after));
        let asking = lab.ada.ask(chat, TUFTS);
        // Nobody waits for as long as the model would like.
        let turn = tokio::time::timeout(Duration::from_secs(20), asking).await.context(chat)??;
        passages_instead(&turn, &lab.id).context(chat)?;
        let kept = last_kept(&lab, chat).await?;
        ensure!(kept["metadata"]["state"] == "done", "{chat}: {kept}");
        ensure!(
            !turn.shown().contains(ChatModel::KEY) && !kept.to_string().contains(ChatModel::KEY)
        );
    }
    ensure!(!lab.app.log_text().contains(ChatModel::KEY));
    lab.model.answers(&["The lynx [1]."]);
    ensure!(lab.ada.ask("key", TUFTS).await?.ended("finish")?.text() == "The lynx [1].");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_kept_as_far_as_it_came() -> Result<()> {
    let lab = lab("chat-cut").await?;
    for (chat, end) in [
        ("cut", End::Cut),
        ("silent", End::Silent),
        ("no-json", End::Data("{\"choices\": [".to_owned())),
        ("html", End::Data("<html>Bad gateway</html>".to_owned())),
        ("other-json", End::Data(r#"{"choices":[{"index":0,"delta":42}]}"#.to_owned())),
        ("list", End::Data("[1,2,3]".to_owned())),
        (
            "error",
            End::Data(
                r#"{"error":{"message":"the GPU is on fire","type":"server_error"}}"#.to_owned(),
            ),
        ),
    ] {
        lab.model.plays(Play::ending(&["The lynx ", "hunts at night [1]. "], end));
        let turn = lab.ada.ask(chat, TUFTS).await?;
        ensure!(
            turn.text().starts_with("The lynx hunts at night [1]."),
            "{chat}: {}",
            turn.shown()
        );
        failed_in_the_middle(&lab, chat, &turn).await.context(chat)?;
    }
    // It is tried again, and the failed one is gone.
    lab.model.answers(&["The lynx [1]."]);
    let again = serde_json::json!({"id": "cut", "trigger": "regenerate-message"});
    lab.ada.begin(&again).await?.rest().await?.ended("finish")?;
    let kept = lab.ada.settled("cut").await?;
    ensure!(kept["messages"].as_array().is_some_and(|all| all.len() == 2), "{kept}");
    ensure!(kept["messages"][1]["metadata"]["state"] == "done", "{kept}");
    Ok(())
}

#[tokio::test]
async fn a_model_that_stays_silent_is_given_up_in_time() -> Result<()> {
    let lab = lab_with(TestApp::named("chat-silent").env("CHAT_SECONDS", "2")).await?;
    lab.model.plays(Play::Ignore);
    let turn = tokio::time::timeout(Duration::from_secs(20), lab.ada.ask("never", TUFTS)).await??;
    // Nothing was said yet: the passages are better than nothing.
    passages_instead(&turn, &lab.id)?;
    lab.model.plays(Play::ending(&["The lynx "], End::Hang));
    let turn = tokio::time::timeout(Duration::from_secs(20), lab.ada.ask("half", TUFTS)).await??;
    ensure!(turn.text().trim() == "The lynx", "{}", turn.shown());
    failed_in_the_middle(&lab, "half", &turn).await?;
    lab.model.wait_fate(acceptance::Fate::Abandoned, Duration::from_secs(5)).await?;
    lab.model.answers(&["The lynx [1]."]);
    lab.ada.ask("half", TUFTS).await?.ended("finish").map(drop)
}

#[tokio::test]
async fn an_answer_that_was_cut_by_its_model_says_so() -> Result<()> {
    let lab = lab("chat-reasons").await?;
    for (reason, shown) in [("length", "length"), ("content_filter", "content-filter")] {
        lab.model.plays(Play::ending(&["The lynx ", "hunts [1]"], End::Finish(reason)));
        let turn = lab.ada.ask(shown, TUFTS).await?.ended("finish")?;
        ensure!(turn.reason() == shown, "{}", turn.shown());
        ensure!(turn.text().starts_with("The lynx hunts [1]"), "{}", turn.shown());
        // It says so, now and later.
        let note = turn.note();
        ensure!(!note.is_empty(), "{}", turn.shown());
        let kept = last_kept(&lab, shown).await?;
        ensure!(kept.to_string().contains(&note), "{kept}");
        ensure!(kept["metadata"]["state"] == "done", "{kept}");
    }
    // Nothing at all, because of the filter, is an answer too: it says so.
    lab.model.plays(Play::ending(&[], End::Finish("content_filter")));
    let turn = lab.ada.ask("nothing", TUFTS).await?.ended("finish")?;
    ensure!(turn.reason() == "content-filter", "{}", turn.shown());
    Ok(())
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_asked_again_with_less() -> Result<()> {
    let lab = lab("chat-long").await?;
    let pages: Vec<String> = (1..=12)
        .map(|n| {
            format!(
                "Report {n} about the lynx with black tufts on its ears. {}",
                "The lynx was seen in the forest near the old mill at dusk. ".repeat(20 + n)
            )
        })
        .collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let id = lab.ada.uploaded("reports.pdf", pdf(&pages)).await?;
    lab.app.wait_stage(&id, "ready").await?;
    lab.ada.ask("first", TUFTS).await?.ended("finish")?;
    let whole = lab.model.last()?.prompt().chars().count();
    lab.model.forget();
    lab.model.plays(Play::AtMost(whole * 2 / 3, vec!["The lynx [1].".to_owned()]));
    let turn = lab.ada.ask("second", TUFTS).await?.ended("finish")?;
    ensure!(turn.reason() == "stop" && turn.text() == "The lynx [1].", "{}", turn.shown());
    let lengths: Vec<usize> =
        lab.model.answers_asked().iter().map(|asked| asked.prompt().chars().count()).collect();
    ensure!(lengths.len() >= 2 && lengths.is_sorted_by(|a, b| a > b), "{lengths:?} of {whole}");
    // Where nothing fits, the passages are the answer.
    lab.model.plays(Play::AtMost(1, Vec::new()));
    let turn = lab.ada.ask("third", TUFTS).await?.ended("finish")?;
    ensure!(!turn.pages().is_empty() && !turn.note().is_empty(), "{}", turn.shown());
    Ok(())
}

/// The tenant's database lets nobody in, and whoever is in is cut; or the other way round.
async fn database(lab: &Lab, acts: &[&str]) -> Result<()> {
    let (_, object) = lab.app.tenant_of("Ada").await?;
    let project = acceptance::project_id(&lab.app.operator.tenant(&object).await?)?;
    let endpoint = lab.app.operator.neon.endpoint(&project).await?.endpoint_id;
    for act in acts {
        lab.app.operator.neon.on_endpoint(&endpoint, act).await?;
    }
    Ok(())
}

async fn lab_of_a_database(name: &str) -> Result<Lab> {
    let setup =
        TestApp::named(name).env("TENANT_CONNECT_SECONDS", "2").env("TENANT_IDLE_SECONDS", "1");
    lab_with(setup).await
}

/// The conversation is whole, and goes on.
async fn goes_on(lab: &Lab, chat: &str) -> Result<()> {
    lab.model.let_go();
    lab.model.answers(&["Within thirty days [1]."]);
    let turn = wait_until("the next question is answered", PATIENCE, async || {
        lab.ada.ask(chat, PAYMENT).await?.ended("finish")
    })
    .await?;
    ensure!(turn.text() == "Within thirty days [1].", "{}", turn.shown());
    let kept = lab.ada.settled(chat).await?;
    let messages = kept["messages"].as_array().context("messages")?;
    let states: Vec<&Value> =
        messages.iter().map(|message| &message["metadata"]["state"]).collect();
    ensure!(!states.iter().any(|state| **state == "answering"), "{kept}");
    // Questions and answers take turns, whatever happened.
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    ensure!(roles.chunks(2).all(|pair| pair == ["user", "assistant"]), "{roles:?}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_away_is_said_before_the_answer() -> Result<()> {
    let lab = lab_of_a_database("chat-db-before").await?;
    lab.ada.ask("kept", TUFTS).await?.ended("finish")?;
    database(&lab, &["refuse", "cut"]).await?;
    let sent = lab.ada.json("/api/chat", &question("c1", TUFTS));
    let answer = tokio::time::timeout(Duration::from_secs(30), lab.ada.send(sent))
        .await
        .context("it hangs")??;
    if answer.status == 200 {
        ensure!(answer.text().contains("\"type\":\"error\""), "{}", answer.text());
    } else {
        let words = answer.expect_error(503, "unavailable")?;
        ensure!(words.contains("database"), "{words}");
    }
    // Other pages of the app are as before, and those of the chat say why not.
    lab.ada.get("/documents/list").await?.expect(200)?;
    for path in ["/api/chat", "/api/chat/kept", "/api/chat/kept/stream"] {
        lab.ada.get(path).await?.expect_error(503, "unavailable").context(path)?;
    }
    let page = lab.ada.page("/chat").await?;
    ensure!(page.text().contains("does not answer"), "{} {}", page.status, page.text());
    database(&lab, &["accept"]).await?;
    goes_on(&lab, "c1").await?;
    goes_on(&lab, "kept").await
}

#[tokio::test]
async fn a_database_that_goes_away_in_mid_answer_takes_no_word_with_it() -> Result<()> {
    let lab = lab_of_a_database("chat-db-amid").await?;
    lab.model.answers(&["The lynx ", "hunts ", "at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    database(&lab, &["refuse", "cut"]).await?;
    lab.model.let_go();
    let turn = stream.within(Duration::from_secs(45)).await?;
    match turn.end() {
        "finish" => ensure!(turn.text() == "The lynx hunts at night [1].", "{}", turn.shown()),
        end => ensure!(end == "error", "{}", turn.shown()),
    }
    database(&lab, &["accept"]).await?;
    let kept = wait_until("the answer has an end", PATIENCE, async || {
        let kept = last_kept(&lab, "c1").await?;
        ensure!(kept["role"] == "assistant", "{kept}");
        Ok(kept)
    })
    .await?;
    ensure!(turn.text().starts_with(&text_of(&kept)), "{kept}");
    match kept["metadata"]["state"].as_str() {
        Some("done") => ensure!(text_of(&kept) == turn.text() && turn.end() == "finish", "{kept}"),
        state => ensure!(state == Some("failed"), "{kept}"),
    }
    goes_on(&lab, "c1").await
}

#[tokio::test]
async fn a_database_that_blinks_in_mid_answer_is_not_noticed() -> Result<()> {
    let lab = lab_of_a_database("chat-db-blink").await?;
    lab.model.answers(&["The lynx ", "hunts ", "at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    database(&lab, &["cut", "suspend"]).await?;
    lab.model.let_go();
    let turn = stream.rest().await?.ended("finish")?;
    let kept = last_kept(&lab, "c1").await?;
    ensure!(kept["metadata"]["state"] == "done" && text_of(&kept) == turn.text(), "{kept}");
    goes_on(&lab, "c1").await
}
