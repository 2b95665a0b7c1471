//! Which words of a passage matched.
//!
//! In: the stems of a question's words, as the database found them, and a passage. Out: the passage in pieces of plain text,
//! marked or not. A word is marked when its stem is one of the question's, by the kind of rules (Snowball, English) that the
//! database has; which passages match is the database's to say, and a mark more or less changes nothing. Nothing is added or
//! lost. Pure.

use std::{
    collections::{BTreeSet, HashSet},
    ops::Range,
};

use rust_stemmers::{Algorithm, Stemmer};

use crate::web::Piece;

/// What is marked.
pub(super) struct Marks {
    stems: HashSet<String>,
    /// What the stems begin with. A stem begins as its word does, so most words need no look at all.
    first: BTreeSet<char>,
    stemmer: Stemmer,
}

impl Marks {
    pub(super) fn new(stems: Vec<String>) -> Self {
        let first = stems.iter().filter_map(|stem| stem.chars().next()).collect();
        let stems = stems.into_iter().collect();
        Self { stems, first, stemmer: Stemmer::create(Algorithm::English) }
    }

    /// The passage in pieces.
    pub(super) fn pieces(&self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut at = 0;
        for found in self.found(text) {
            if found.start > at {
                pieces.push(Piece::plain(&text[at..found.start]));
            }
            at = found.end;
            pieces.push(Piece::marked(&text[found]));
        }
        if at < text.len() {
            pieces.push(Piece::plain(&text[at..]));
        }
        pieces
    }

    /// Where words stand that matched, in order: addresses, numbers and compounds as a whole, or else the words in them.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for run in runs(text, |sign| !sign.is_whitespace()) {
            let words = runs(&text[run.clone()], char::is_alphanumeric);
            let (Some(first), Some(last)) = (words.first(), words.last()) else { continue };
            let whole = run.start + first.start..run.start + last.end;
            if self.matches(&text[whole.clone()]) {
                found.push(whole);
                continue;
            }
            if words.len() == 1 {
                continue;
            }
            let words = words.iter().map(|word| run.start + word.start..run.start + word.end);
            found.extend(words.filter(|word| self.matches(&text[word.clone()])));
        }
        found
    }

    fn matches(&self, word: &str) -> bool {
        let first = word.chars().flat_map(char::to_lowercase).next();
        if first.is_none_or(|first| !self.first.contains(&first)) {
            return false;
        }
        let word = word.to_lowercase();
        self.stems.contains(&word) || self.stems.contains(&*self.stemmer.stem(&word))
    }
}

/// Where signs stand together that belong to a run; a blank belongs to none.
fn runs(text: &str, belongs: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut begun = None;
    for (at, sign) in text.char_indices().chain([(text.len(), ' ')]) {
        match (begun, belongs(sign)) {
            (None, true) => begun = Some(at),
            (Some(start), false) => {
                runs.push(start..at);
                begun = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, stems: &[&str]) -> Vec<String> {
        let marks = Marks::new(stems.iter().map(|stem| (*stem).to_owned()).collect());
        let pieces = marks.pieces(text);
        assert_eq!(
            pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(),
            text,
            "nothing is lost"
        );
        assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
        pieces.into_iter().filter(|piece| piece.marked).map(|piece| piece.text).collect()
    }

    #[test]
    fn whole_words_are_marked_each_time() {
        assert_eq!(marked("Plan the planet. A plan, Plan!", &["plan"]), ["Plan", "plan", "Plan"]);
        assert_eq!(marked("plan", &["plan"]), ["plan"]);
        assert_eq!(marked("nothing here", &["plan"]), [""; 0]);
        assert_eq!(marked("", &["plan"]), [""; 0]);
        assert_eq!(marked("plan — …", &["", "x"]), [""; 0]);
    }

    #[test]
    fn forms_of_a_word_are_marked() {
        let stems = ["warranti", "repair", "machin", "run"];
        assert_eq!(
            marked("Warranties: repaired machines' running costs", &stems),
            ["Warranties", "repaired", "machines", "running"]
        );
    }

    #[test]
    fn compounds_addresses_and_numbers_are_marked_once() {
        assert_eq!(
            marked("a state-of-the-art thing", &["state-of-the-art", "state", "art"]),
            ["state-of-the-art"]
        );
        assert_eq!(
            marked("(state-run) 3.5 file_name", &["run", "3.5", "file"]),
            ["run", "3.5", "file"]
        );
        assert_eq!(marked("see <docs.example.com>.", &["docs.example.com"]), ["docs.example.com"]);
    }

    #[test]
    fn any_script_and_markup_are_only_text() {
        assert_eq!(marked("<b>plan</b> & \"plan\"", &["plan"]), ["plan", "plan"]);
        assert_eq!(marked("über Größe, größer", &["größe"]), ["Größe"]);
        assert_eq!(marked("תקציר מנהלים כאן", &["מנהלים"]), ["מנהלים"]);
        assert_eq!(marked("👩‍👩‍👧 plan👍", &["plan"]), ["plan"]);
    }
}
