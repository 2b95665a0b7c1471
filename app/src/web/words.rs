//! Sizes, moments, counts: values as people read them.
//!
//! In: numbers and RFC 3339 moments. Out: plain English text, not escaped. Moments are in UTC; the script on the page puts
//! the person's own time in their place.

use std::fmt::Display;

use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in the value of a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A number of bytes, such as `3.4 MB`, in units of 1,024 as the limits are.
#[must_use]
pub fn size(bytes: i64) -> String {
    let bytes = bytes.max(0);
    // Tenths of a unit, rounded, without going through floating point.
    let tenths = |unit: i64| bytes.saturating_mul(10).saturating_add(unit / 2) / unit;
    let shown = |unit: i64, name: &str| match tenths(unit) {
        small if small < 100 => format!("{}.{} {name}", small / 10, small % 10),
        large => format!("{} {name}", grouped((large + 5) / 10)),
    };
    match bytes {
        0..1_024 => count(bytes, "byte", "bytes"),
        1_024..1_048_576 => shown(1_024, "KB"),
        1_048_576..1_073_741_824 => shown(1_048_576, "MB"),
        _ => shown(1_073_741_824, "GB"),
    }
}

/// A count with its noun, such as `1 page` and `1,200 pages`.
#[must_use]
pub fn count(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number with a comma at each thousand.
#[must_use]
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment, such as `23 November 2026, 15:11 UTC`; what is no moment stays as it is.
#[must_use]
pub fn moment(rfc3339: &str) -> String {
    rfc3339.parse::<Timestamp>().map_or_else(
        |_| rfc3339.to_owned(),
        |moment| moment.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string(),
    )
}

/// A text as the value of a query in an address.
#[must_use]
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let expected = [
            (-5, "0 bytes"),
            (0, "0 bytes"),
            (1, "1 byte"),
            (1_023, "1,023 bytes"),
            (1_024, "1.0 KB"),
            (10_240, "10 KB"),
            (1_048_575, "1,024 KB"),
            (3_565_158, "3.4 MB"),
            (10_485_760, "10 MB"),
            (i64::MAX, "858,993,459 GB"),
        ];
        for (bytes, words) in expected {
            assert_eq!(size(bytes), words, "{bytes}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(count(1, "page", "pages"), "1 page");
        assert_eq!(count(0, "page", "pages"), "0 pages");
    }

    #[test]
    fn moments_are_words_and_anything_else_is_left_alone() {
        assert_eq!(moment("2026-11-03T05:07:09Z"), "3 November 2026, 05:07 UTC");
        assert_eq!(moment("yesterday"), "yesterday");
    }

    #[test]
    fn a_value_cannot_leave_its_query() {
        assert_eq!(query_value("/search?q=a&b=ü"), "%2Fsearch%3Fq%3Da%26b%3D%C3%BC");
    }
}
