//! Static files, built into the binary.
//!
//! In: the name of a file. Out: its bytes with a strong `ETag`. Pages link to a file by [`asset`], which adds its hash: such
//! an answer may be kept for ever, any other must be checked again. Texts are compressed once, when they are first asked
//! for; pages never are: what a person typed stands in them beside what others must not learn from their length. There is
//! no file system behind it, so no name leads out of it.

mod cmaps;
mod gzip;

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::Bytes,
    extract::{Path, RawQuery},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::error::Error;

const BINARY: &str = "application/octet-stream";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file as it is built in.
struct File {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

/// A file as it is served.
struct Served {
    kind: HeaderValue,
    bytes: &'static [u8],
    etag: HeaderValue,
    /// Where it is a text: the same compressed, once somebody asked for it, and the tag of that.
    gzip: Option<(OnceCell<Bytes>, HeaderValue)>,
    hash: String,
    /// Its address with its hash.
    link: String,
}

macro_rules! files {
    ($($name:literal as $kind:ident,)*) => {
        &[$(File {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../../static/", $name)),
        }),*]
    };
}

const FILES: &[File] = files! {
    "app.css" as CSS,
    "app.js" as SCRIPT,
    "chat.js" as SCRIPT,
    "chat/beside.js" as SCRIPT,
    "chat/list.js" as SCRIPT,
    "chat/messages.js" as SCRIPT,
    "chat/page.js" as SCRIPT,
    "chat/passage.js" as SCRIPT,
    "chat/stream.js" as SCRIPT,
    "chat/text.js" as SCRIPT,
    "viewer.css" as CSS,
    "viewer.js" as SCRIPT,
    "logo.svg" as SVG,
    "vendor/pdfjs/pdf.min.mjs" as SCRIPT,
    "vendor/pdfjs/pdf.worker.min.mjs" as SCRIPT,
    "vendor/pdfjs/decoders/jbig2_nowasm_fallback.js" as SCRIPT,
    "vendor/pdfjs/decoders/openjpeg_nowasm_fallback.js" as SCRIPT,
    "vendor/pdfjs/fonts/FoxitDingbats.pfb" as BINARY,
    "vendor/pdfjs/fonts/FoxitSymbol.pfb" as BINARY,
};

static SERVED: LazyLock<HashMap<&'static str, Served>> =
    LazyLock::new(|| FILES.iter().chain(cmaps::FILES).map(served).collect());

fn served(file: &File) -> (&'static str, Served) {
    let File { name, kind, bytes } = *file;
    let digest = Sha256::digest(bytes);
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let tag = |text: String| {
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
    };
    let etag = tag(format!("\"{hash}\""));
    let gzip = (kind != BINARY).then(|| (OnceCell::new(), tag(format!("\"{hash}-gz\""))));
    let link = format!("/static/{name}?v={hash}");
    (name, Served { kind: HeaderValue::from_static(kind), bytes, etag, gzip, hash, link })
}

/// The address of a file for a page, with its hash. A name that there is no file of leads nowhere; a test looks for such.
#[must_use]
pub fn asset(name: &str) -> &'static str {
    SERVED.get(name).map_or("/static/missing", |file| file.link.as_str())
}

/// `GET /static/{file}`
///
/// # Errors
/// [`Error::NotFound`] when there is no such file.
pub async fn serve(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let file = SERVED.get(name.as_str()).ok_or(Error::NotFound)?;
    let current = query.and_then(|query| query.strip_prefix("v=").map(|v| v == file.hash));
    let cache = match current {
        Some(true) => "public, max-age=31536000, immutable",
        Some(false) | None => "public, no-cache",
    };
    let (body, etag, compressed) = file.variant(gzip::is_accepted(&headers)).await;
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == etag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    let fixed = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_TYPE, file.kind.clone()),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, value);
    }
    if file.gzip.is_some() {
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if compressed && !known {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    }
    Ok(response)
}

impl Served {
    /// The body, its tag, and whether it is compressed.
    async fn variant(&'static self, accepted: bool) -> (Bytes, &'static HeaderValue, bool) {
        let plain = (Bytes::from_static(self.bytes), &self.etag, false);
        let Some((compressed, etag)) = self.gzip.as_ref().filter(|_| accepted) else {
            return plain;
        };
        let bytes = self.bytes;
        let work = async || tokio::task::spawn_blocking(move || gzip::compress(bytes)).await?;
        match compressed.get_or_try_init(work).await {
            Ok(body) => (body.clone(), etag, true),
            Err(error) => {
                tracing::warn!(%error, "a static file could not be compressed");
                plain
            }
        }
    }
}

#[cfg(test)]
mod tests;
