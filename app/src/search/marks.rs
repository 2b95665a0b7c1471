//! Which words of a passage matched.
//!
//! In: a passage, and the words in it that the database says matched the question. Out: the passage in pieces of plain text,
//! marked or not. Only whole words are marked; nothing is added or lost. Pure.

use crate::web::Piece;

/// The passage in pieces.
pub(super) fn pieces(text: &str, words: &[String]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (start, end) in spans(text, words) {
        if start > at {
            pieces.push(Piece::plain(&text[at..start]));
        }
        pieces.push(Piece::marked(&text[start..end]));
        at = end;
    }
    if at < text.len() {
        pieces.push(Piece::plain(&text[at..]));
    }
    pieces
}

/// Where the words stand, in order, without overlap.
fn spans(text: &str, words: &[String]) -> Vec<(usize, usize)> {
    let found = words.iter().filter(|word| !word.is_empty()).flat_map(|word| {
        text.match_indices(word.as_str()).map(|(start, word)| (start, start + word.len()))
    });
    let mut found: Vec<(usize, usize)> = found.filter(|span| is_whole(text, *span)).collect();
    // Of two that begin together, the longer one counts.
    found.sort_unstable_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (start, end) in found {
        match spans.last_mut() {
            Some((_, last)) if start < *last => *last = end.max(*last),
            _ => spans.push((start, end)),
        }
    }
    spans
}

/// A word does not begin or end inside another.
fn is_whole(text: &str, (start, end): (usize, usize)) -> bool {
    let joins = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    let word = &text[start..end];
    !joins(text[..start].chars().next_back(), word.chars().next())
        && !joins(word.chars().next_back(), text[end..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let pieces = pieces(text, &words);
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
        assert_eq!(
            marked("Plan the planet. A plan, Plan!", &["plan", "Plan"]),
            ["Plan", "plan", "Plan"]
        );
        assert_eq!(marked("plan", &["plan"]), ["plan"]);
        assert_eq!(marked("nothing here", &["plan"]), [""; 0]);
        assert_eq!(marked("", &["plan"]), [""; 0]);
        assert_eq!(marked("plan", &["", "x"]), [""; 0]);
    }

    #[test]
    fn compounds_are_marked_once() {
        assert_eq!(
            marked("a state-of-the-art thing", &["state-of-the-art", "state", "art"]),
            ["state-of-the-art"]
        );
        assert_eq!(marked("ab ab-cd", &["ab-cd", "ab"]), ["ab", "ab-cd"]);
    }

    #[test]
    fn any_script_and_markup_are_only_text() {
        assert_eq!(marked("<b>plan</b> & \"plan\"", &["plan"]), ["plan", "plan"]);
        assert_eq!(marked("über Größe, größer", &["Größe"]), ["Größe"]);
        assert_eq!(marked("תקציר מנהלים כאן", &["מנהלים"]), ["מנהלים"]);
        assert_eq!(marked("👩‍👩‍👧 plan👍", &["plan"]), ["plan"]);
    }
}
