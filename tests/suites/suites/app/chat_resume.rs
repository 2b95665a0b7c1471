//! Answers that are cut off from whoever asked. In: reloads, second questions, deletions, kills, a second process. Out: the same
//! answer from its start, once and to its end; or its end, told and kept.

use std::time::Duration;

use acceptance::{Fate, PATIENCE, Play, question, text_of, wait_until};
use anyhow::{Result, ensure};
use serde_json::json;

use super::chat::{PAYMENT, TUFTS, lab};
use super::chat_history::{ROWS, texts};

#[tokio::test]
async fn leaving_the_page_does_not_stop_an_answer() -> Result<()> {
    let lab = lab("chat-leave").await?;
    lab.model.answers(&["The lynx ", "hunts at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    drop(stream);
    // Something else is asked and answered meanwhile: time enough to hear of the closed connection.
    for _ in 0..20 {
        lab.ada.get("/api/chat").await?.expect(200)?;
    }
    ensure!(lab.model.last()?.fate() == Fate::Running);
    ensure!(lab.ada.conversation("c1").await?["answering"] == true);
    lab.model.let_go();
    let kept = lab.ada.settled("c1").await?;
    ensure!(text_of(&kept["messages"][1]) == "The lynx hunts at night [1].", "{kept}");
    ensure!(kept["messages"][1]["metadata"]["state"] == "done", "{kept}");
    ensure!(lab.model.last()?.fate() == Fate::Whole);
    Ok(())
}

#[tokio::test]
async fn stop_ends_the_answer_and_the_models_work() -> Result<()> {
    let lab = lab("chat-stop").await?;
    lab.model.answers(&["The lynx ", "hunts at night [1]."]);
    let soon = Duration::from_secs(2);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    lab.ada.stop("c1").await?;
    let turn = stream.within(soon).await?.ended("abort")?;
    lab.model.wait_fate(Fate::Abandoned, soon).await?;
    let kept = lab.ada.settled("c1").await?;
    let answer = &kept["messages"][1];
    ensure!(answer["metadata"]["state"] == "stopped" && text_of(answer) == turn.text(), "{kept}");
    // Where nothing is to be stopped, nothing happens; and before the first word there is something.
    lab.ada.stop("c1").await?;
    lab.ada
        .send(lab.ada.json("/api/chat/no-such/stop", &json!({})))
        .await?
        .expect_error(404, "not_found")?;
    lab.model.forget();
    lab.model.plays(Play::Ignore);
    let mut stream = lab.ada.begin(&question("c1", PAYMENT)).await?;
    stream.until("data-citation").await?;
    lab.model.wait_asked(1).await?;
    lab.ada.stop("c1").await?;
    stream.within(soon).await?.ended("abort")?;
    lab.ada.settled("c1").await?;
    lab.model.answers(&["Within thirty days [1]."]);
    lab.model.let_go();
    ensure!(lab.ada.ask("c1", PAYMENT).await?.ended("finish")?.text().contains("thirty days"));
    ensure!(
        tokio::time::timeout(PATIENCE, lab.ada.conversation("c1")).await??["messages"]
            .as_array()
            .is_some_and(|all| all.len() == 6)
    );
    Ok(())
}

#[tokio::test]
async fn a_reload_in_mid_answer_shows_it_from_the_start_and_goes_on() -> Result<()> {
    let lab = lab("chat-reload").await?;
    lab.model.answers(&["The lynx ", "hunts ", "at night [1]."]);
    lab.model.hold_after(2);
    let mut first = lab.ada.begin(&question("c1", TUFTS)).await?;
    first.until_text("hunts").await?;
    let mut second = lab.ada.replay("c1").await?;
    second.until_text("The lynx hunts").await?;
    ensure!(second.so_far().message_id() == first.so_far().message_id());
    let kept = lab.ada.conversation("c1").await?;
    ensure!(kept["answering"] == true && kept["messages"][0]["role"] == "user", "{kept}");
    // A page that is opened now shows the question.
    ensure!(lab.ada.page("/chat/c1").await?.expect(200)?.text().contains("tufts"));
    lab.model.let_go();
    let (first, second) =
        (first.rest().await?.ended("finish")?, second.rest().await?.ended("finish")?);
    ensure!(first.text() == "The lynx hunts at night [1]." && second.text() == first.text());
    for kind in ["source-document", "data-citation", "finish"] {
        ensure!(first.all(kind) == second.all(kind), "{} {}", first.shown(), second.shown());
    }
    ensure!(lab.model.answers_asked().len() == 1);
    lab.ada.settled("c1").await?;
    lab.ada.get("/api/chat/c1/stream").await?.expect(204)?;
    let nowhere = lab.ada.get("/api/chat/no-such/stream").await?;
    ensure!([204, 404].contains(&nowhere.status), "{}", nowhere.status);
    Ok(())
}

#[tokio::test]
async fn a_question_while_an_answer_runs_is_refused() -> Result<()> {
    let lab = lab("chat-busy").await?;
    lab.model.answers(&["The lynx ", "hunts [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    for body in [question("c1", PAYMENT), json!({"id": "c1", "trigger": "regenerate-message"})] {
        let words = lab.ada.refused(&body).await?.expect_error(409, "conflict")?;
        ensure!(!words.is_empty());
    }
    lab.model.let_go();
    stream.rest().await?.ended("finish")?;
    lab.ada.settled("c1").await?;
    // Two at the same moment: one is answered, none is lost in between.
    lab.model.hold_after(1);
    let sent = [question("c1", PAYMENT), question("c1", PAYMENT)]
        .map(|body| lab.ada.json("/api/chat", &body).send());
    let both = futures::future::try_join_all(sent).await?;
    let mut statuses: Vec<u16> = both.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    ensure!(statuses == [200, 409], "{statuses:?}");
    lab.model.let_go();
    drop(both);
    let kept = lab.ada.settled("c1").await?;
    ensure!(texts(&kept).len() == 4, "{kept}");
    Ok(())
}

#[tokio::test]
async fn a_question_that_is_sent_twice_is_asked_once() -> Result<()> {
    let lab = lab("chat-again").await?;
    let body = question("c1", TUFTS);
    lab.ada.begin(&body).await?.rest().await?.ended("finish")?;
    // The same message again, as after a lost answer: it is not there twice.
    let again = lab.ada.send(lab.ada.json("/api/chat", &body)).await?;
    ensure!([200, 409, 422].contains(&again.status), "{} {}", again.status, again.text());
    let kept = lab.ada.settled("c1").await?;
    ensure!(texts(&kept).len() == 2, "{kept}");
    Ok(())
}

#[tokio::test]
async fn deleting_a_conversation_ends_its_answer_for_good() -> Result<()> {
    let lab = lab("chat-delete").await?;
    lab.model.answers(&["The quagga ", "hunts [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The quagga").await?;
    lab.ada.post("/chat/c1/delete", &[]).await?.expect(204)?;
    lab.model.wait_fate(Fate::Abandoned, Duration::from_secs(5)).await?;
    let turn = stream.within(Duration::from_secs(5)).await?;
    ensure!(turn.end() != "finish", "{}", turn.shown());
    lab.model.let_go();
    lab.ada.ask("c2", PAYMENT).await?.ended("finish")?;
    lab.ada.post("/chat/c2/delete", &[]).await?.expect(204)?;
    ensure!(lab.ada.conversations().await?.is_empty());
    ensure!(lab.app.tenant_count("Ada", ROWS).await? == 0);
    Ok(())
}

#[tokio::test]
async fn a_kill_in_mid_answer_loses_no_word_that_was_kept() -> Result<()> {
    let lab = lab("chat-kill").await?;
    lab.model.answers(&["The quagga ", "hunts ", "at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The quagga").await?;
    wait_until("what was written is kept", Duration::from_secs(10), async || {
        ensure!(lab.app.tenant_count("Ada", ROWS).await? > 0, "not yet");
        Ok(())
    })
    .await?;
    lab.app.kill_and_begin().await?;
    drop(stream);
    let ada = lab.app.person("Ada").await?;
    // Nobody answers any more, and that is seen without a deadline of minutes.
    let kept = ada.settled("c1").await?;
    let answer = &kept["messages"][1];
    ensure!(
        answer["metadata"]["state"] == "failed" && answer["metadata"]["words"].is_string(),
        "{kept}"
    );
    ensure!(text_of(answer).trim_end() == "The quagga", "{kept}");
    ensure!(
        answer["parts"]
            .as_array()
            .is_some_and(|all| all.iter().any(|part| part["type"] == "data-citation")),
        "{kept}"
    );
    ada.get("/api/chat/c1/stream").await?.expect(204)?;
    lab.model.let_go();
    ada.ask("c1", PAYMENT).await?.ended("finish")?;
    let kept = ada.settled("c1").await?;
    ensure!(texts(&kept).len() == 4, "{kept}");
    Ok(())
}

#[tokio::test]
async fn an_app_that_is_told_to_end_lets_its_answers_end_first() -> Result<()> {
    let lab = lab("chat-graceful").await?;
    lab.model.answers(&["The lynx ", "hunts at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    let ending = lab.app.end();
    let reading = async {
        wait_until("the app was told", PATIENCE, async || {
            ensure!(lab.app.log_text().contains("ending after what is in hand"));
            Ok(())
        })
        .await?;
        lab.model.let_go();
        stream.rest().await?.ended("finish")
    };
    let (status, turn) = tokio::join!(ending, reading);
    ensure!(status?.success() && turn?.text() == "The lynx hunts at night [1].");
    lab.app.begin().await?;
    let kept = lab.app.person("Ada").await?.settled("c1").await?;
    ensure!(kept["messages"][1]["metadata"]["state"] == "done", "{kept}");
    Ok(())
}

#[tokio::test]
async fn an_app_that_is_told_to_end_says_how_its_answers_ended() -> Result<()> {
    let lab = lab("chat-sigterm").await?;
    lab.model.answers(&["The lynx ", "hunts at night [1]."]);
    lab.model.hold_after(1);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("The lynx").await?;
    let ending = lab.app.end();
    let reading = stream.within(PATIENCE);
    let (status, turn) = tokio::join!(ending, reading);
    ensure!(status?.success());
    ensure!(turn?.end() != "finish");
    lab.app.begin().await?;
    let ada = lab.app.person("Ada").await?;
    let kept = ada.settled("c1").await?;
    ensure!(
        ["failed", "stopped"]
            .iter()
            .any(|state| kept["messages"][1]["metadata"]["state"] == **state),
        "{kept}"
    );
    ensure!(text_of(&kept["messages"][1]).starts_with("The lynx"), "{kept}");
    Ok(())
}

#[tokio::test]
async fn another_process_replays_the_answer_and_stops_it() -> Result<()> {
    let lab = lab("chat-two").await?;
    let there = lab.ada.at(&lab.app.begin_beside().await?)?;
    lab.app.wait_database("Ada").await?;
    lab.model.answers(&["The lynx ", "hunts ", "at night [1]."]);
    lab.model.hold_after(1);
    let mut here = lab.ada.begin(&question("c1", TUFTS)).await?;
    here.until_text("The lynx").await?;
    let mut replayed =
        wait_until("the other process knows of it", PATIENCE, async || there.replay("c1").await)
            .await?;
    replayed.until_text("The lynx").await?;
    ensure!(replayed.so_far().message_id() == here.so_far().message_id());
    there.refused(&question("c1", PAYMENT)).await?.expect_error(409, "conflict")?;
    lab.model.hold_after(2);
    replayed.until_text("hunts").await?;
    there.stop("c1").await?;
    let (here, replayed) = (
        here.within(Duration::from_secs(5)).await?,
        replayed.within(Duration::from_secs(5)).await?,
    );
    ensure!(
        here.end() == "abort" && replayed.end() == "abort",
        "{} {}",
        here.shown(),
        replayed.shown()
    );
    lab.model.wait_fate(Fate::Abandoned, Duration::from_secs(2)).await?;
    let kept = there.settled("c1").await?;
    ensure!(kept["messages"][1]["metadata"]["state"] == "stopped", "{kept}");
    ensure!(text_of(&kept["messages"][1]).trim_end() == "The lynx hunts", "{kept}");
    // To its end as well.
    lab.model.hold_after(1);
    let mut here = lab.ada.begin(&question("c2", TUFTS)).await?;
    here.until_text("The lynx").await?;
    let replayed = there.replay("c2").await?;
    lab.model.let_go();
    let (here, replayed) =
        (here.rest().await?.ended("finish")?, replayed.rest().await?.ended("finish")?);
    ensure!(
        here.text() == replayed.text() && here.pages() == replayed.pages(),
        "{}",
        replayed.shown()
    );
    Ok(())
}

#[tokio::test]
async fn a_long_answer_is_kept_and_replayed_whole() -> Result<()> {
    let lab = lab("chat-long-answer").await?;
    let words: Vec<String> = (0..2000).map(|n| format!("word{n} – ünïcode 動物 ")).collect();
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    lab.model.plays(Play::answer(&texts));
    lab.model.hold_after(1999);
    let mut stream = lab.ada.begin(&question("c1", TUFTS)).await?;
    stream.until_text("word1990 ").await?;
    let mut replayed = lab.ada.replay("c1").await?;
    replayed.until_text("word1990 ").await?;
    lab.model.let_go();
    let (first, second) =
        (stream.rest().await?.ended("finish")?, replayed.rest().await?.ended("finish")?);
    ensure!(first.text().trim_end() == words.concat().trim_end() && second.text() == first.text());
    let kept = lab.ada.settled("c1").await?;
    ensure!(text_of(&kept["messages"][1]) == first.text());
    Ok(())
}
