//! Talking to the chat as a page's script does. In: questions. Out: the answer's stream, chunk by chunk, and what stands in it.
//!
//! Every stream that is read to its end is held against the rules that hold for all of them: it has one end, its sources stand
//! before its text, and every number in the text has a source.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::Person;
use super::person::Answer;
use crate::wait::{PATIENCE, wait_until};

/// The body of a question.
#[must_use]
pub fn question(chat: &str, text: &str) -> Value {
    let id = stack::paths::random_hex(8).expect("random bytes");
    let message = json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]});
    json!({"id": chat, "message": message, "trigger": "submit-message"})
}

/// The same about one document.
#[must_use]
pub fn question_about(chat: &str, document: &str, text: &str) -> Value {
    let mut body = question(chat, text);
    body["documentId"] = json!(document);
    body
}

impl Person {
    /// A script's POST of JSON.
    pub fn json(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// What the app says to a body that it must refuse.
    pub async fn refused(&self, body: &Value) -> Result<Answer> {
        let answer = self.send(self.json("/api/chat", body)).await?;
        ensure!(answer.status >= 400, "answered {}: {}", answer.status, answer.text());
        Ok(answer)
    }

    /// Sends a request that a stream must answer.
    pub async fn stream(&self, request: RequestBuilder) -> Result<Stream> {
        let response =
            tokio::time::timeout(PATIENCE, request.send()).await.context("no answer")??;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if status != 200 {
            bail!("answered {status}: {}", response.text().await?);
        }
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
        ensure!(kind.unwrap_or_default().starts_with("text/event-stream"), "{headers:?}");
        let bytes = response.bytes_stream().boxed();
        Ok(Stream { headers, turn: Turn::default(), bytes, buffer: Vec::new() })
    }

    /// The stream of an answer.
    pub async fn begin(&self, body: &Value) -> Result<Stream> {
        self.stream(self.json("/api/chat", body)).await
    }

    /// A question, and its answer to the end.
    pub async fn ask(&self, chat: &str, text: &str) -> Result<Turn> {
        self.begin(&question(chat, text)).await?.rest().await
    }

    /// The running answer of a conversation, from its start.
    pub async fn replay(&self, chat: &str) -> Result<Stream> {
        self.stream(self.request(Method::GET, &format!("/api/chat/{chat}/stream"))).await
    }

    /// Stops the running answer.
    pub async fn stop(&self, chat: &str) -> Result<()> {
        self.send(self.json(&format!("/api/chat/{chat}/stop"), &json!({})))
            .await?
            .expect(204)
            .map(drop)
    }

    /// A conversation as the app keeps it.
    pub async fn conversation(&self, chat: &str) -> Result<Value> {
        self.get(&format!("/api/chat/{chat}")).await?.expect(200)?.json()
    }

    /// The list of conversations.
    pub async fn conversations(&self) -> Result<Vec<Value>> {
        let list = self.get("/api/chat").await?.expect(200)?.json()?;
        list["conversations"].as_array().cloned().context("conversations")
    }

    /// Waits until nothing is answered in a conversation any more; the conversation then.
    pub async fn settled(&self, chat: &str) -> Result<Value> {
        wait_until("the answer has ended", PATIENCE, async || {
            let conversation = self.conversation(chat).await?;
            ensure!(conversation["answering"] == false, "{conversation}");
            Ok(conversation)
        })
        .await
    }
}

/// The text of a kept message.
#[must_use]
pub fn text_of(message: &Value) -> String {
    let parts = message["parts"].as_array().into_iter().flatten();
    parts.filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}

/// An answer on its way.
pub struct Stream {
    /// What came before the first chunk.
    pub headers: HeaderMap,
    turn: Turn,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Stream {
    /// The next chunk; nothing after `[DONE]` or the end of the body.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event = String::from_utf8(self.buffer.drain(..end + 2).collect())?;
                // A line that begins with a colon is a comment.
                match event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    None => continue,
                    Some("[DONE]") => self.turn.done = true,
                    Some(data) => {
                        ensure!(!self.turn.done, "more after [DONE]: {data}");
                        let chunk: Value =
                            serde_json::from_str(data).with_context(|| data.to_owned())?;
                        self.turn.chunks.push(chunk.clone());
                        return Ok(Some(chunk));
                    }
                }
                continue;
            }
            let next = tokio::time::timeout(PATIENCE, self.bytes.next()).await;
            let next = next.with_context(|| format!("silence after {}", self.turn.shown()))?;
            match next {
                None => return Ok(None),
                Some(bytes) => self.buffer.extend_from_slice(&bytes?),
            }
        }
    }

    /// The next chunk of a type, and all before it.
    pub async fn until(&mut self, kind: &str) -> Result<Value> {
        while let Some(chunk) = self.next().await? {
            if chunk["type"] == kind {
                return Ok(chunk);
            }
        }
        bail!("no {kind} in {}", self.turn.shown())
    }

    /// Reads until the text holds this.
    pub async fn until_text(&mut self, text: &str) -> Result<()> {
        while !self.turn.text().contains(text) {
            self.until("text-delta").await?;
        }
        Ok(())
    }

    /// What has come so far.
    #[must_use]
    pub fn so_far(&self) -> &Turn {
        &self.turn
    }

    /// The whole answer, once it has ended.
    pub async fn rest(self) -> Result<Turn> {
        self.within(PATIENCE).await
    }

    /// The same, with a time for it.
    pub async fn within(mut self, patience: Duration) -> Result<Turn> {
        let all = async {
            while self.next().await?.is_some() {}
            anyhow::Ok(())
        };
        let ended = tokio::time::timeout(patience, all).await;
        let ended = ended.with_context(|| format!("no end within {patience:?}"))?;
        ended.with_context(|| self.turn.shown())?;
        self.turn.check().with_context(|| self.turn.shown())?;
        Ok(self.turn)
    }
}

/// What came in a stream.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The chunks in order.
    pub chunks: Vec<Value>,
    done: bool,
}

impl Turn {
    fn of<'a>(&'a self, kind: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
        self.chunks.iter().filter(move |chunk| chunk["type"] == *kind)
    }

    /// All of one type.
    #[must_use]
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.of(kind).cloned().collect()
    }

    /// The only one of a type.
    pub fn one(&self, kind: &str) -> Result<Value> {
        match self.all(kind).as_slice() {
            [one] => Ok(one.clone()),
            all => bail!("{} times {kind} in {}", all.len(), self.shown()),
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.of("text-delta").filter_map(|chunk| chunk["delta"].as_str()).collect()
    }

    /// The words of the note, or nothing.
    #[must_use]
    pub fn note(&self) -> String {
        let notes = self.of("data-note").filter_map(|chunk| chunk["data"]["words"].as_str());
        notes.collect::<Vec<_>>().join(" ")
    }

    /// The id of the answer.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.chunks[0]["messageId"].as_str().unwrap_or_default().to_owned()
    }

    /// How it ended: finish, error or abort.
    #[must_use]
    pub fn end(&self) -> &str {
        self.chunks.last().and_then(|last| last["type"].as_str()).unwrap_or_default()
    }

    /// This, if it ended so.
    pub fn ended(self, end: &str) -> Result<Self> {
        ensure!(self.end() == end, "it did not end with {end}: {}", self.shown());
        Ok(self)
    }

    /// Why it finished.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.chunks.last().and_then(|last| last["finishReason"].as_str()).unwrap_or_default()
    }

    /// Pages of the sources, in order: document and page.
    #[must_use]
    pub fn pages(&self) -> Vec<(String, i64)> {
        let page = |chunk: &Value| {
            let data = &chunk["data"];
            (
                data["documentId"].as_str().unwrap_or_default().to_owned(),
                data["page"].as_i64().unwrap_or(-1),
            )
        };
        self.of("data-citation").map(page).collect()
    }

    /// All of it, for a message.
    #[must_use]
    pub fn shown(&self) -> String {
        let lines: Vec<String> = self.chunks.iter().map(Value::to_string).collect();
        format!("\n  {}\n  done: {}", lines.join("\n  "), self.done)
    }

    /// What holds for every answer.
    fn check(&self) -> Result<()> {
        ensure!(self.done, "no [DONE]");
        ensure!(self.chunks.first().is_some_and(|first| first["type"] == "start"), "no start");
        ensure!(!self.message_id().is_empty(), "the start names no message");
        ensure!(self.one("start").is_ok(), "more than one start");
        ensure!(["finish", "error", "abort"].contains(&self.end()), "no end");
        let ends =
            ["finish", "error", "abort"].iter().map(|end| self.of(end).count()).sum::<usize>();
        ensure!(ends == 1, "{ends} ends");
        ensure!(
            self.end() != "error" || self.chunks.last().is_some_and(|c| c["errorText"].is_string())
        );
        self.check_order()?;
        self.check_sources()?;
        harmless(&self.text())
    }

    fn check_order(&self) -> Result<()> {
        let known = [
            "start",
            "start-step",
            "data-status",
            "source-document",
            "data-citation",
            "data-note",
            "text-start",
            "text-delta",
            "text-end",
            "finish-step",
            "finish",
            "error",
            "abort",
            "message-metadata",
        ];
        let mut open = false;
        let mut written = false;
        for chunk in &self.chunks {
            let kind = chunk["type"].as_str().unwrap_or_default();
            ensure!(known.contains(&kind), "a chunk of type {kind:?}");
            match kind {
                "text-start" => (open, written) = (true, true),
                "text-end" => open = false,
                "text-delta" => ensure!(open, "text before its start"),
                "source-document" | "data-citation" => ensure!(!written, "a source after the text"),
                _ => {}
            }
        }
        ensure!(!open || self.end() != "finish", "the text has no end");
        Ok(())
    }

    /// Every number in the text has a source, and every source its citation.
    fn check_sources(&self) -> Result<()> {
        let of = |kind: &str, pointer: &str| -> Vec<i64> {
            self.of(kind).filter_map(|chunk| chunk.pointer(pointer)?.as_i64()).collect()
        };
        let sources = of("source-document", "/providerMetadata/tenantry/n");
        ensure!(sources.len() == self.of("source-document").count(), "a source without a number");
        ensure!(sources == of("data-citation", "/data/n"), "sources and citations differ");
        for n in numbers(&self.text()) {
            ensure!(sources.contains(&n), "[{n}] has no source");
        }
        Ok(())
    }
}

/// The numbers in brackets, also of [1, 2].
#[must_use]
pub fn numbers(text: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for piece in text.split('[').skip(1) {
        let Some((inside, _)) = piece.split_once(']') else { continue };
        let all: Result<Vec<i64>, _> = inside.split([',', ';']).map(|n| n.trim().parse()).collect();
        found.extend(all.unwrap_or_default());
    }
    found
}

/// Nothing in an answer loads anything, leads away or is HTML.
pub fn harmless(text: &str) -> Result<()> {
    for bad in ["![", "<img", "<script", "<a ", "<iframe", "<b>"] {
        ensure!(!text.to_lowercase().contains(bad), "{bad} in {text}");
    }
    let is_link = |(at, _): (usize, &str)| text[at..].contains(')');
    ensure!(!text.match_indices("](").any(is_link), "a link in {text}");
    Ok(())
}
