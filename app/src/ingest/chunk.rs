//! From pages to passages: pieces of text of about a page's third, which know the pages they stand on.
//!
//! In: the text of one page after the other. Out: passages as soon as they are complete, near 1,000 characters, each
//! beginning with the end of the one before. They are cut at a paragraph, else at a sentence, else at a word, never inside a
//! character as a person sees it. No input or output happens here.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::clean::clean;

/// Most characters of a passage.
pub const MOST: usize = 1000;
/// A passage is not cut before so many characters: a paragraph's end may be early, a word's end is not worth it.
const LEAST_PARAGRAPH: usize = 550;
const LEAST_SENTENCE: usize = 650;
const LEAST_WORD: usize = 850;
/// So many characters of a passage are also in the next one; a sentence's start may stretch that a little.
const OVERLAP: usize = 125;
const OVERLAP_LEAST: usize = 80;
const OVERLAP_MOST: usize = 180;
/// Text after a cut must be known, or a sentence's end could not be told from an abbreviation.
const AHEAD: usize = 100;
/// One character as a person sees it may be made of many; beyond this it is cut all the same.
const ABSURD: usize = 64;

/// A piece of a document's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its place among all, from 0.
    pub position: i32,
    /// The page that it begins on.
    pub page_first: i32,
    /// The page that it ends on.
    pub page_last: i32,
    /// Its text.
    pub text: String,
}

/// Takes pages, gives passages.
#[derive(Debug, Default)]
pub struct Chunker {
    /// Text that is in no passage yet, after the overlap with the last one.
    text: String,
    /// Bytes at the start of `text` that the last passage holds already.
    seen: usize,
    /// Where in `text` a page begins.
    marks: Vec<(usize, i32)>,
    next: i32,
}

impl Chunker {
    /// The next page; answers the passages that are complete with it.
    pub fn page(&mut self, number: i32, text: &str) -> Vec<Passage> {
        let text = clean(text);
        if text.is_empty() {
            return Vec::new();
        }
        // A passage that stands on one page can be cited by it; only a sentence that goes on keeps two pages together.
        let mut passages = Vec::new();
        if text.starts_with(char::is_lowercase) {
            self.join();
        } else {
            passages = self.flush();
        }
        self.marks.push((self.text.len(), number));
        self.text.push_str(&text);
        passages.extend(self.passages(MOST + AHEAD));
        passages
    }

    /// There are no more pages; answers the last passages.
    pub fn finish(mut self) -> Vec<Passage> {
        self.flush()
    }

    /// All that is left, to the end; what comes next begins anew.
    fn flush(&mut self) -> Vec<Passage> {
        let mut passages = self.passages(MOST);
        if !self.text[self.seen..].trim().is_empty() {
            passages.extend(self.passage(self.text.len()));
        }
        self.text.clear();
        self.marks.clear();
        self.seen = 0;
        passages
    }

    /// What stands between two pages with one sentence: a space, or nothing where a word was broken.
    fn join(&mut self) {
        let before = self.text.strip_suffix('-').and_then(|rest| rest.chars().next_back());
        if before.is_some_and(char::is_lowercase) {
            self.text.pop();
            self.seen = self.seen.min(self.text.len());
        } else if !self.text.is_empty() {
            self.text.push(' ');
        }
    }

    /// Passages as long as more text than `more` characters is left.
    fn passages(&mut self, more: usize) -> Vec<Passage> {
        let mut passages = Vec::new();
        let mut start = 0;
        while nth(&self.text[start..], more).is_some() {
            let ahead = nth(&self.text[start..], MOST + AHEAD);
            let rest = ahead.map_or(&self.text[start..], |ahead| &self.text[start..start + ahead]);
            let end = start + cut(rest);
            passages.extend(self.passage_between(start, end));
            start += overlap(&self.text[start..end]);
            self.seen = end;
        }
        // Once for all: a page of a million characters is not moved for each of its passages.
        self.forget(start);
        passages
    }

    fn passage(&mut self, end: usize) -> Option<Passage> {
        self.passage_between(0, end)
    }

    fn passage_between(&mut self, start: usize, end: usize) -> Option<Passage> {
        let whole = &self.text[start..end];
        let text = whole.trim();
        if text.is_empty() {
            return None;
        }
        let first = start + (whole.len() - whole.trim_start().len());
        let last = first + text.len() - 1;
        let (page_first, page_last) = (self.page_at(first), self.page_at(last));
        let position = self.next;
        self.next += 1;
        Some(Passage { position, page_first, page_last, text: text.to_owned() })
    }

    fn page_at(&self, offset: usize) -> i32 {
        let after = self.marks.partition_point(|(begin, _)| *begin <= offset);
        self.marks.get(after.saturating_sub(1)).map_or(1, |(_, page)| *page)
    }

    fn forget(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.text.drain(..bytes);
        self.seen = self.seen.saturating_sub(bytes);
        let current = self.marks.partition_point(|(begin, _)| *begin <= bytes).saturating_sub(1);
        self.marks.drain(..current);
        for (begin, _) in &mut self.marks {
            *begin = begin.saturating_sub(bytes);
        }
    }
}

/// Where the character after `count` characters begins; none where there are no more than that.
fn nth(text: &str, count: usize) -> Option<usize> {
    text.char_indices().nth(count).map(|(at, _)| at)
}

/// Where to cut a text of more than [`MOST`] characters.
fn cut(text: &str) -> usize {
    let at = |count| nth(text, count).unwrap_or(text.len());
    let most = at(MOST);
    let paragraph = text[..most].rfind("\n\n").map(|end| end + 2);
    if let Some(end) = paragraph.filter(|end| *end >= at(LEAST_PARAGRAPH)) {
        return end;
    }
    // Sentences are told apart from the least on: what is before it need not be looked at.
    let from = word_start(text, at(LEAST_SENTENCE.saturating_sub(OVERLAP)));
    let sentence = text[from..]
        .split_sentence_bound_indices()
        .map(|(begin, _)| from + begin)
        .take_while(|begin| *begin <= most)
        .last();
    if let Some(end) = sentence.filter(|end| *end >= at(LEAST_SENTENCE)) {
        return end;
    }
    let word = text[..most].rfind(char::is_whitespace);
    if let Some(end) = word.filter(|end| *end >= at(LEAST_WORD)) {
        return end;
    }
    whole_character(text, most)
}

/// Where the next passage begins in one that was cut at its end.
fn overlap(passage: &str) -> usize {
    let back = |count: usize| passage.char_indices().rev().nth(count - 1).map_or(0, |(at, _)| at);
    let (earliest, latest) = (back(OVERLAP_MOST), back(OVERLAP_LEAST));
    let from = word_start(passage, earliest);
    let sentence = passage[from..]
        .split_sentence_bound_indices()
        // The first begins where we do, in the middle of one.
        .skip(1)
        .map(|(begin, _)| from + begin)
        .find(|begin| (earliest + 1..=latest).contains(begin));
    let middle = back(OVERLAP);
    let word = Some(word_start(passage, middle)).filter(|word| *word <= latest);
    whole_character(passage, sentence.or(word).unwrap_or(middle))
}

/// The first start of a word from there on; where there is none, the place itself.
fn word_start(text: &str, from: usize) -> usize {
    if from == 0 {
        return 0;
    }
    let rest = &text[from..];
    match rest.find(char::is_whitespace) {
        Some(gap) => from + gap + (rest[gap..].len() - rest[gap..].trim_start().len()),
        None => from,
    }
}

/// The last place up to `at` that is not inside a character as a person sees it.
fn whole_character(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(true) => at,
        Ok(false) | Err(_) => match cursor.prev_boundary(text, 0) {
            Ok(Some(before)) if before > 0 && at - before <= ABSURD * 4 => before,
            Ok(_) | Err(_) => at,
        },
    }
}

#[cfg(test)]
mod tests;
