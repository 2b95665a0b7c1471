//! One question in the chat, and its answer as a browser hears it.
//!
//! In: who asks, where, what. Out: when the first source, the first word and the end came, all from the request on. An answer that
//! has no sources, that is not the model's or that does not end as it should is an error: it would be measured as a fast one.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use crate::app::person::Person;

/// What a line with an event begins with.
const DATA: &str = "data: ";

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) retrieval: f64,
    pub(super) first_token: f64,
    pub(super) end: f64,
    /// When each word came.
    pub(super) words: Vec<Instant>,
}

/// What came so far.
#[derive(Debug, Default)]
struct Hearing {
    source: Option<Instant>,
    words: Vec<Instant>,
    finished: bool,
    done: bool,
    /// What went wrong, as the app says it.
    failure: Option<String>,
}

/// Asks, in a new conversation or in one that there is.
pub(super) async fn ask(
    person: &Person,
    conversation: &str,
    question: &str,
    with_gzip: bool,
) -> Result<Heard> {
    let mut request = person.chat(conversation, question);
    if with_gzip {
        request = request.header(ACCEPT_ENCODING, "gzip");
    }
    let started = Instant::now();
    let mut answer = request.send().await?;
    if answer.status().as_u16() != 200 {
        bail!("the question was answered {}: {}", answer.status(), answer.text().await?);
    }
    let encoding = answer.headers().get(CONTENT_ENCODING);
    ensure!(encoding.is_none(), "the stream is encoded as {encoding:?}: measure it decoded");
    let (mut lines, mut hearing) = (Lines::default(), Hearing::default());
    while let Some(bytes) = answer.chunk().await? {
        let now = Instant::now();
        lines.push(&bytes, |line| hearing.line(line, now));
    }
    let end = started.elapsed().as_secs_f64();
    let Hearing { source, words, finished, done, failure } = hearing;
    ensure!(failure.is_none(), "the answer failed: {}", failure.unwrap_or_default());
    ensure!(finished && done, "the answer ended without an end");
    let source = source.context("the answer has no sources")?;
    let first = words.first().context("the answer has no words")?;
    Ok(Heard {
        retrieval: (source - started).as_secs_f64(),
        first_token: (*first - started).as_secs_f64(),
        end,
        words,
    })
}

impl Hearing {
    fn line(&mut self, line: &str, now: Instant) {
        let Some(event) = line.strip_prefix(DATA) else { return };
        // A quotation mark within a text is escaped, so this is never found in one.
        let is = |kind: &str| event.contains(&format!("\"type\":\"{kind}\""));
        if event == "[DONE]" {
            self.done = true;
        } else if is("text-delta") {
            self.words.push(now);
        } else if is("source-document") {
            self.source.get_or_insert(now);
        } else if is("finish") {
            self.finished = true;
        } else if is("error") || is("abort") || (is("data-note") && event.contains("model")) {
            self.failure = Some(event.to_owned());
        }
    }
}

/// Bytes that come in pieces, as lines.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        self.0.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = self.0[from..].iter().position(|byte| *byte == b'\n') {
            if let Ok(line) = std::str::from_utf8(&self.0[from..from + length]) {
                each(line);
            }
            from += length + 1;
        }
        self.0.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_heard_however_they_are_cut() {
        let text = "data: {\"id\":\"s1\",\"type\":\"source-document\"}\n\n\
            data: {\"delta\":\"\\\"type\\\":\\\"error\\\" é\",\"type\":\"text-delta\"}\n\n: keep-alive\n\n\
            data: {\"type\":\"finish-step\"}\n\ndata: {\"type\":\"finish\"}\n\ndata: [DONE]\n\n";
        for size in [1, 7, text.len()] {
            let (mut lines, mut hearing) = (Lines::default(), Hearing::default());
            for piece in text.as_bytes().chunks(size) {
                lines.push(piece, |line| hearing.line(line, Instant::now()));
            }
            assert!(hearing.source.is_some() && hearing.finished && hearing.done, "{hearing:?}");
            assert!(hearing.words.len() == 1 && hearing.failure.is_none(), "{hearing:?}");
        }
    }

    #[test]
    fn an_answer_without_the_model_is_a_failure() {
        let mut hearing = Hearing::default();
        let note = "data: {\"data\":{\"words\":\"The chat model does not answer\"},\"type\":\"data-note\"}";
        hearing.line(note, Instant::now());
        assert!(hearing.failure.is_some() && !hearing.done);
    }
}
