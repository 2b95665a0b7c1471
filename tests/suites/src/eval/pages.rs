//! What stands on the pages of the corpus, read by the app's own reader. In: PDFs. Out: texts by document and page.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::corpus::Corpus;
use super::score::Place;

/// The texts of all pages, by document.
pub struct Pages(BTreeMap<String, Vec<String>>);

impl Pages {
    /// Reads the corpus.
    pub fn of(corpus: &Corpus) -> Result<Self> {
        let files = corpus.files()?.into_iter();
        files.map(|(name, bytes)| Ok((name, pages(&bytes)?))).collect::<Result<_>>().map(Self)
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, texts)| (name.as_str(), texts.as_slice()))
    }

    /// Whether a place holds these words; spaces, hyphens and other signs aside, which a page breaks lines with.
    pub(super) fn hold(&self, place: &Place, words: &str) -> bool {
        let pages = self.0.get(&place.document).into_iter().flatten().zip(1_i64..);
        let there = pages.filter(|(_, page)| (place.first..=place.last).contains(page));
        let text: String = there.flat_map(|(text, _)| bare(text)).collect();
        text.contains(&bare(words).collect::<String>())
    }
}

fn bare(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_stands_on_it() {
        let texts = ["The war-\nranty lasts 24 months.", "It covers parts."];
        let pages = Pages([("d".to_owned(), texts.map(ToOwned::to_owned).to_vec())].into());
        let place = |first, last| Place { document: "d".to_owned(), first, last };
        assert!(pages.hold(&place(1, 1), "the warranty lasts"));
        assert!(!pages.hold(&place(2, 2), "the warranty lasts"));
        assert!(pages.hold(&place(1, 2), "24 months. It covers"));
        assert!(!pages.hold(&Place { document: "e".to_owned(), first: 1, last: 1 }, "parts"));
    }
}
