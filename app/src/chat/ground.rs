//! Citations for sentences that a model left without one.
//!
//! In: an answer's text as it streams, and the sources. Out: the same text; after a sentence that cites nothing, though nearly all
//! its telling words, all its numbers and every "not" stand in one source, stands that source's number. Small models forget to
//! cite. A sentence that no source holds stays as it is: a number that is wrong is worse than none. Pure.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

use super::sources::Source;

/// So much of a sentence's telling words must stand in the source.
const HELD: f64 = 0.8;
/// And all of them where it has fewer than so many.
const MANY: usize = 4;
/// A sentence of fewer telling words could be from anywhere.
const TELLING: usize = 3;
/// Words that turn a sentence into its opposite.
const NOT: [&str; 14] = [
    "not", "no", "never", "none", "cannot", "without", "nicht", "kein", "keine", "ohne", "pas",
    "jamais", "sin", "nunca",
];
/// Words of fewer letters tell nothing, numbers apart.
const SHORT: usize = 4;
/// Forms of a word share so many first letters.
const STEM: usize = 6;

/// Watches one answer.
pub(super) struct Grounding {
    sources: Vec<(u32, Words)>,
    sentence: String,
    /// A blank after a sentence's end, until it is known whether its citation follows.
    blank: Option<char>,
    /// Anything has been cited.
    pub(super) cited: bool,
}

impl Grounding {
    pub(super) fn new(sources: &[Source]) -> Self {
        let sources = sources.iter().map(|source| (source.n, Words::of(&source.quote))).collect();
        Self { sources, sentence: String::new(), blank: None, cited: false }
    }

    /// More text, whose citations are true already; with the citations that it lacks.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for sign in text.chars() {
            if let Some(blank) = self.blank.take() {
                if sign != '[' {
                    out.push_str(&self.close());
                }
                self.sentence.push(blank);
                out.push(blank);
            }
            if sign.is_whitespace() && self.has_ended(sign) {
                self.blank = Some(sign);
                continue;
            }
            self.sentence.push(sign);
            out.push(sign);
        }
        out
    }

    /// The answer has ended.
    pub(super) fn finish(&mut self) -> String {
        let blank = self.blank.take();
        let mut rest = self.close();
        rest.extend(blank);
        rest
    }

    fn has_ended(&self, blank: char) -> bool {
        let ends = |sign: char| matches!(sign, '.' | '!' | '?' | ']' | '”' | '"');
        blank == '\n' || self.sentence.trim_end().ends_with(ends)
    }

    /// What is to be said after the sentence.
    fn close(&mut self) -> String {
        let sentence = std::mem::take(&mut self.sentence);
        if sentence.contains('[') {
            self.cited |= sentence.contains(']');
            return String::new();
        }
        let words = Words::of(&sentence);
        if words.telling.len() < TELLING {
            return String::new();
        }
        let least = if words.telling.len() < MANY { 1.0 } else { HELD };
        let best = self.sources.iter().map(|(n, source)| (*n, words.held_by(source)));
        // Of two that hold as much, the first fits the question better.
        let best = best.reduce(|best, next| if next.1 > best.1 { next } else { best });
        match best {
            Some((n, held)) if held >= least => {
                self.cited = true;
                format!(" [{n}]")
            }
            Some(_) | None => String::new(),
        }
    }
}

/// What a text is made of.
struct Words {
    /// First letters of the words that tell something: numbers, and words of some length.
    telling: HashSet<String>,
    /// Words that must not differ: with another number, or a "not", a sentence says something else.
    strict: HashSet<String>,
}

impl Words {
    fn of(text: &str) -> Self {
        let words: Vec<String> = text.unicode_words().map(str::to_lowercase).collect();
        let has_digit = |word: &String| word.chars().any(|c| c.is_ascii_digit());
        let tells = |word: &&String| word.chars().count() >= SHORT || has_digit(word);
        let is_strict = |word: &&String| {
            has_digit(word) || NOT.contains(&word.as_str()) || word.ends_with("n't")
        };
        Self {
            telling: words
                .iter()
                .filter(tells)
                .map(|word| word.chars().take(STEM).collect())
                .collect(),
            strict: words.iter().filter(is_strict).cloned().collect(),
        }
    }

    /// The part of these words that stands in a source.
    fn held_by(&self, source: &Self) -> f64 {
        if !self.strict.is_subset(&source.strict) {
            return 0.0;
        }
        self.telling.intersection(&source.telling).count() as f64 / self.telling.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sources::tests::source, *};

    fn grounded(text: &str) -> (String, bool) {
        let sources = [
            source(1, "The warranty of the dryer lasts 24 months from the day of delivery."),
            source(2, "Returned machines are repaired within ten working days."),
        ];
        let whole = cut(text, &sources, usize::MAX);
        assert_eq!(cut(text, &sources, 1), whole);
        assert_eq!(cut(text, &sources, 7), whole);
        whole
    }

    fn cut(text: &str, sources: &[Source], size: usize) -> (String, bool) {
        let mut grounding = Grounding::new(sources);
        let signs: Vec<char> = text.chars().collect();
        let pieces = signs.chunks(size.min(signs.len().max(1)));
        let mut out: String =
            pieces.map(|piece| grounding.push(&piece.iter().collect::<String>())).collect();
        out.push_str(&grounding.finish());
        (out, grounding.cited)
    }

    #[test]
    fn a_sentence_that_stands_in_a_source_gets_its_number() {
        let (text, cited) = grounded(
            "The dryer's warranty lasts 24 months from delivery. Repairs take ten working days once machines are returned.",
        );
        assert_eq!(
            text,
            "The dryer's warranty lasts 24 months from delivery. [1] Repairs take ten working days once machines are returned."
        );
        assert!(cited);
        assert_eq!(
            grounded("Returned machines are repaired within ten days").0,
            "Returned machines are repaired within ten days [2]"
        );
        let short = "Returned machines are repaired.";
        assert_eq!(grounded(short).0, format!("{short} [2]"));
    }

    #[test]
    fn what_is_cited_or_invented_stays_as_it_is() {
        for text in [
            "The warranty of the dryer lasts 24 months [1].",
            "The warranty of the dryer lasts 24 months. [1] Returned machines are repaired. [2]\n",
            "The warranty of the dryer lasts 36 years and covers everything in the house.",
            "The warranty of the dryer lasts 36 months from the day of delivery.",
            "The warranty of the dryer never lasts 24 months from the day of delivery.",
            "Yes. No. 24 months.",
            "Stolen machines are repaired.",
            "- one\n- two\n",
            "",
        ] {
            assert_eq!(grounded(text).0, text);
        }
        assert!(!grounded("Nothing of this is known.").1);
    }
}
