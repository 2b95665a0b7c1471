//! The search page and its hits.
//!
//! In: the question, what it may be limited to, and what was found, with the words that matched marked as pieces of plain
//! text. Out: the page. A passage is never HTML: it comes out of somebody's PDF.

use askama::Template;

use super::{pages::Frame, words};

/// `/search`
#[derive(Clone, Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    /// Around the page.
    pub frame: Frame,
    /// What was asked.
    pub query: String,
    /// The id of the only document to search in.
    pub document: Option<String>,
    /// Documents to choose from: id and title.
    pub documents: Vec<(String, String)>,
    /// What was found, best first.
    pub hits: Vec<Hit>,
    /// What went wrong, in words.
    pub problem: Option<String>,
    /// Whether a search was made: without hits, the page says so.
    pub searched: bool,
}

impl SearchPage {
    fn chosen(&self, id: &str) -> bool {
        self.document.as_deref() == Some(id)
    }

    fn found(&self) -> i64 {
        i64::try_from(self.hits.len()).unwrap_or(i64::MAX)
    }
}

/// A passage that was found.
#[derive(Clone, Debug, Default)]
pub struct Hit {
    /// The document's id.
    pub document_id: String,
    /// The document's title.
    pub title: String,
    /// First page of the passage, from 1.
    pub page_first: i32,
    /// Last page of the passage.
    pub page_last: i32,
    /// The passage, in pieces.
    pub passage: Vec<Piece>,
    /// How well it fits: only the order of scores means something, so it is kept for scripts and tests.
    pub score: f64,
}

impl Hit {
    fn pages_words(&self) -> String {
        if self.page_last > self.page_first {
            format!("Pages {} to {}", self.page_first, self.page_last)
        } else {
            format!("Page {}", self.page_first)
        }
    }
}

/// A piece of a passage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// Whether it matched what was asked.
    pub marked: bool,
}

impl Piece {
    /// A piece that is not marked.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), marked: false }
    }

    /// A piece that matched.
    #[must_use]
    pub fn marked(text: impl Into<String>) -> Self {
        Self { text: text.into(), marked: true }
    }
}
