//! What the reading child tells its parent: one line of JSON for each thing.
//!
//! In and out: [`Line`]. A failure is a name from a fixed set with a detail for the log; neither quotes the document.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The text of one page; pages come in order.
    Page {
        /// Its number, from 1.
        page: u32,
        /// Its text.
        text: String,
    },
    /// How many pages there are: the first line of a PDF that can be read.
    Pages {
        /// The number.
        pages: u32,
    },
    /// The last line of a PDF that was read.
    End {
        /// Always true.
        end: bool,
        /// Pages without text among others that have some.
        textless: u32,
    },
    /// The last line of a PDF that cannot be used.
    Failure {
        /// Why.
        failure: Reason,
        /// More for the log.
        detail: String,
    },
}

/// Why a PDF cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is no PDF.
    NotPdf,
    /// It opens only with a password.
    Encrypted,
    /// Its structure cannot be read.
    Damaged,
    /// It has no pages.
    Empty,
    /// Hardly a letter on any page.
    NoText,
    /// More pages than allowed.
    TooManyPages,
    /// More memory, time or text than allowed.
    TooComplex,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_agreed_and_come_back_the_same() {
        let table = [
            (Line::Pages { pages: 3 }, r#"{"pages":3}"#),
            (Line::Page { page: 1, text: "a\nb".to_owned() }, r#"{"page":1,"text":"a\nb"}"#),
            (Line::End { end: true, textless: 2 }, r#"{"end":true,"textless":2}"#),
            (
                Line::Failure { failure: Reason::NoText, detail: String::new() },
                r#"{"failure":"no_text","detail":""}"#,
            ),
        ];
        for (line, text) in table {
            assert_eq!(serde_json::to_string(&line).unwrap(), text);
            assert_eq!(serde_json::from_str::<Line>(text).unwrap(), line);
        }
        assert!(serde_json::from_str::<Line>(r#"{"page":1}"#).is_err());
    }
}
