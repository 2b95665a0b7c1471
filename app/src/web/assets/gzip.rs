//! Compression of static files.
//!
//! In: bytes; the headers of a request. Out: the same bytes compressed as well as it gets, since it is done once; whether the
//! request's sender takes such an answer.

use std::io::{self, Write};

use axum::{
    body::Bytes,
    http::{HeaderMap, header},
};
use flate2::{Compression, write::GzEncoder};

/// The bytes, compressed.
pub(super) fn compress(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

/// Whether these headers accept gzip: by its name, else by the star for all.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let quality = |name: &str| {
        let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
        let codings = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
        codings.map(coding).find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, q)| q)
    };
    quality("gzip").or_else(|| quality("*")).is_some_and(|quality| quality > 0.0)
}

/// A coding and how much it is wanted.
fn coding(text: &str) -> (&str, f32) {
    let (name, rest) = text.split_once(';').unwrap_or((text, ""));
    let quality = rest.trim().strip_prefix("q=").or_else(|| rest.trim().strip_prefix("Q="));
    (name.trim(), quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        let table = [
            (&["gzip, deflate, br, zstd"][..], true),
            (&["GZIP"], true),
            (&["br", "gzip"], true),
            (&["br;q=1.0, gzip;q=0.5"], true),
            (&["br ; q=1.0, gzip ; q=0.001"], true),
            (&["*"], true),
            (&["gzip;q=0, *"], false),
            (&["gzip; q=0.000"], false),
            (&["gzip;q=nonsense"], false),
            (&["*;q=0"], false),
            (&["identity"], false),
            (&["notgzip"], false),
            (&[""], false),
            (&[], false),
        ];
        for (lists, expected) in table {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(header::ACCEPT_ENCODING, list.parse().unwrap());
            }
            assert_eq!(is_accepted(&headers), expected, "{lists:?}");
        }
    }
}
