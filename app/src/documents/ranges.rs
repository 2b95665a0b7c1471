//! Which bytes of a file a request asks for, after RFC 9110.
//!
//! In: the request's headers, the file's size and tag. Out: all, a range, or that there is no such range. Several ranges at
//! once, and what cannot be read, are answered with all, as the RFC allows. Pure.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, header};

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The whole file.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing: the range begins behind the file's end.
    Nothing,
    /// Nothing: whoever asks has the file as it is.
    Known,
}

/// What these headers ask for.
#[must_use]
pub(super) fn wanted(headers: &HeaderMap, size: u64, tag: &str) -> Wanted {
    if text(headers, &header::IF_NONE_MATCH).is_some_and(|tags| names(tags, tag)) {
        return Wanted::Known;
    }
    let Some(range) = text(headers, &header::RANGE) else {
        return Wanted::All;
    };
    // A tag of a file that was since replaced, or a date: the old part and the new would not fit.
    if headers.contains_key(header::IF_RANGE) && text(headers, &header::IF_RANGE) != Some(tag) {
        return Wanted::All;
    }
    one_range(range, size).unwrap_or(Wanted::All)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn names(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// One range of bytes; nothing when it cannot be read.
fn one_range(text: &str, size: u64) -> Option<Wanted> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let range = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(count)) => size.saturating_sub(count)..size,
        (Some(first), None) => first..size,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(_), Some(_)) => return None,
    };
    Some(if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) })
}

/// A number, or nothing at all; anything else cannot be read.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too long to hold is behind any file's end.
    digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn ask(headers: &[(HeaderName, &str)]) -> Wanted {
        let map =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        wanted(&map, 100, TAG)
    }

    #[test]
    fn ranges_after_the_rfc() {
        let cases = [
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=90-", Wanted::Part(90..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=99-1000", Wanted::Part(99..100)),
            ("BYTES= 0 - 0 ", Wanted::Part(0..1)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=9-0", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("pages=0-1", Wanted::All),
            ("nonsense", Wanted::All),
        ];
        for (range, expected) in cases {
            assert_eq!(ask(&[(header::RANGE, range)]), expected, "{range}");
        }
        assert_eq!(ask(&[]), Wanted::All);
    }

    #[test]
    fn a_range_of_another_version_is_answered_with_all() {
        let range = (header::RANGE, "bytes=0-9");
        assert_eq!(ask(&[range.clone(), (header::IF_RANGE, TAG)]), Wanted::Part(0..10));
        for other in ["\"other\"", "W/\"abc\"", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(ask(&[range.clone(), (header::IF_RANGE, other)]), Wanted::All, "{other}");
        }
    }

    #[test]
    fn who_has_it_is_told_so() {
        for tags in [TAG, "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(ask(&[(header::IF_NONE_MATCH, tags)]), Wanted::Known, "{tags}");
        }
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"x\"")]), Wanted::All);
    }

    #[test]
    fn an_empty_file_has_no_range() {
        let headers = HeaderMap::from_iter([(header::RANGE, "bytes=0-".parse().unwrap())]);
        assert_eq!(wanted(&headers, 0, TAG), Wanted::Nothing);
    }
}
