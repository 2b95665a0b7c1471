//! A file comes in.
//!
//! In: a multipart request with one field `file`. Out: the id of a queued document, or a [`Refusal`]. Bytes flow straight to
//! the store while they are counted and hashed; whatever ends the flow early, the row and the bytes are removed again. The
//! work runs in a task of its own, so that a browser that goes away cannot stop the removal.

mod incoming;
mod refusal;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
    http::header,
};
use futures::stream;
use uuid::Uuid;

use super::{
    arrival::{self, Arrival, Ended, Room},
    names, new_key,
};
use crate::{auth::Signed, error::Error, state::App};

use incoming::{Incoming, IncomingFile};
pub(super) use refusal::Refusal;

const MEGABYTE: u64 = 1024 * 1024;
/// What boundaries and headers of a request may weigh beside the file.
const AROUND: u64 = 64 * 1024;
/// As much as is read on after a refusal, and thrown away: a browser that cannot finish sending shows no answer.
const DRAIN: u64 = 16 * MEGABYTE;
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is written down that bytes still flow.
const TOUCH: Duration = Duration::from_secs(5);

/// Takes the file in.
pub(super) async fn take(
    app: Arc<App>,
    signed: &Signed,
    mut request: Request,
) -> Result<Uuid, Refusal> {
    let most = u64::from(app.args.documents.max_megabytes) * MEGABYTE;
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced: u64 = announced.and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or(0);
    let limit = usize::try_from(most + AROUND + DRAIN).unwrap_or(usize::MAX);
    DefaultBodyLimit::max(limit).apply(&mut request);
    let mut multipart =
        Multipart::from_request(request, &()).await.map_err(|_| Refusal::NotMultipart)?;
    let (tenant, allowed) = (signed.tenant, app.limits.costly(signed.user));
    let work = tokio::spawn(async move {
        let taken = if let Err(error) = allowed {
            Err(error.into())
        } else if announced > most + AROUND {
            Err(Refusal::TooLarge { megabytes: app.args.documents.max_megabytes })
        } else {
            receive(&app, tenant, &mut multipart).await
        };
        if taken.is_err() {
            let _ = tokio::time::timeout(DRAIN_PATIENCE, incoming::drain(multipart)).await;
        }
        taken
    });
    work.await.unwrap_or_else(|panic| Err(Error::internal(panic).into()))
}

async fn receive(app: &App, tenant: Uuid, multipart: &mut Multipart) -> Result<Uuid, Refusal> {
    let limits = &app.args.documents;
    let file = incoming::open(multipart).await?;
    let id = Uuid::new_v4();
    let arrival = Arrival {
        tenant,
        id,
        key: new_key(tenant, id),
        title: names::title_of_file(&file.name),
        file_name: file.name.clone(),
    };
    match arrival::reserve(&app.db, &arrival, limits.max_documents).await? {
        Room::Reserved => {}
        Room::Full => return Err(Refusal::TooMany { most: limits.max_documents }),
        Room::NoTenant => return Err(Refusal::Gone),
    }
    let stored = store(app, &arrival, file).await;
    let completed = match stored {
        Ok((bytes, hash)) => match incoming::end(multipart).await {
            Ok(()) => finish(app, &arrival, bytes, &hash).await,
            Err(refusal) => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    };
    if completed.is_err() {
        arrival::abandon(&app.db, &app.files, &arrival).await;
    }
    completed.map(|()| id)
}

/// Streams the file to the store; answers its size and hash.
async fn store(
    app: &App,
    arrival: &Arrival,
    file: IncomingFile<'_>,
) -> Result<(u64, Vec<u8>), Refusal> {
    let mut incoming = Incoming::new(file, app.args.documents.max_megabytes);
    let mut touched = Instant::now();
    let chunks =
        stream::try_unfold((&mut incoming, &mut touched), |(incoming, touched)| async move {
            let Some(chunk) = incoming.next().await? else {
                return Ok(None);
            };
            if touched.elapsed() > TOUCH {
                still_wanted(app, arrival.id).await?;
                *touched = Instant::now();
            }
            Ok::<_, Refusal>(Some((chunk, (incoming, touched))))
        });
    app.files.put_stream(&arrival.key, chunks).await?;
    Ok(incoming.finish())
}

/// Says that bytes still flow. A database that is away for a moment is asked again later, and at the end.
async fn still_wanted(app: &App, id: Uuid) -> Result<(), Refusal> {
    match arrival::touch(&app.db, id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Gone),
        Err(error) => {
            tracing::warn!(document = %id, %error, "an upload could not be marked as alive");
            Ok(())
        }
    }
}

async fn finish(app: &App, arrival: &Arrival, bytes: u64, hash: &[u8]) -> Result<(), Refusal> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    match arrival::complete(&app.db, arrival, bytes, hash).await? {
        Ended::Queued => Ok(()),
        Ended::Duplicate { id, title } => Err(Refusal::Duplicate { id, title }),
        Ended::Gone => Err(Refusal::Gone),
    }
}
