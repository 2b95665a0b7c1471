//! The stream that a browser gets: UI message stream v1 of the AI SDK, so that any of its front ends works.
//!
//! In: what happens in an answer. Out: events, one JSON object each, and messages as they are kept. Every stream ends with
//! `finish`, `error` or `abort`: its clients take an end without one of them for a whole answer. Pure.

use std::{collections::HashSet, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use serde_json::{Value, json};

use super::{citations, sources::Source, store::Message};
use crate::models::chat::Finish;

/// What follows the last event.
const DONE: &str = "data: [DONE]\n\n";
/// A proxy ends a connection that is silent for long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The media type of all documents.
const PDF: &str = "application/pdf";

pub(super) fn start(message: &str, chat: &str, title: &str, model: Option<&str>) -> Value {
    let metadata = json!({"chatId": chat, "title": title, "model": model, "state": "answering"});
    json!({"type": "start", "messageId": message, "messageMetadata": metadata})
}

pub(super) fn start_step() -> Value {
    json!({"type": "start-step"})
}

/// What is going on; not kept.
pub(super) fn status(phase: &str, words: &str) -> Value {
    json!({"type": "data-status", "data": {"phase": phase, "words": words}, "transient": true})
}

/// All sources: as any client knows them, and as ours shows them.
pub(super) fn sources(all: &[Source]) -> Vec<Value> {
    let documents = all.iter().map(part);
    documents.chain(all.iter().map(citation)).collect()
}

/// As a part of a stream or of a message; the two say the same.
fn part(source: &Source) -> Value {
    let details = json!({
        "n": source.n,
        "documentId": source.document_id,
        "page": source.page,
        "lastPage": source.last_page,
    });
    json!({
        "type": "source-document",
        "sourceId": format!("s{}", source.n),
        "mediaType": PDF,
        "title": source.words(),
        "filename": source.file_name,
        "providerMetadata": {"tenantry": details},
    })
}

fn citation(source: &Source) -> Value {
    let data = json!({
        "n": source.n,
        "documentId": source.document_id,
        "title": source.title,
        "fileName": source.file_name,
        "page": source.page,
        "lastPage": source.last_page,
        "quote": source.quote,
        "href": source.href(),
    });
    json!({"type": "data-citation", "id": format!("s{}", source.n), "data": data})
}

pub(super) fn note(words: &str) -> Value {
    json!({"type": "data-note", "id": "note", "data": {"words": words}})
}

pub(super) fn text_start() -> Value {
    json!({"type": "text-start", "id": "t1"})
}

pub(super) fn text_delta(text: &str) -> Value {
    json!({"type": "text-delta", "id": "t1", "delta": text})
}

/// The end of the text, with the place of each citation in it.
pub(super) fn text_end(text: &str, all: &[Source]) -> Value {
    let of = |n: u32| all.iter().find(|source| source.n == n);
    let mut seen = HashSet::new();
    let citations = citations::spans(text).into_iter().filter_map(|(n, start, end)| {
        let source = of(n)?;
        // The text of a source is long: once is enough.
        let quote = if seen.insert(n) { source.quote.as_str() } else { "" };
        let document = json!({
            "type": "source",
            "sourceType": "document",
            "id": format!("s{n}"),
            "mediaType": PDF,
            "title": source.words(),
            "filename": source.file_name,
        });
        Some(json!({"source": document, "startIndex": start, "endIndex": end, "citedText": quote}))
    });
    json!({"type": "text-end", "id": "t1", "citations": citations.collect::<Vec<_>>()})
}

/// The answer is whole.
pub(super) fn finish(reason: Finish) -> Vec<Value> {
    let metadata = json!({"state": "done"});
    let reason = match reason {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Filtered => "content-filter",
    };
    let finish = json!({"type": "finish", "finishReason": reason, "messageMetadata": metadata});
    vec![json!({"type": "finish-step"}), finish]
}

/// The answer is not whole, and why. The metadata goes first: nothing comes after an error.
pub(super) fn error(words: &str) -> Vec<Value> {
    let metadata = json!({"state": "failed", "words": words});
    vec![
        json!({"type": "message-metadata", "messageMetadata": metadata}),
        json!({"type": "error", "errorText": words}),
    ]
}

/// Somebody asked to stop.
pub(super) fn abort() -> Vec<Value> {
    vec![
        json!({"type": "message-metadata", "messageMetadata": {"state": "stopped"}}),
        json!({"type": "abort", "reason": "stopped"}),
    ]
}

/// Whether nothing comes after this event.
fn is_last(event: &str) -> bool {
    let parsed: Value = serde_json::from_str(event).unwrap_or_default();
    matches!(parsed["type"].as_str(), Some("finish" | "error" | "abort"))
}

/// A message as clients keep it.
pub(super) fn message(message: &Message) -> Value {
    let mut metadata = json!({"createdAt": message.created});
    if message.by_person() {
        let parts = [json!({"type": "text", "text": message.content})];
        return json!({"id": message.id, "role": "user", "metadata": metadata, "parts": parts});
    }
    metadata["model"] = json!(message.model);
    metadata["state"] = json!(message.state);
    metadata["feedback"] = json!(message.feedback);
    if let Some(words) = &message.failure_words {
        metadata["words"] = json!(words);
    }
    let mut parts: Vec<Value> = message.sources.0.iter().map(part).collect();
    parts.extend(message.sources.0.iter().map(citation));
    parts.extend(message.note.as_deref().map(note));
    parts.push(json!({"type": "text", "text": message.content, "state": "done"}));
    json!({"id": message.id, "role": "assistant", "metadata": metadata, "parts": parts})
}

/// The answer to a request: events as they come, each sent at once.
pub(super) fn respond(events: impl Stream<Item = String> + Send + 'static) -> Response {
    let whole = ended(events.boxed()).map(|event| format!("data: {event}\n\n"));
    let whole = whole.chain(stream::iter([DONE.to_owned()])).boxed();
    let alive = stream::unfold(whole, |mut events| async move {
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_silent) => Some((": keep-alive\n\n".to_owned(), events)),
        }
    });
    let body =
        Body::from_stream(alive.map(|text| Ok::<_, std::convert::Infallible>(Bytes::from(text))));
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    let headers = [
        (header::CONTENT_TYPE, fixed("text/event-stream")),
        // Nobody on the way may keep it, nor collect it into bigger pieces.
        (header::CACHE_CONTROL, fixed("no-cache, no-transform")),
        (HeaderName::from_static("x-vercel-ai-ui-message-stream"), fixed("v1")),
        (HeaderName::from_static("x-accel-buffering"), fixed("no")),
    ];
    (headers, body).into_response()
}

/// The same events up to the last one; where they break off before, the client is told so: it would take the end for that of a
/// whole answer.
fn ended(events: BoxStream<'static, String>) -> impl Stream<Item = String> + Send {
    stream::unfold(Some(events), |events| async move {
        let mut events = events?;
        match events.next().await {
            Some(event) => {
                let rest = (!is_last(&event)).then_some(events);
                Some((vec![event], rest))
            }
            None => {
                let missing = error("The answer broke off. Reload the page and try again.");
                Some((missing.iter().map(Value::to_string).collect(), None))
            }
        }
    })
    .flat_map(stream::iter)
}

#[cfg(test)]
mod tests {
    use super::{super::sources::tests::source, *};

    #[test]
    fn every_end_is_known() {
        let last = |events: Vec<Value>| is_last(&events.last().unwrap().to_string());
        assert!(last(finish(Finish::Stop)) && last(error("x")) && last(abort()));
        assert!(!is_last(&start_step().to_string()) && !is_last("nonsense"));
        assert!(!is_last(&text_delta("\"type\":\"finish\"").to_string()));
    }

    #[tokio::test]
    async fn events_that_break_off_end_with_an_error() {
        let given = |events: &[Value]| {
            let events: Vec<String> = events.iter().map(Value::to_string).collect();
            ended(stream::iter(events).boxed()).collect::<Vec<_>>()
        };
        let cut = given(&[start_step()]).await;
        assert!(cut.len() == 3 && cut[2].contains("broke off"), "{cut:?}");
        assert_eq!(given(&finish(Finish::Stop)).await.len(), 2);
    }

    #[test]
    fn sources_come_in_both_forms_and_citations_know_their_place() {
        let all = [source(1, "Sales rose by 2%."), source(2, "Costs fell.")];
        let parts = sources(&all);
        let kinds: Vec<_> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["source-document", "source-document", "data-citation", "data-citation"]);
        assert_eq!(parts[0]["title"], "Handbook, page 12");
        assert_eq!(parts[0]["providerMetadata"]["tenantry"]["page"], 12);
        assert_eq!(parts[3]["data"]["quote"], "Costs fell.");
        let end = text_end("Sales rose [1].", &all);
        assert_eq!(end["citations"][0]["source"]["id"], "s1");
        assert_eq!(
            (end["citations"][0]["startIndex"].as_u64(), end["citations"][0]["endIndex"].as_u64()),
            (Some(0), Some(11))
        );
    }
}
