//! What an answer stands on: numbered passages, chosen to fit.
//!
//! In: passages in the order of their fit, and room for so many tokens. Out: sources, numbered from 1, that know their document
//! and page. Pure.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{documents::Searchable, search::sql::Candidate};

/// Sources that are chosen for their fit.
pub(super) const BEST: usize = 8;
/// Characters of plain text to a token, at the least: models count a little less.
const CHARACTERS: f64 = 3.5;
/// What the fence around a source takes.
const FENCE: usize = 30;

/// A passage that an answer may cite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// Its number, from 1.
    pub(super) n: u32,
    /// Its document.
    pub(super) document_id: Uuid,
    /// What the person calls the document.
    pub(super) title: String,
    /// The name of the document's file.
    pub(super) file_name: String,
    /// The page that it begins on.
    pub(super) page: i32,
    /// The page that it ends on.
    pub(super) last_page: i32,
    /// Its text.
    pub(super) quote: String,
}

/// As many of the passages, in their order, as fit; at least one. A passage whose document went away is left out.
pub(super) fn choose<'a>(
    passages: impl IntoIterator<Item = &'a Candidate>,
    documents: &[Searchable],
    most: usize,
    mut room: usize,
) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for passage in passages {
        if sources.len() == most {
            break;
        }
        let Some(document) = documents.iter().find(|one| one.id == passage.document_id) else {
            continue;
        };
        let needs = tokens(&passage.content) + FENCE;
        if needs > room && !sources.is_empty() {
            continue;
        }
        room = room.saturating_sub(needs);
        let page = passage.page_first.unwrap_or(1);
        sources.push(Source {
            n: u32::try_from(sources.len() + 1).unwrap_or(u32::MAX),
            document_id: passage.document_id,
            title: document.title.clone(),
            file_name: document.file_name.clone(),
            page,
            last_page: passage.page_last.unwrap_or(page),
            quote: passage.content.clone(),
        });
    }
    sources
}

/// About how many tokens a text is; rather too many than too few.
pub(super) fn tokens(text: &str) -> usize {
    let plain = text.bytes().filter(u8::is_ascii).count();
    let other = text.chars().filter(|c| !c.is_ascii()).count();
    (plain as f64 / CHARACTERS).ceil() as usize + other
}

impl Source {
    /// Where it stands, for people.
    pub(super) fn words(&self) -> String {
        if self.last_page > self.page {
            format!("{}, pages {} to {}", self.title, self.page, self.last_page)
        } else {
            format!("{}, page {}", self.title, self.page)
        }
    }

    /// The way to it.
    pub(super) fn href(&self) -> String {
        format!("/documents/{}?page={}", self.document_id, self.page)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::documents::Readiness;

    pub(in crate::chat) fn source(n: u32, quote: &str) -> Source {
        Source {
            n,
            document_id: Uuid::from_u128(7),
            title: "Handbook".to_owned(),
            file_name: "handbook.pdf".to_owned(),
            page: 12,
            last_page: 12,
            quote: quote.to_owned(),
        }
    }

    fn passage(document: u128, content: &str) -> Candidate {
        let document_id = Uuid::from_u128(document);
        Candidate { document_id, content: content.to_owned(), ..Candidate::default() }
    }

    #[test]
    fn sources_fit_and_belong_to_documents_that_are_there() {
        let documents = [Searchable {
            id: Uuid::from_u128(7),
            title: "Handbook".to_owned(),
            file_name: "handbook.pdf".to_owned(),
            state: Readiness::Ready,
            passages: 3,
        }];
        let long = "word ".repeat(400);
        let all = [passage(7, &long), passage(8, "gone"), passage(7, &long), passage(7, "short")];
        let chosen = |most, room| {
            let chosen = choose(&all, &documents, most, room);
            chosen.iter().map(|one| (one.n, one.quote.len())).collect::<Vec<_>>()
        };
        assert_eq!(chosen(9, 10_000), [(1, 2000), (2, 2000), (3, 5)]);
        assert_eq!(chosen(2, 10_000), [(1, 2000), (2, 2000)]);
        assert_eq!(chosen(9, 700), [(1, 2000), (2, 5)], "what is too long is passed over");
        assert_eq!(chosen(9, 1), [(1, 2000)], "one at least");
    }

    #[test]
    fn tokens_are_rather_too_many() {
        assert_eq!(tokens(""), 0);
        assert!((250..300).contains(&tokens(&"word ".repeat(200))));
        assert_eq!(tokens("動物"), 2);
    }

    #[test]
    fn a_source_says_where_it_stands() {
        let mut one = source(1, "text");
        assert_eq!(one.words(), "Handbook, page 12");
        one.last_page = 13;
        assert_eq!(one.words(), "Handbook, pages 12 to 13");
        assert!(one.href().ends_with("?page=12"));
    }
}
