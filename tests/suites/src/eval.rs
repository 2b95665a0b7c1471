//! The quality of retrieval, measured through the app itself.
//!
//! In: a corpus of PDFs and questions with known answers on known pages (`tests/eval/corpus`). Out: [`Scores`] of the app, and of the
//! plain setting of the field (all pages merged, cut every 1,000 characters, the nearest two vectors), with the same model. The
//! app is asked as a person asks: files are uploaded, questions go through the chat, follow-ups come after their history.

mod corpus;
mod pages;
mod plain;
mod report;
mod score;

use std::collections::HashMap;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};

use crate::app::{Person, TestApp, numbers};

pub use corpus::{Corpus, Kind, Question, Split};
pub use pages::Pages;
pub use plain::Plain;
pub use report::{page, table};
pub use score::{Place, Response, Scores, score};

/// Questions at the same time.
const AT_ONCE: usize = 4;

/// Uploads the whole corpus and waits until it is searchable; file names by document id.
pub async fn upload(
    app: &TestApp,
    person: &Person,
    corpus: &Corpus,
) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    for (name, bytes) in corpus.files()? {
        names.insert(person.uploaded(&name, bytes).await?, name);
    }
    for id in names.keys() {
        app.wait_stage(id, "ready").await?;
    }
    Ok(names)
}

/// What the app answers to each question.
pub async fn ask(
    person: &Person,
    names: &HashMap<String, String>,
    (questions, pages): (&[Question], &Pages),
) -> Result<Vec<Response>> {
    let asking = questions.iter().map(|question| one(person, names, (question, pages)));
    stream::iter(asking).buffered(AT_ONCE).try_collect().await
}

async fn one(
    person: &Person,
    names: &HashMap<String, String>,
    (question, pages): (&Question, &Pages),
) -> Result<Response> {
    for before in question.asked_before() {
        person.ask(&question.id, before).await?;
    }
    let turn = person.ask(&question.id, &question.text).await?.ended("finish")?;
    let mut sources = Vec::new();
    for part in turn.all("data-citation") {
        let data = &part["data"];
        let document = data["documentId"].as_str().and_then(|id| names.get(id));
        sources.push(Place {
            document: document.context("a source of an unknown document")?.clone(),
            first: data["page"].as_i64().context("a source without a page")?,
            last: data["lastPage"].as_i64().context("a source without a last page")?,
        });
    }
    let source = |n: i64| sources.get(usize::try_from(n - 1).ok()?);
    let text = turn.text();
    let cited: Vec<Place> = numbers(&text).into_iter().filter_map(source).cloned().collect();
    // Without a chat model, each line quotes what it cites.
    let quotes = text.lines().filter_map(|line| line.strip_prefix("- “")?.rsplit_once('”'));
    let verbatim = quotes.flat_map(|(words, cites)| {
        let places = numbers(cites).into_iter().filter_map(source);
        places.map(|place| pages.hold(place, words)).collect::<Vec<_>>()
    });
    Ok(Response { cited, verbatim: verbatim.collect(), sources })
}
