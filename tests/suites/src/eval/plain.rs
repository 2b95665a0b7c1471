//! The plain setting: what most examples of the field do, with the same text and the same model.
//!
//! In: PDFs, read by the app's own reader. Out: for each question the nearest passages, of all pages merged and cut every 1,000
//! characters with 100 in common. A passage counts for every page that it touches, so this setting is given more than it
//! knows: it could not name a page.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::Stack;

use super::corpus::{Corpus, Question};
use super::score::{Place, Response};

const LONG: usize = 1000;
const COMMON: usize = 100;
const BATCH: usize = 32;
/// As many are kept as are counted.
const NEAREST: usize = 5;

struct Passage {
    place: Place,
    vector: Vec<f32>,
}

/// All passages with their vectors.
pub struct Plain(Vec<Passage>);

impl Plain {
    /// Reads, cuts and embeds the corpus.
    pub async fn of(corpus: &Corpus, stack: &Stack) -> Result<Self> {
        let mut cut = Vec::new();
        for (name, bytes) in corpus.files()? {
            cut.extend(cuts(&name, &pages(&bytes)?));
        }
        let texts: Vec<&str> = cut.iter().map(|(_, text)| text.as_str()).collect();
        let vectors = embed(stack, &texts).await?;
        let passages = cut.into_iter().zip(vectors);
        Ok(Self(passages.map(|((place, _), vector)| Passage { place, vector }).collect()))
    }

    /// The nearest passages of each question; its words alone, as that setting has it.
    pub async fn ask(&self, questions: &[Question], stack: &Stack) -> Result<Vec<Response>> {
        let texts: Vec<&str> = questions.iter().map(|question| question.text.as_str()).collect();
        let vectors = embed(stack, &texts).await?;
        Ok(vectors.iter().map(|vector| self.nearest(vector)).collect())
    }

    fn nearest(&self, vector: &[f32]) -> Response {
        let near = |passage: &Passage| -> f32 {
            passage.vector.iter().zip(vector).map(|(a, b)| a * b).sum()
        };
        let mut all: Vec<(f32, &Place)> =
            self.0.iter().map(|one| (near(one), &one.place)).collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        let sources: Vec<Place> =
            all.iter().take(NEAREST).map(|(_, place)| (*place).clone()).collect();
        // It answers from the first two, and never refuses.
        Response { cited: sources.iter().take(2).cloned().collect(), sources }
    }
}

/// The text of each page, by the app's reader.
fn pages(pdf: &[u8]) -> Result<Vec<String>> {
    let mut reader = Command::new(stack::binary("tenantry-app")?)
        .args(["extract", "--max-pages", "500", "--megabytes", "512"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    reader.stdin.take().context("the reader's input")?.write_all(pdf)?;
    let output = reader.wait_with_output()?;
    ensure!(output.status.success(), "the reader failed");
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(serde_json::from_slice::<Value>).collect::<Result<Vec<_>, _>>()?;
    Ok(lines.iter().filter_map(|line| line["text"].as_str()).map(ToOwned::to_owned).collect())
}

/// Pieces of the merged text, with the pages that they touch.
fn cuts(document: &str, pages: &[String]) -> Vec<(Place, String)> {
    let signs: Vec<(char, i64)> = pages
        .iter()
        .zip(1..)
        .flat_map(|(text, page)| {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
            line.chars().map(|sign| (sign, page)).collect::<Vec<_>>()
        })
        .collect();
    let mut cuts = Vec::new();
    let mut start = 0;
    while start < signs.len() {
        let mut end = (start + LONG).min(signs.len());
        if end < signs.len() {
            let space = signs[start..end].iter().rposition(|(sign, _)| *sign == ' ');
            end = start + space.filter(|at| *at > COMMON).unwrap_or(end - start);
        }
        let text: String = signs[start..end].iter().map(|(sign, _)| sign).collect();
        let place =
            Place { document: document.to_owned(), first: signs[start].1, last: signs[end - 1].1 };
        cuts.push((place, text));
        if end == signs.len() {
            break;
        }
        start = end - COMMON;
    }
    cuts
}

async fn embed(stack: &Stack, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let (http, server) = (reqwest::Client::builder().no_proxy().build()?, stack.embeddings());
    let mut vectors = Vec::new();
    for batch in texts.chunks(BATCH) {
        let request = http.post(format!("{}/embeddings", server.url)).bearer_auth(&server.key);
        let body = json!({"model": server.model, "input": batch});
        let answer: Value = request.json(&body).send().await?.error_for_status()?.json().await?;
        for item in answer["data"].as_array().context("no data")? {
            vectors.push(serde_json::from_value(item["embedding"].clone())?);
        }
    }
    ensure!(vectors.len() == texts.len(), "{} vectors for {} texts", vectors.len(), texts.len());
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_text_is_cut_with_something_in_common() {
        let pages = ["one ".repeat(200), "two ".repeat(200)];
        let cuts = cuts("d", &pages);
        let places: Vec<(i64, i64)> =
            cuts.iter().map(|(place, _)| (place.first, place.last)).collect();
        assert_eq!(places, [(1, 2), (2, 2)]);
        assert!(cuts.iter().all(|(_, text)| text.chars().count() <= LONG));
        assert!(cuts[1].1.contains(&cuts[0].1[cuts[0].1.len() - 90..]));
    }
}
