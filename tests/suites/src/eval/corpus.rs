//! The corpus: PDFs that a script writes, and questions with their answers' pages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use stack::{install, paths};

/// What a question asks of retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Words of the document.
    Exact,
    /// Other words.
    Paraphrase,
    /// Not to be understood without what was said before.
    FollowUp,
    /// The answer stands in two documents.
    TwoDocuments,
    /// No document answers.
    Unanswerable,
}

/// Questions that settings were chosen by, and questions that nobody looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Chosen by.
    Dev,
    /// Measured by.
    Test,
}

/// A question.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// Its name.
    pub id: String,
    /// What it asks of retrieval.
    pub kind: Kind,
    /// Its words.
    pub text: String,
    /// Its language.
    pub language: String,
    #[serde(default)]
    history: Vec<Said>,
    /// Where its answers stand; all are needed.
    pub answers: Vec<Gold>,
    /// What it is for.
    pub split: Split,
}

#[derive(Clone, Debug, Deserialize)]
struct Said {
    role: String,
    text: String,
}

/// Where an answer stands: on any of these pages.
#[derive(Clone, Debug, Deserialize)]
pub struct Gold {
    /// The file.
    pub document: String,
    /// Pages, from 1.
    pub pages: Vec<i64>,
}

impl Question {
    /// What the person asked before.
    pub fn asked_before(&self) -> impl Iterator<Item = &str> {
        self.history.iter().filter(|said| said.role == "user").map(|said| said.text.as_str())
    }
}

/// PDFs and questions.
pub struct Corpus {
    folder: PathBuf,
    /// The questions.
    pub questions: Vec<Question>,
}

impl Corpus {
    /// Writes the PDFs into a folder.
    pub fn make(folder: PathBuf) -> Result<Self> {
        let source = paths::checkout().join("tests/eval/corpus");
        let packages = install::pip(&source)?;
        let mut script = Command::new("python3");
        script.arg("-B").arg(source.join("make.py")).arg(&folder).env("PYTHONPATH", packages);
        let made = script.output().context("python3")?;
        ensure!(made.status.success(), "make.py: {}", String::from_utf8_lossy(&made.stderr));
        let questions = std::fs::read(source.join("questions.json"))?;
        Ok(Self { folder, questions: serde_json::from_slice(&questions)? })
    }

    /// The PDFs, by name.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "pdf") {
                let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
                files.push((name, std::fs::read(&path)?));
            }
        }
        files.sort();
        Ok(files)
    }
}
