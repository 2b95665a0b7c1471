//! The plain setting: what most examples of the field do, with the same text and the same model.
//!
//! In: the pages' texts. Out: for each question the nearest passages, of all pages merged and cut every 1,000
//! characters with 100 in common. A passage counts for every page that it touches, so this setting is given more than it
//! knows: it could not name a page.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::Stack;

use super::corpus::Question;
use super::pages::Pages;
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
    /// Cuts and embeds the corpus.
    pub async fn of(pages: &Pages, stack: &Stack) -> Result<Self> {
        let cut: Vec<_> = pages.documents().flat_map(|(name, texts)| cuts(name, texts)).collect();
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
        Response { cited: sources.iter().take(2).cloned().collect(), sources, verbatim: Vec::new() }
    }
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
