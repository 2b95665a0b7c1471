//! Text of a page as it should be searched and shown.
//!
//! In: text as it came out of a PDF. Out: the same in composed form, without what a database refuses or a reader does not see:
//! control characters, soft hyphens, words broken at a line's end, runs of blanks. No input or output happens here.

use unicode_normalization::UnicodeNormalization;

/// Cleans the text of one page.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut lines = Lines::default();
    let visible = text.replace("\r\n", "\n");
    for line in visible.split(is_line_end) {
        lines.add(&plain(line));
    }
    let mut text = lines.text;
    text.truncate(text.trim_end_matches('\u{ad}').len());
    text
}

/// A line without what is not seen, its blanks collapsed.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for letter in line.nfc() {
        if letter.is_whitespace() {
            if !text.is_empty() && !text.ends_with(' ') {
                text.push(' ');
            }
        } else if let Some(letters) = ligature(letter) {
            text.push_str(letters);
        } else if !is_invisible(letter) {
            text.push(letter);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn is_line_end(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Letters that print as one.
fn ligature(letter: char) -> Option<&'static str> {
    match letter {
        '\u{fb00}' => Some("ff"),
        '\u{fb01}' => Some("fi"),
        '\u{fb02}' => Some("fl"),
        '\u{fb03}' => Some("ffi"),
        '\u{fb04}' => Some("ffl"),
        '\u{fb05}' | '\u{fb06}' => Some("st"),
        _ => None,
    }
}

/// Controls (Postgres refuses the first of them), marks of direction that can make a text look like another, and what stands
/// for nothing. Joiners stay: scripts need them. A soft hyphen stays until its line is complete.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{feff}' | '\u{fffc}' | '\u{fffd}' | '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[derive(Default)]
struct Lines {
    text: String,
    /// An empty line came since the last one with text.
    gap: bool,
}

impl Lines {
    fn add(&mut self, line: &str) {
        if line.trim_matches('\u{ad}').is_empty() {
            self.gap = true;
            return;
        }
        if !self.text.is_empty() {
            self.join(line);
        }
        self.gap = false;
        // One that ends a line is kept for the next to see.
        let ends_softly = line.ends_with('\u{ad}');
        self.text.extend(line.chars().filter(|letter| *letter != '\u{ad}'));
        if ends_softly {
            self.text.push('\u{ad}');
        }
    }

    fn join(&mut self, line: &str) {
        let softly = self.text.ends_with('\u{ad}');
        if softly {
            self.text.pop();
        }
        let last = self.text.chars().next_back();
        let next = line.chars().next();
        if self.gap {
            self.text.push_str("\n\n");
        } else if softly || (last.is_some_and(is_unspaced) && next.is_some_and(is_unspaced)) {
            // The word, or the text of a script without spaces, goes on.
        } else if last == Some('-') && self.is_broken_word(next) {
            self.text.pop();
        } else {
            self.text.push('\n');
        }
    }

    /// Whether the hyphen at the end parts a word: a small letter on both sides of it.
    fn is_broken_word(&self, next: Option<char>) -> bool {
        let before = self.text.chars().rev().nth(1);
        before.is_some_and(char::is_lowercase) && next.is_some_and(char::is_lowercase)
    }
}

/// Scripts that are written without spaces: Han, Kana, and their punctuation.
fn is_unspaced(letter: char) -> bool {
    matches!(
        letter,
        '\u{2e80}'..='\u{303f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}' | '\u{ff01}'..='\u{ff60}' | '\u{20000}'..='\u{3ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_not_kept() {
        let table = [
            ("", ""),
            (" \n\t\n ", ""),
            ("\u{0}a\u{0}b\u{7}", "ab"),
            ("a\u{a0}\u{3000} \t b", "a b"),
            ("one\r\ntwo\rthree\u{2028}four", "one\ntwo\nthree\nfour"),
            ("a\n\n\n\n  \nb", "a\n\nb"),
            ("e\u{301}t\u{e9}", "\u{e9}t\u{e9}"),
            ("\u{fb03}cient \u{fb01}le", "fficient file"),
            ("\u{202e}evil\u{202c} \u{feff}x\u{fffd}", "evil x"),
            // Joiners are part of words and of pictures.
            ("\u{645}\u{6cc}\u{200c}\u{62e}", "\u{645}\u{6cc}\u{200c}\u{62e}"),
            ("\u{1f469}\u{200d}\u{1f4bb}", "\u{1f469}\u{200d}\u{1f4bb}"),
        ];
        for (given, expected) in table {
            assert_eq!(clean(given), expected, "{given:?}");
        }
    }

    #[test]
    fn words_broken_at_a_lines_end_are_whole_again() {
        let table = [
            ("infor-\nmation", "information"),
            ("infor\u{ad}\nmation", "information"),
            ("in\u{ad}for\u{ad}ma\u{ad}tion", "information"),
            ("well-known", "well-known"),
            ("pages 3-\n5", "pages 3-\n5"),
            ("Anglo-\nSaxon", "Anglo-\nSaxon"),
            ("- \na", "-\na"),
            ("end-\n\nnew", "end-\n\nnew"),
            ("中文\n字符", "中文字符"),
            ("中文\nword", "中文\nword"),
            ("\u{ad}\n\u{ad}", ""),
        ];
        for (given, expected) in table {
            assert_eq!(clean(given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_soft_hyphen_at_the_very_end_is_gone() {
        assert_eq!(clean("infor\u{ad}"), "infor");
    }
}
