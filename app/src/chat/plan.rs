//! How a question is to be searched for.
//!
//! In: the question, and what was said before. Out: whether single passages can answer it or the whole document is asked for,
//! and whether it can be understood alone. Words only; no model is asked. Pure.

/// How to look for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// In the passages that fit best.
    Passages,
    /// All over the documents: a summary, an overview.
    Whole,
}

/// Beginnings of words that ask for a whole.
const WHOLE: [&str; 12] = [
    "summar",
    "overview",
    "outline",
    "gist",
    "tldr",
    "recap",
    "zusammenfass",
    "überblick",
    "résum",
    "resum",
    "sinopsis",
    "aperçu",
];
/// Turns of phrase that do.
const PHRASES: [&str; 17] = [
    "main point",
    "main topic",
    "main idea",
    "key point",
    "key takeaway",
    "what is this about",
    "what are these about",
    "tl;dr",
    "worum geht",
    "de quoi parle",
    "de qué trata",
    "in a nutshell",
    "every topic",
    "all topics",
    "all the topics",
    "which topics",
    "what topics",
];
/// Words that are said around such a question and limit it to nothing.
const AROUND: [&str; 79] = [
    "a",
    "about",
    "all",
    "an",
    "and",
    "any",
    "are",
    "article",
    "book",
    "brief",
    "briefly",
    "can",
    "content",
    "contents",
    "could",
    "cover",
    "covered",
    "covers",
    "das",
    "de",
    "der",
    "die",
    "do",
    "document",
    "documents",
    "does",
    "dokument",
    "el",
    "es",
    "every",
    "fasse",
    "file",
    "files",
    "for",
    "from",
    "give",
    "has",
    "have",
    "i",
    "in",
    "is",
    "it",
    "la",
    "le",
    "leave",
    "list",
    "me",
    "my",
    "name",
    "nothing",
    "of",
    "out",
    "paper",
    "pdf",
    "please",
    "provide",
    "report",
    "sentences",
    "short",
    "tell",
    "text",
    "the",
    "them",
    "there",
    "these",
    "this",
    "three",
    "topic",
    "topics",
    "two",
    "us",
    "was",
    "were",
    "what",
    "which",
    "whole",
    "write",
    "you",
    "zusammen",
];
/// A question that holds one of these leans on what was said before.
const LEANING: [&str; 34] = [
    "it", "its", "they", "them", "their", "theirs", "that", "those", "this", "these", "he", "him",
    "his", "she", "her", "hers", "there", "then", "same", "such", "one", "ones", "former",
    "latter", "else", "instead", "other", "another", "too", "also", "er", "sie", "il", "elle",
];
/// A question that begins so goes on with what was said before.
const GOING_ON: [&str; 14] = [
    "and",
    "but",
    "or",
    "so",
    "what about",
    "how about",
    "why",
    "und",
    "et",
    "y",
    "e",
    "when exactly",
    "how much more",
    "is that",
];
/// A question of no more words than these is hardly understood alone.
const SHORT: usize = 3;

pub(super) fn plan(question: &str) -> Plan {
    let text = question.to_lowercase();
    let words = words(&text);
    let asks = |word: &&str| WHOLE.iter().any(|start| word.starts_with(start));
    let phrase = PHRASES.iter().find(|phrase| text.contains(*phrase));
    if phrase.is_none() && !words.iter().any(|word| asks(&word.as_str())) {
        return Plan::Passages;
    }
    // Of what: a summary of something in particular stands in some passages.
    let phrase = phrase.copied().unwrap_or_default();
    let limits = words.iter().filter(|word| {
        !asks(&word.as_str())
            && !AROUND.contains(&word.as_str())
            && !phrase.split([' ', ';']).any(|part| !part.is_empty() && word.starts_with(part))
    });
    if limits.count() <= 1 { Plan::Whole } else { Plan::Passages }
}

/// Whether a question is searched for as it is, unless a model rewrites it.
pub(super) fn stands_alone(question: &str) -> bool {
    plan(question) == Plan::Passages && !leans(question)
}

/// Whether a question that comes after others can hardly be understood without them.
pub(super) fn leans(question: &str) -> bool {
    let text = question.trim().to_lowercase();
    let words = words(&text);
    let begins = |start: &str| {
        text.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric()))
    };
    words.len() <= SHORT
        || GOING_ON.iter().any(|start| begins(start))
        || words.iter().any(|word| LEANING.contains(&word.as_str()))
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_is_told_from_a_part() {
        for whole in [
            "Summarise this document",
            "Can you give me a short summary of the PDF, please?",
            "overview",
            "TL;DR",
            "What are the main points?",
            "What is this about?",
            "Fasse zusammen: Zusammenfassung!",
            "Summarize the lease",
            "Tell me about every topic of the documents, and leave nothing out.",
            "Which topics does this report cover?",
        ] {
            assert_eq!(plan(whole), Plan::Whole, "{whole}");
        }
        for part in [
            "What does the executive summary say about revenue growth?",
            "Summarise the clauses on early termination",
            "How long is the warranty?",
            "What are the main points of the pricing agreement with Acme?",
            "",
        ] {
            assert_eq!(plan(part), Plan::Passages, "{part}");
        }
    }

    #[test]
    fn what_leans_on_the_question_before_is_known() {
        for leaning in [
            "And in 2024?",
            "How long does it last?",
            "Why?",
            "What about children?",
            "Who wrote that?",
        ] {
            assert!(leans(leaning), "{leaning}");
        }
        for alone in [
            "How long is the warranty of the X200?",
            "Which ports does the router open by default?",
        ] {
            assert!(!leans(alone), "{alone}");
        }
    }
}
