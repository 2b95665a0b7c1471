//! Names of documents and files, as people gave them, made safe to show and to send.
//!
//! In: any text. Out: text of bounded length in any script, without what could break a line, hide a part of it or turn its
//! direction around. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::Error;

/// Most characters of a title.
pub(super) const TITLE: usize = 500;
/// Most characters of a file's name.
pub(super) const FILE_NAME: usize = 1000;

/// What RFC 5987 leaves as it is.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A title as a person wrote it.
///
/// # Errors
/// When nothing of it can be shown, or when it has more than `most` characters.
pub fn title(text: &str, most: usize) -> Result<String, Error> {
    let clean = clean(text, usize::MAX);
    if (1..=most).contains(&clean.chars().count()) {
        return Ok(clean);
    }
    Err(Error::invalid("title", format!("Give it a title of 1 to {most} characters.")))
}

/// The title of a new document: its file's name without the ending.
#[must_use]
pub(super) fn title_of_file(file_name: &str) -> String {
    let stem = match file_name.char_indices().rev().nth(3) {
        Some((at, _)) if file_name[at..].eq_ignore_ascii_case(".pdf") => &file_name[..at],
        _ => file_name,
    };
    let clean = clean(stem, TITLE);
    if clean.is_empty() { "Untitled".to_owned() } else { clean }
}

/// A file's name as a browser sent it: the last part of a path, and what browsers escape.
#[must_use]
pub(super) fn file_name(text: &str) -> String {
    let escaped = [("%22", "\""), ("%0D", " "), ("%0A", " ")];
    let text =
        escaped.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain));
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean = clean(last, FILE_NAME);
    if clean.is_empty() { "document.pdf".to_owned() } else { clean }
}

/// `Content-Disposition` for a file of any name: an ASCII stand-in, and the name itself after RFC 5987.
#[must_use]
pub(super) fn disposition(file_name: &str, attachment: bool) -> String {
    let kind = if attachment { "attachment" } else { "inline" };
    let plain = |c: char| c.is_ascii_alphanumeric() || " -._()".contains(c);
    let ascii: String =
        file_name.chars().map(|c| if plain(c) { c } else { '_' }).take(150).collect();
    // Cut by characters: half an escape would be no name.
    let whole: String = file_name.chars().take(150).collect();
    format!(
        "{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}",
        utf8_percent_encode(&whole, ATTRIBUTE)
    )
}

fn clean(text: &str, most: usize) -> String {
    let mut clean = String::new();
    let mut gap = false;
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = true;
            continue;
        }
        if gap && !clean.is_empty() {
            clean.push(' ');
        }
        gap = false;
        clean.push(c);
    }
    clean.chars().take(most).collect::<String>().trim_end().to_owned()
}

/// Marks that turn the direction of text around, and characters of no width that only hide something. The two joiners
/// stay: some scripts, and some emoji, need them.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_any_script_survive() {
        for name in [
            "Jahresbericht über Größe",
            "报告二零二六",
            "תקציר מנהלים",
            "تقرير سنوي",
            "👩‍👩‍👧‍👦 plan",
            "a'b\"c<d>&e",
        ] {
            assert_eq!(title_of_file(&format!("{name}.pdf")), name);
            assert_eq!(title_of_file(&format!("{name}.PDF")), name);
        }
    }

    #[test]
    fn titles_are_one_visible_line() {
        let cases = [
            ("a\u{202e}fdp.exe.pdf", "afdp.exe"),
            ("two\r\n\tlines  here.pdf", "two lines here"),
            ("nul\0byte.pdf", "nul byte"),
            ("  .pdf", "Untitled"),
            ("", "Untitled"),
            (".pdf", "Untitled"),
            ("pdf", "pdf"),
            ("\u{200b}\u{feff}.pdf", "Untitled"),
            ("no ending", "no ending"),
            ("x.pdf.pdf", "x.pdf"),
        ];
        for (name, expected) in cases {
            assert_eq!(title_of_file(name), expected, "{name:?}");
        }
    }

    #[test]
    fn long_names_are_cut_by_characters() {
        let long = "é".repeat(2000);
        assert_eq!(title_of_file(&long).chars().count(), TITLE);
        assert_eq!(file_name(&long).chars().count(), FILE_NAME);
        let gap = format!("{} tail", "a".repeat(TITLE - 1));
        assert_eq!(title_of_file(&gap).len(), TITLE - 1, "no gap at the end");
    }

    #[test]
    fn what_a_person_typed_is_not_cut_behind_their_back() {
        assert_eq!(title(" ééé ", 3).unwrap(), "ééé");
        for typed in ["éééé", " \u{200f} ", ""] {
            assert!(title(typed, 3).unwrap_err().to_string().contains("1 to 3 characters"));
        }
    }

    #[test]
    fn only_the_last_part_of_a_path_is_a_file_name() {
        let cases = [
            ("C:\\fakepath\\my file.pdf", "my file.pdf"),
            ("../../etc/passwd", "passwd"),
            ("say %22hello%22.pdf", "say \"hello\".pdf"),
            ("", "document.pdf"),
            ("/", "document.pdf"),
        ];
        for (sent, expected) in cases {
            assert_eq!(file_name(sent), expected);
        }
    }

    #[test]
    fn a_disposition_is_a_header_whatever_the_name() {
        assert_eq!(
            disposition("naïve \"q\".pdf", false),
            "inline; filename=\"na_ve _q_.pdf\"; filename*=UTF-8''na%C3%AFve%20%22q%22.pdf"
        );
        assert!(disposition("x.pdf", true).starts_with("attachment; "));
        for name in ["\r\nx: y", "报告.pdf", "a\\\"; filename=evil", &"🙂".repeat(1000)] {
            let value = disposition(&file_name(name), true);
            assert!(
                axum::http::HeaderValue::from_str(&value).is_ok() && value.len() < 4096,
                "{value}"
            );
        }
    }
}
