//! The chat, as a page's script meets it. In: questions about documents, a model that a test leads. Out: sources first, then text
//! as it is written, every number with a source that holds what is said; and honest words where the documents do not answer.

use acceptance::{
    AppSetup, ChatModel, Person, TestApp, numbers, pdf, question, question_about, text_of,
};
use anyhow::{Context, Result, ensure};

/// What page 2 of [`super::animals`] answers.
pub(crate) const TUFTS: &str = "Which animal has black tufts on its ears?";
/// What page 3 answers.
pub(crate) const PAYMENT: &str = "When is the payment of the invoice due?";
/// What no page answers.
pub(crate) const ELSEWHERE: &str = "Who won the chess championship of 1972 in Reykjavik?";

/// An app with a scripted model, and Ada, whose document about three things is ready.
pub(crate) struct Lab {
    pub(crate) model: ChatModel,
    pub(crate) app: TestApp,
    pub(crate) ada: Person,
    /// The document.
    pub(crate) id: String,
}

/// See there.
pub(crate) async fn lab(name: &str) -> Result<Lab> {
    lab_with(TestApp::named(name)).await
}

/// The same with settings.
pub(crate) async fn lab_with(setup: AppSetup) -> Result<Lab> {
    let model = ChatModel::start().await?;
    let app = model.behind(setup).start().await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("animals.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    Ok(Lab { model, app, ada, id })
}

#[tokio::test]
async fn sources_come_before_the_text_and_every_number_has_one() -> Result<()> {
    let lab = lab("chat-sources").await?;
    lab.model.answers(&[
        "The lynx [",
        "1] has **tuf",
        "ts** [99] and",
        " hunts [1, 2, 77] at night [",
        "9",
        "8].",
    ]);
    let turn = lab.ada.ask("c1", TUFTS).await?.ended("finish")?;
    ensure!(turn.reason() == "stop", "{}", turn.shown());
    let kinds: Vec<&str> = turn.chunks.iter().filter_map(|chunk| chunk["type"].as_str()).collect();
    ensure!(kinds[..2] == ["start", "start-step"] && kinds.contains(&"data-status"), "{kinds:?}");
    ensure!(kinds.ends_with(&["text-end", "finish-step", "finish"]), "{kinds:?}");
    let start = &turn.chunks[0]["messageMetadata"];
    ensure!(start["chatId"] == "c1" && start["model"] == ChatModel::NAME, "{start}");
    ensure!(start["title"].as_str().is_some_and(|title| title.contains("tufts")), "{start}");
    for status in turn.all("data-status") {
        ensure!(status["transient"] == true && status["data"]["words"].is_string(), "{status}");
    }
    // What the model made up is gone, what it may say is there.
    let text = turn.text();
    ensure!(text.starts_with("The lynx [1] has **tufts**") && text.contains("hunts"), "{text}");
    ensure!(!["99", "98", "77"].iter().any(|n| text.contains(n)), "{text}");
    ensure!(numbers(&text).contains(&1), "{text}");
    // The first source is the page that answers, and it says so in full.
    let (source, citation) = (&turn.all("source-document")[0], &turn.all("data-citation")[0]);
    ensure!(
        source["mediaType"] == "application/pdf" && source["filename"] == "animals.pdf",
        "{source}"
    );
    ensure!(source["title"] == "animals, page 2", "{source}");
    ensure!(source["sourceId"] == citation["id"], "{source} {citation}");
    let (of_source, of_citation) = (&source["providerMetadata"]["tenantry"], &citation["data"]);
    for about in [of_source, of_citation] {
        ensure!(about["n"] == 1 && about["documentId"] == *lab.id, "{about}");
        ensure!(about["page"] == 2 && about["lastPage"].as_i64() >= Some(2), "{about}");
    }
    ensure!(of_citation["href"] == format!("/documents/{}?page=2", lab.id), "{citation}");
    ensure!(
        of_citation["quote"].as_str().is_some_and(|quote| quote.contains("black tufts")),
        "{citation}"
    );
    lab.ada.page(of_citation["href"].as_str().unwrap_or_default()).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn every_word_is_there_at_once_and_never_compressed() -> Result<()> {
    let lab = lab("chat-flush").await?;
    lab.model.answers(&["The lynx ", "hunts ", "at night [1]."]);
    for (chat, encoding) in [("plain", ""), ("gzip", "gzip, deflate, br, zstd")] {
        lab.model.hold_after(0);
        let mut request = lab.ada.json("/api/chat", &question(chat, TUFTS));
        if !encoding.is_empty() {
            request = request.header("accept-encoding", encoding);
        }
        let mut stream = lab.ada.stream(request).await?;
        let header = |name: &str| stream.headers.get(name).and_then(|value| value.to_str().ok());
        ensure!(header("x-vercel-ai-ui-message-stream") == Some("v1"), "{:?}", stream.headers);
        ensure!(header("content-encoding").is_none(), "{:?}", stream.headers);
        ensure!(header("x-accel-buffering") == Some("no"), "{:?}", stream.headers);
        ensure!(
            header("cache-control").is_some_and(|kept| kept.contains("no-")),
            "{:?}",
            stream.headers
        );
        // The sources come while the model still thinks, each piece while it holds the next.
        stream.until("data-citation").await?;
        for (count, text) in [(1, "The lynx"), (2, "hunts")] {
            lab.model.hold_after(count);
            stream.until_text(text).await?;
        }
        lab.model.let_go();
        ensure!(stream.rest().await?.text() == "The lynx hunts at night [1].");
    }
    Ok(())
}

#[tokio::test]
async fn a_conversation_about_one_document_uses_no_other() -> Result<()> {
    let lab = lab("chat-one").await?;
    let other = pdf(&["Another cat with black tufts on its ears is the caracal of the savannah."]);
    let other = lab.ada.uploaded("caracal.pdf", other).await?;
    lab.app.wait_stage(&other, "ready").await?;
    let all = lab.ada.ask("all", TUFTS).await?;
    let of_both =
        [&lab.id, &other].map(|id| all.pages().iter().any(|(document, _)| document == id));
    ensure!(of_both == [true, true], "{:?}", all.pages());
    // It is chosen when the conversation begins, and stays.
    let first = lab.ada.begin(&question_about("one", &other, TUFTS)).await?.rest().await?;
    lab.model.rewrites_to("Which cat of the savannah has black tufts on its ears?");
    let second = lab.ada.ask("one", "And which one of the savannah?").await?;
    let third = question_about("one", &lab.id, "Is that a cat of the savannah?");
    let third = lab.ada.begin(&third).await?.rest().await?;
    for turn in [&first, &second, &third] {
        ensure!(!turn.pages().is_empty(), "{}", turn.shown());
        ensure!(turn.pages().iter().all(|(document, _)| *document == other), "{:?}", turn.pages());
    }
    let (one, all) = (lab.ada.conversation("one").await?, lab.ada.conversation("all").await?);
    ensure!(one["documentId"] == *other && all["documentId"].is_null(), "{one} {all}");
    Ok(())
}

#[tokio::test]
async fn the_model_reads_passages_as_data_and_nobody_elses() -> Result<()> {
    let lab = lab("chat-prompt").await?;
    let bob = lab.app.ready_person("Bob").await?;
    let secret = pdf(&[
        "Bob keeps a serval with black tufts on its ears in the cellar, code word MARZIPAN.",
    ]);
    let secret = bob.uploaded("serval.pdf", secret).await?;
    lab.app.wait_stage(&secret, "ready").await?;
    bob.ask("c1", TUFTS).await?.ended("finish")?;
    ensure!(lab.model.last()?.prompt().contains("MARZIPAN"));
    let turn = lab.ada.ask("c1", TUFTS).await?.ended("finish")?;
    ensure!(
        !turn.shown().contains("MARZIPAN") && !turn.shown().contains(&secret),
        "{}",
        turn.shown()
    );
    let asked = lab.model.last()?;
    let prompt = asked.prompt();
    ensure!(
        asked.key == ChatModel::KEY && asked.body["model"] == ChatModel::NAME,
        "{}",
        asked.body
    );
    ensure!(!prompt.contains("MARZIPAN") && !prompt.contains("serval"), "{prompt}");
    ensure!(prompt.contains(TUFTS), "{prompt}");
    // Data in a fence, not orders.
    ensure!(!asked.orders().contains("black tufts"), "{}", asked.orders());
    let at = prompt.find("Its ears end in black tufts").context("the passage")?;
    let (before, after) = prompt.split_at(at);
    ensure!(before.rfind("<source") > before.rfind("</source>"), "{prompt}");
    let closed = after.find("</source>").context("the fence is open")?;
    ensure!(after.find("<source").is_none_or(|next| closed < next), "{prompt}");
    ensure!(prompt.matches("<source ").count() <= prompt.matches("</source>").count(), "{prompt}");
    Ok(())
}

#[tokio::test]
async fn what_the_documents_do_not_answer_is_said_without_the_model() -> Result<()> {
    let lab = lab("chat-refuse").await?;
    let turn = lab.ada.ask("c1", ELSEWHERE).await?.ended("finish")?;
    ensure!(turn.pages().is_empty() && !turn.text().is_empty(), "{}", turn.shown());
    ensure!(lab.model.asked().is_empty(), "{:?}", lab.model.last()?.body);
    let kept = lab.ada.conversation("c1").await?;
    ensure!(text_of(&kept["messages"][1]) == turn.text(), "{kept}");
    ensure!(kept["messages"][1]["metadata"]["state"] == "done", "{kept}");
    // The conversation is none the worse for it.
    lab.ada.ask("c1", TUFTS).await?.ended("finish")?;
    ensure!(lab.model.answers_asked().len() == 1);
    // Somebody who has no documents is told what to do.
    let bob = lab.app.ready_person("Bob").await?;
    let turn = bob.ask("c1", TUFTS).await?.ended("finish")?;
    let said = format!("{} {}", turn.text(), turn.note()).to_lowercase();
    ensure!(turn.pages().is_empty() && said.contains("upload"), "{}", turn.shown());
    ensure!(lab.model.answers_asked().len() == 1);
    Ok(())
}

#[tokio::test]
async fn a_document_that_is_not_read_yet_is_said() -> Result<()> {
    let lab = lab("chat-unread").await?;
    let scan = lab.ada.uploaded("scan.pdf", pdf(&[""])).await?;
    lab.app.wait_stage(&scan, "failed").await?;
    let turn =
        lab.ada.begin(&question_about("c1", &scan, TUFTS)).await?.rest().await?.ended("finish")?;
    ensure!(turn.pages().is_empty(), "{}", turn.shown());
    let said = format!("{} {}", turn.text(), turn.note());
    ensure!(said.contains("read"), "{said}");
    ensure!(lab.model.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn two_people_are_answered_at_the_same_time() -> Result<()> {
    let lab = lab("chat-both").await?;
    let bob = lab.app.ready_person("Bob").await?;
    let id = bob.uploaded("animals.pdf", super::animals()).await?;
    lab.app.wait_stage(&id, "ready").await?;
    lab.model.answers(&["One ", "two ", "three [1]."]);
    lab.model.hold_after(1);
    // The same id, and two conversations of one person: none waits for another.
    let mut streams = vec![
        lab.ada.begin(&question("c1", TUFTS)).await?,
        lab.ada.begin(&question("c2", PAYMENT)).await?,
        bob.begin(&question("c1", TUFTS)).await?,
    ];
    for stream in &mut streams {
        stream.until_text("One").await?;
    }
    lab.model.let_go();
    let mut ids = Vec::new();
    for stream in streams {
        let turn = stream.rest().await?.ended("finish")?;
        ensure!(turn.text() == "One two three [1].", "{}", turn.shown());
        ids.push(turn.message_id());
    }
    ids.sort();
    ids.dedup();
    ensure!(ids.len() == 3, "{ids:?}");
    Ok(())
}

#[tokio::test]
async fn answers_wait_for_their_turn_at_a_busy_model() -> Result<()> {
    let lab = lab_with(TestApp::named("chat-turns").env("CHAT_CONCURRENCY", "1")).await?;
    lab.model.answers(&["The lynx ", "hunts [1]."]);
    lab.model.hold_after(1);
    let mut first = lab.ada.begin(&question("c1", TUFTS)).await?;
    first.until_text("The lynx").await?;
    // The others have their sources meanwhile, and may give up.
    let mut second = lab.ada.begin(&question("c2", TUFTS)).await?;
    let mut third = lab.ada.begin(&question("c3", TUFTS)).await?;
    second.until("data-citation").await?;
    third.until("data-citation").await?;
    lab.ada.stop("c3").await?;
    third.rest().await?.ended("abort")?;
    ensure!(lab.model.answers_asked().len() == 1);
    lab.model.let_go();
    for stream in [first, second] {
        let turn = stream.rest().await?.ended("finish")?;
        ensure!(turn.text() == "The lynx hunts [1].", "{}", turn.shown());
    }
    ensure!(lab.model.answers_asked().len() == 2);
    Ok(())
}

#[tokio::test]
async fn the_pages_show_what_is_kept() -> Result<()> {
    let lab = lab("chat-pages").await?;
    let empty = lab.ada.page("/chat").await?.expect(200)?.text();
    ensure!(!empty.contains("tufts"), "{empty}");
    lab.ada.page(&format!("/chat?document={}", lab.id)).await?.expect(200)?;
    lab.ada.ask("c1", "Has <script>alert(1)</script> black tufts on its ears?").await?;
    for path in ["/chat", "/chat/c1"] {
        let page = lab.ada.page(path).await?.expect(200)?.text();
        ensure!(page.contains("/chat/c1") && page.contains("black tufts"), "{path}: {page}");
        ensure!(!page.contains("<script>alert"), "{path}: {page}");
    }
    ensure!(lab.ada.page("/chat/no-such").await?.status == 404);
    Ok(())
}
