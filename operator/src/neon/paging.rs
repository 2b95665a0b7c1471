//! When a listing is whole.
//!
//! In: how many things a page held and which cursor came with it. Out: the next page's cursor, or the end. The
//! cursor comes with the last page too, so a short page ends a listing. It must not go round in circles.

use std::collections::BTreeSet;

use serde::Deserialize;

/// More pages than any account can fill.
const MOST_PAGES: usize = 500;

/// The `pagination` object: projects and operations say `cursor`, branches say `next`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Pagination {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    next: Option<String>,
}

/// What follows a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another page, from this cursor on.
    Page(String),
    /// Nothing: the listing is whole.
    End,
    /// Nothing sensible: the server repeats itself, so the listing may not be whole.
    Circle,
}

/// Follows one listing.
#[derive(Debug)]
pub(super) struct Pager {
    limit: usize,
    seen: BTreeSet<String>,
}

impl Pager {
    /// For pages of at most `limit` things.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, seen: BTreeSet::new() }
    }

    /// `held` counts everything that took a place on the page, what could not be shown included.
    pub(super) fn after(&mut self, held: usize, pagination: Option<Pagination>) -> Next {
        let Pagination { cursor, next } = pagination.unwrap_or_default();
        let cursor = cursor.or(next).filter(|cursor| !cursor.is_empty());
        match cursor {
            Some(cursor) if held >= self.limit => {
                if self.seen.len() < MOST_PAGES && self.seen.insert(cursor.clone()) {
                    Next::Page(cursor)
                } else {
                    Next::Circle
                }
            }
            _ => Next::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Pager, Pagination};

    fn cursor(text: &str) -> Option<Pagination> {
        Some(Pagination { cursor: Some(text.to_owned()), next: None })
    }

    #[test]
    fn a_listing_ends_where_it_should() {
        let mut pager = Pager::new(3);
        assert_eq!(pager.after(3, cursor("a")), Next::Page("a".to_owned()));
        assert_eq!(pager.after(2, cursor("b")), Next::End, "short page");
        assert_eq!(pager.after(0, cursor("b")), Next::End, "empty page");
        assert_eq!(pager.after(3, None), Next::End, "no pagination");
        assert_eq!(pager.after(3, cursor("")), Next::End, "empty cursor");
        assert_eq!(pager.after(3, cursor("a")), Next::Circle, "repeated cursor");
        let next = Some(Pagination { cursor: None, next: Some("c".to_owned()) });
        assert_eq!(pager.after(3, next), Next::Page("c".to_owned()), "branches say next");
    }

    #[test]
    fn ever_new_cursors_end_too() {
        let mut pager = Pager::new(1);
        let pages =
            (0..10_000).take_while(|n| pager.after(1, cursor(&n.to_string())) != Next::Circle);
        assert_eq!(pages.count(), super::MOST_PAGES);
    }
}
