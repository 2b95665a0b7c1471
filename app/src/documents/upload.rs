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
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
    http::header,
};
use futures::stream;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    arrival::{self, Arrival, Ended, Room},
    names, new_key,
};
use crate::{auth::Signed, error::Error, state::App};

use incoming::Incoming;
pub(super) use refusal::Refusal;

const MEGABYTE: u64 = 1024 * 1024;
/// What boundaries and headers of a request may weigh beside the file.
const AROUND: u64 = 64 * 1024;
/// As much as is read on after a refusal, and thrown away: a browser that cannot finish sending shows no answer.
const DRAIN: u64 = 16 * MEGABYTE;
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// A file may take this long in all, however steadily its bytes come.
const WHOLE: Duration = Duration::from_secs(3600);
/// How often it is written down that an upload goes on.
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
    let deadline = Instant::now() + WHOLE;
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
    let wanted = AtomicBool::new(true);
    let incoming = Incoming::new(file, limits.max_megabytes, deadline);
    let stored = alive(app, id, &wanted, store(app, &arrival, incoming, &wanted)).await;
    let completed = match stored {
        Ok((bytes, hash)) => {
            let ending = async {
                incoming::end(multipart, deadline).await?;
                finish(app, &arrival, bytes, &hash).await
            };
            alive(app, id, &wanted, ending).await
        }
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
    mut incoming: Incoming<'_>,
    wanted: &AtomicBool,
) -> Result<(u64, Vec<u8>), Refusal> {
    let chunks = stream::try_unfold(&mut incoming, |incoming| async move {
        let chunk = incoming.next().await?;
        // Told to the store, which removes the parts that it has.
        if !wanted.load(Relaxed) {
            return Err(Refusal::Gone);
        }
        Ok::<_, Refusal>(chunk.map(|chunk| (chunk, incoming)))
    });
    app.files.put_stream(&arrival.key, chunks).await?;
    Ok(incoming.finish())
}

/// Does a step, and says meanwhile that the upload goes on, also while only the store is waited for: whoever removes a row that
/// is fresh would leave its file behind.
async fn alive<T>(app: &App, id: Uuid, wanted: &AtomicBool, step: impl Future<Output = T>) -> T {
    tokio::select! {
        done = step => done,
        never = keep(app, id, wanted) => match never {},
    }
}

/// A database that is away for a moment is asked again later, and at the end.
async fn keep(app: &App, id: Uuid, wanted: &AtomicBool) -> Infallible {
    loop {
        tokio::time::sleep(TOUCH).await;
        match arrival::touch(&app.db, id).await {
            Ok(still) => wanted.store(still, Relaxed),
            Err(error) => {
                tracing::warn!(document = %id, %error, "an upload could not be marked as alive");
            }
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
