//! The list of documents and its rows.
//!
//! In: plain values of each document. Out: the fragment `list`, which the documents page holds and the event `documents`
//! carries, so that both show the same; and the words of each stage.

use askama::Template;

use super::words;

/// What may be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most documents of one person.
    pub max_documents: u32,
    /// Most megabytes of one file.
    pub max_megabytes: u32,
    /// Most pages of one document.
    pub max_pages: u32,
}

/// The documents of a person, newest first.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "part/list.html")]
pub struct DocumentList {
    /// The documents.
    pub documents: Vec<DocumentRow>,
    /// How many more may be uploaded.
    pub free: i64,
}

/// One document.
#[derive(Clone, Debug, Default)]
pub struct DocumentRow {
    /// Its id.
    pub id: String,
    /// What the person calls it.
    pub title: String,
    /// What the file was called.
    pub file_name: String,
    /// Size of the file.
    pub bytes: i64,
    /// Number of pages, once known.
    pub pages: Option<i32>,
    /// How far it is.
    pub stage: Stage,
    /// Units of the stage that are done: pages or passages.
    pub done: i32,
    /// Units of the stage in all, once known.
    pub total: Option<i32>,
    /// Why it failed and what to do, in words.
    pub failure_words: Option<String>,
    /// When it was uploaded, as RFC 3339.
    pub created: String,
}

/// How far a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The file is on its way.
    #[default]
    Uploading,
    /// It waits for its turn.
    Queued,
    /// Its text is being read.
    Reading,
    /// Its passages are being embedded.
    Embedding,
    /// It can be searched.
    Ready,
    /// It cannot be searched.
    Failed,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] =
        [Self::Uploading, Self::Queued, Self::Reading, Self::Embedding, Self::Ready, Self::Failed];

    /// Its name in the database and in styles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Queued => "queued",
            Self::Reading => "reading",
            Self::Embedding => "embedding",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Its words for a person.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Uploading => "Uploading",
            Self::Queued => "Waiting for its turn",
            Self::Reading => "Reading its pages",
            Self::Embedding => "Making it searchable",
            Self::Ready => "Searchable",
            Self::Failed => "Not searchable",
        }
    }

    /// Whether it changes by itself.
    #[must_use]
    pub fn busy(self) -> bool {
        match self {
            Self::Uploading | Self::Queued | Self::Reading | Self::Embedding => true,
            Self::Ready | Self::Failed => false,
        }
    }

    /// Whether the work on it can be cancelled.
    #[must_use]
    pub fn cancellable(self) -> bool {
        match self {
            Self::Queued | Self::Reading | Self::Embedding => true,
            Self::Uploading | Self::Ready | Self::Failed => false,
        }
    }
}

impl DocumentRow {
    /// Whether there is a file to look at.
    #[must_use]
    pub fn viewable(&self) -> bool {
        self.stage != Stage::Uploading
    }

    /// Done and total of a stage that counts, with nothing out of range.
    #[must_use]
    pub fn progress(&self) -> Option<(i32, i32)> {
        match (self.stage, self.total) {
            (Stage::Reading | Stage::Embedding, Some(total)) if total > 0 => {
                Some((self.done.clamp(0, total), total))
            }
            _ => None,
        }
    }

    /// The words of the stage, with how far it is.
    #[must_use]
    pub fn stage_words(&self) -> String {
        let words = self.stage.words();
        match (self.stage, self.progress()) {
            (Stage::Reading, Some((done, total))) => {
                format!("{words}: {} of {}", words::grouped(done), words::grouped(total))
            }
            (Stage::Embedding, Some((done, total))) => {
                format!("{words}: {} of {} passages", words::grouped(done), words::grouped(total))
            }
            _ => words.to_owned(),
        }
    }

    /// Size, pages and file name in one line.
    #[must_use]
    pub fn facts(&self) -> String {
        let size = words::size(self.bytes);
        match self.pages {
            Some(pages) => format!("{} · {size}", words::count(pages.into(), "page", "pages")),
            None => size,
        }
    }
}
