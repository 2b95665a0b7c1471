//! The file inside a multipart request, as it arrives.
//!
//! In: the request's parts. Out: the file's name and its bytes, checked while they pass: neither too many, nor too slow, nor
//! anything else than a PDF. Nothing is kept of it but a hash.

use std::time::Duration;

use axum::{
    extract::{
        Multipart,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::{MEGABYTE, Refusal};
use crate::documents::names;

/// A sender may pause this long, and take this long to show what it sends.
const IDLE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
const OPENING: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });
/// A PDF says so within its first bytes; what comes before is allowed by the readers of this world.
const HEAD: usize = 1024;
const MAGIC: &[u8] = b"%PDF-";

/// A file whose first bytes are known.
pub(super) struct IncomingFile<'a> {
    pub(super) name: String,
    pub(super) head: Bytes,
    pub(super) field: Field<'a>,
}

/// Reads the first bytes of the first field, which has to be `file`.
pub(super) async fn open(multipart: &mut Multipart) -> Result<IncomingFile<'_>, Refusal> {
    let deadline = Instant::now() + OPENING;
    let field = patiently(deadline, multipart.next_field()).await?;
    let Some(mut field) = field.filter(|field| field.name() == Some("file")) else {
        return Err(Refusal::NoFile);
    };
    let sent = field.file_name().unwrap_or_default().to_owned();
    let head = read_head(&mut field, deadline).await?;
    match (head.is_empty(), sent.is_empty()) {
        // What a form sends when nothing was chosen.
        (true, true) => Err(Refusal::NoFile),
        (true, false) => Err(Refusal::Empty),
        (false, _) if !is_pdf(&head) => Err(Refusal::NotPdf),
        (false, _) => Ok(IncomingFile { name: names::file_name(&sent), head, field }),
    }
}

/// Reads to the request's end: only a whole request counts, and only one file in it.
pub(super) async fn end(multipart: &mut Multipart, deadline: Instant) -> Result<(), Refusal> {
    while let Some(field) = patiently(deadline, multipart.next_field()).await? {
        if field.name() == Some("file") {
            return Err(Refusal::OneFile);
        }
    }
    Ok(())
}

/// Reads on and throws away, as far as the request's limit allows.
pub(super) async fn drain(mut multipart: Multipart) {
    while let Ok(Some(mut field)) = multipart.next_field().await {
        while let Ok(Some(_)) = field.chunk().await {}
    }
}

/// Bytes on their way.
pub(super) struct Incoming<'a> {
    file: IncomingFile<'a>,
    megabytes: u32,
    bytes: u64,
    hash: Sha256,
    deadline: Instant,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(file: IncomingFile<'a>, megabytes: u32, deadline: Instant) -> Self {
        Self { file, megabytes, bytes: 0, hash: Sha256::new(), deadline }
    }

    /// The next bytes; nothing at the file's end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let chunk = match std::mem::take(&mut self.file.head) {
            head if !head.is_empty() => head,
            _ => match patiently(self.deadline, self.file.field.chunk()).await? {
                Some(chunk) => chunk,
                None => return Ok(None),
            },
        };
        self.bytes += chunk.len() as u64;
        if self.bytes > u64::from(self.megabytes) * MEGABYTE {
            return Err(Refusal::TooLarge { megabytes: self.megabytes });
        }
        self.hash.update(&chunk);
        Ok(Some(chunk))
    }

    /// How many bytes there were, and their hash.
    pub(super) fn finish(self) -> (u64, Vec<u8>) {
        (self.bytes, self.hash.finalize().to_vec())
    }
}

async fn read_head(field: &mut Field<'_>, deadline: Instant) -> Result<Bytes, Refusal> {
    let mut head = BytesMut::new();
    while head.len() < HEAD {
        match patiently(deadline, field.chunk()).await? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok(head.freeze())
}

fn is_pdf(head: &[u8]) -> bool {
    head[..head.len().min(HEAD)].windows(MAGIC.len()).any(|window| window == MAGIC)
}

/// One step, within a pause's length and before the deadline.
async fn patiently<T>(
    deadline: Instant,
    step: impl Future<Output = Result<T, MultipartError>>,
) -> Result<T, Refusal> {
    let now = Instant::now();
    // What is there at once would pass any timeout.
    if now >= deadline {
        return Err(Refusal::Stalled);
    }
    match timeout_at(deadline.min(now + IDLE), step).await {
        Ok(Ok(value)) => Ok(value),
        // Beyond all that is even read: far above any limit of a file.
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLong),
        Ok(Err(_)) => Err(Refusal::Broken),
        Err(_) => Err(Refusal::Stalled),
    }
}
