//! An answer without a model: the sentences of the best passages that fit the question best, word for word.
//!
//! In: the question and its sources. Out: quotations with their citations. Nothing is said that does not stand there. Pure.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

use super::sources::Source;

/// Sources that are quoted for a question.
const QUOTED: usize = 3;
/// Sentences of one source.
const SENTENCES: usize = 2;
/// A quotation is cut after so many characters.
const LONGEST: usize = 400;
/// A head that runs over each page says nothing: an overview begins with a sentence of so many words.
const WORDS: usize = 6;
/// Words that share so many first letters are taken for forms of one.
const STEM: usize = 5;

/// Quotations from those sources, best first.
pub(super) fn quotations(question: &str, sources: &[Source]) -> String {
    let asked = stems(question);
    let lines = sources.iter().take(QUOTED).map(|source| {
        let quoted = best_sentences(&asked, &source.quote);
        format!("- “{}” [{}]", quoted, source.n)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// First sentences from all over the documents, in the order of the sources; each once.
pub(super) fn overview(sources: &[Source]) -> String {
    let mut said = HashSet::new();
    let lines = sources.iter().filter_map(|source| {
        let all = sentences(&source.quote);
        let first = all.iter().find(|line| line.unicode_words().count() >= WORDS).or(all.first())?;
        let quoted = shortened(first);
        said.insert(quoted.clone()).then(|| format!("- “{quoted}” [{}]", source.n))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The sentence with most of the question's words, and its neighbour, as they stand.
fn best_sentences(asked: &HashSet<String>, text: &str) -> String {
    let all = sentences(text);
    let fit = |sentence: &String| {
        let words = stems(sentence);
        let held: usize = words.intersection(asked).map(|word| weight(word)).sum();
        // Of two that hold as many, the shorter one is to the point.
        (held * 1000).saturating_sub(sentence.len() / 10)
    };
    let best = all.iter().enumerate().max_by_key(|(at, sentence)| (fit(sentence), usize::MAX - at));
    let Some((at, _)) = best else {
        return shortened(text);
    };
    let mut quoted = String::new();
    for sentence in all.iter().skip(at).take(SENTENCES) {
        if !quoted.is_empty() && quoted.chars().count() + sentence.chars().count() > LONGEST {
            break;
        }
        if !quoted.is_empty() {
            quoted.push(' ');
        }
        quoted.push_str(sentence);
    }
    shortened(&quoted)
}

/// Sentences in one line each. Lines are as the page was printed; one that goes on in lower case belongs to the sentence before,
/// another may be a row of a table and begins anew.
fn sentences(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match lines.last_mut() {
            Some(before) if line.starts_with(char::is_lowercase) => {
                before.push(' ');
                before.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let sentences = lines.iter().flat_map(|line| line.split_sentence_bounds()).map(str::trim);
    sentences
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .map(ToOwned::to_owned)
        .collect()
}

/// What a question is about is often a code, such as E4, or a number.
fn weight(word: &str) -> usize {
    match (word.chars().any(|c| c.is_ascii_digit()), word.chars().any(char::is_alphabetic)) {
        (true, true) => 5,
        (true, false) => 2,
        (false, _) => 1,
    }
}

fn stems(text: &str) -> HashSet<String> {
    let words = text.unicode_words().map(|word| word.to_lowercase());
    words
        .filter(|word| word.chars().count() > 2 || word.chars().any(|c| c.is_ascii_digit()))
        .map(|word| word.chars().take(STEM).collect())
        .collect()
}

fn shortened(text: &str) -> String {
    // A quotation in a line of its own must stay one; its own brackets are no citations, and nothing in it is a tag.
    let text: String = text
        .replace(['[', ']'], "|")
        .replace('<', "&lt;")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{} …", &cut[..end])
}

#[cfg(test)]
mod tests {
    use super::{super::sources::tests::source, *};

    #[test]
    fn the_sentence_that_fits_is_quoted() {
        let text = "The office opens at nine. The warranty lasts 24 months from delivery.\nIt covers parts. Lunch is at noon.";
        let said = quotations("How long does the warranty last?", &[source(1, text)]);
        assert_eq!(said, "- “The warranty lasts 24 months from delivery. It covers parts.” [1]");
    }

    #[test]
    fn printed_lines_are_put_together_and_tags_are_text() {
        let text = "The warranty lasts 24\nmonths from delivery,\nunless <img src=http://evil.example/x> stands here.";
        let said = quotations("warranty", &[source(1, text)]);
        let expected = "- “The warranty lasts 24 months from delivery, unless &lt;img src=http://evil.example/x> stands here.” [1]";
        assert_eq!(said, expected);
    }

    #[test]
    fn a_code_that_is_asked_for_is_quoted() {
        let table = "Code Meaning on the DX-45 What to do\nE1 Sensor broken Call the service\nE4 Pump blocked Clean the hose";
        let said = quotations("What does error code E4 mean on the DX-45?", &[source(1, table)]);
        assert!(said.contains("E4 Pump blocked"), "{said}");
    }

    #[test]
    fn odd_text_is_quoted_all_the_same() {
        assert_eq!(quotations("x", &[]), "");
        assert_eq!(quotations("x", &[source(1, "…")]), "- “…” [1]");
        let brackets = quotations("value", &[source(2, "The value [1] is 5.")]);
        assert_eq!(brackets, "- “The value |1| is 5.” [2]");
        let long = quotations("x", &[source(1, &"word ".repeat(300))]);
        assert!(
            long.chars().count() < LONGEST + 20 && long.ends_with("… ” [1]")
                || long.contains(" …” [1]"),
            "{long}"
        );
    }

    #[test]
    fn an_overview_takes_a_sentence_of_each_and_none_twice() {
        let head = "Handbook | Issue 7\nThe handbook tells who may open the store. More.";
        let said = overview(&[source(1, head), source(2, head), source(3, "Three. Four.")]);
        assert_eq!(said, "- “The handbook tells who may open the store.” [1]\n- “Three.” [3]");
    }
}
