//! The file itself, for its owner: whole or in ranges, shown in the browser or saved.
//!
//! In: a row and the request's headers. Out: bytes as they come from the store, under a type and a name that cannot be taken
//! for anything else than a PDF. No cache keeps them.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};

use super::{
    StoreError,
    files::Blob,
    names,
    ranges::{self, Wanted},
    rows::Row,
};
use crate::{error::Error, state::App, web::Stage};

/// Answers with the file, or the part of it that the headers ask for.
pub(super) async fn send(
    app: &App,
    row: &Row,
    headers: &HeaderMap,
    attachment: bool,
) -> Result<Response<Body>, Error> {
    if row.stage() == Stage::Uploading {
        return Err(Error::NotFound);
    }
    let (size, tag) = (u64::try_from(row.bytes).unwrap_or(0), row.tag());
    let (status, length, body) = match ranges::wanted(headers, size, &tag) {
        Wanted::All => (StatusCode::OK, size, app.files.get(&row.blob_key).await),
        Wanted::Part(range) => {
            let content = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let length = range.end - range.start;
            let blob = open(row, app.files.get_range(&row.blob_key, range).await)?;
            let mut response =
                answer(StatusCode::PARTIAL_CONTENT, row, &tag, attachment, body_of(blob))?;
            put(&mut response, header::CONTENT_RANGE, &content)?;
            put(&mut response, header::CONTENT_LENGTH, &length.to_string())?;
            return Ok(response);
        }
        Wanted::Nothing => {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let mut response = answer(status, row, &tag, attachment, Body::empty())?;
            put(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"))?;
            return Ok(response);
        }
        Wanted::Known => {
            return answer(StatusCode::NOT_MODIFIED, row, &tag, attachment, Body::empty());
        }
    };
    let mut response = answer(status, row, &tag, attachment, body_of(open(row, body)?))?;
    put(&mut response, header::CONTENT_LENGTH, &length.to_string())?;
    Ok(response)
}

/// A row without its file is our fault, not the person's.
fn open(row: &Row, found: Result<Blob, StoreError>) -> Result<Blob, Error> {
    found.map_err(|error| match error {
        StoreError::Missing => {
            Error::internal(format!("the file of document {} is not in the store", row.id))
        }
        other => other.into(),
    })
}

fn body_of(blob: Blob) -> Body {
    Body::from_stream(blob.chunks)
}

fn answer(
    status: StatusCode,
    row: &Row,
    tag: &str,
    attachment: bool,
    body: Body,
) -> Result<Response<Body>, Error> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let named = names::disposition(&row.file_name, attachment);
    let all = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, &named),
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        put(&mut response, name, value)?;
    }
    Ok(response)
}

fn put(response: &mut Response<Body>, name: HeaderName, value: &str) -> Result<(), Error> {
    let value = HeaderValue::from_str(value).map_err(Error::internal)?;
    response.headers_mut().insert(name, value);
    Ok(())
}
