//! What changes while a page is open: a stream of events, each with a piece of HTML that replaces one on the page.
//!
//! In: news of the cluster and of the main database. Out: `tenant` (how far the database is) and `documents` (the list), as they
//! are now; first both, then whichever changed. A burst of news is one event. Streams end with the session and the process.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::{StreamExt, stream};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::{
    auth::{self, Signed},
    db::Change,
    documents,
    error::Error,
    metrics::Listening,
    state::App,
    tenants::TenantState,
    web::{self, PreparingPanel},
};

/// News that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(150);
/// How often it is asked whether the session still stands.
const RECHECK: Duration = Duration::from_secs(30);

/// Streams that one person may have open at the same time, in all browsers.
const MOST: u32 = 24;

static OPEN: LazyLock<Mutex<HashMap<Uuid, u32>>> = LazyLock::new(Mutex::default);
static ENDING: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::channel(false).0);

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/events", get(events))
}

/// Ends all streams: the process is to end.
pub fn end_streams() {
    ENDING.send_replace(true);
}

/// How far a tenant's database is, as people see it; `None` where it is ready.
#[must_use]
pub fn panel(app: &App, tenant: Uuid) -> Option<PreparingPanel> {
    match app.tenants.state(tenant) {
        TenantState::Ready { dimensions: _ } => None,
        TenantState::Preparing(conditions) => Some(PreparingPanel::from_conditions(&conditions)),
        TenantState::Upgrading => Some(PreparingPanel::upgrading()),
        TenantState::Missing => Some(PreparingPanel::missing()),
        TenantState::Gone => Some(PreparingPanel::gone()),
        TenantState::Deleting => Some(PreparingPanel::deleting()),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Due {
    tenant: bool,
    documents: bool,
}

impl Due {
    const BOTH: Self = Self { tenant: true, documents: true };

    fn is_any(self) -> bool {
        self.tenant || self.documents
    }
}

enum News {
    Tenant(Result<Uuid, broadcast::error::RecvError>),
    Change(Result<Change, broadcast::error::RecvError>),
    End,
    Nothing,
}

/// One browser that listens.
struct Listener {
    app: Arc<App>,
    headers: HeaderMap,
    signed: Signed,
    tenants: broadcast::Receiver<Uuid>,
    changes: broadcast::Receiver<Change>,
    ending: watch::Receiver<bool>,
    due: Due,
    /// When it was last asked whether the session still stands.
    checked: Instant,
    _counted: Listening,
    _of_person: Counted,
}

async fn events(
    State(app): State<Arc<App>>,
    signed: Signed,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Error> {
    let listener = Listener {
        tenants: app.tenants.changes(),
        changes: app.changes.subscribe(),
        ending: ENDING.subscribe(),
        due: Due::BOTH,
        checked: Instant::now(),
        _counted: app.metrics.stream(),
        _of_person: one_more(signed.user)?,
        app,
        headers,
        signed,
    };
    let batches = stream::unfold(listener, |mut listener| async move {
        let events = listener.next().await?;
        Some((stream::iter(events.into_iter().map(Ok::<_, Infallible>)), listener))
    });
    // A proxy that waits for the end of an answer would wait for ever.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(batches.flatten()).keep_alive(KeepAlive::default())))
}

/// One of a person's streams, until it is dropped.
#[derive(Debug)]
pub struct Counted(Uuid);

/// Counts one more stream of a person.
///
/// # Errors
/// [`Error::TooMany`].
pub fn one_more(user: Uuid) -> Result<Counted, Error> {
    let mut all = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = all.entry(user).or_default();
    if *open >= MOST {
        return Err(Error::TooMany { seconds: RECHECK.as_secs() });
    }
    *open += 1;
    Ok(Counted(user))
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(&self.0) {
            *open -= 1;
            if *open == 0 {
                all.remove(&self.0);
            }
        }
    }
}

impl Listener {
    /// The next events; `None` when the stream is to end.
    async fn next(&mut self) -> Option<Vec<Event>> {
        while !self.due.is_any() {
            let news = tokio::select! {
                news = self.tenants.recv() => News::Tenant(news),
                news = self.changes.recv() => News::Change(news),
                _ = async { self.ending.wait_for(|ending| *ending).await.map(drop) } => News::End,
                () = tokio::time::sleep_until((self.checked + RECHECK).into()) => News::Nothing,
            };
            match news {
                News::Tenant(news) => self.heard_tenant(news)?,
                News::Change(news) => self.heard_change(news)?,
                News::End => return None,
                News::Nothing => {}
            }
            self.still_signed().await?;
        }
        // News of others come all the time: whoever signed out in another tab hears nothing more all the same.
        self.still_signed().await?;
        // What comes together is told together.
        tokio::time::sleep(TOGETHER).await;
        while let Ok(news) = self.tenants.try_recv() {
            self.heard_tenant(Ok(news))?;
        }
        while let Ok(news) = self.changes.try_recv() {
            self.heard_change(Ok(news))?;
        }
        let due = std::mem::take(&mut self.due);
        let mut events = Vec::new();
        if due.tenant {
            let panel = panel(&self.app, self.signed.tenant).unwrap_or_else(PreparingPanel::done);
            events.push(Event::default().event("tenant").data(web::fragment(&panel)));
        }
        if due.documents {
            // A main database that is away for a moment is no reason to end: the next change tells all.
            if let Ok(list) = documents::list(&self.app, self.signed.tenant).await {
                events.push(Event::default().event("documents").data(web::fragment(&list)));
            }
        }
        Some(events)
    }

    fn heard_tenant(&mut self, news: Result<Uuid, broadcast::error::RecvError>) -> Option<()> {
        match news {
            Ok(tenant) => self.due.tenant |= tenant == self.signed.tenant,
            Err(broadcast::error::RecvError::Lagged(_)) => self.due = Due::BOTH,
            Err(broadcast::error::RecvError::Closed) => return None,
        }
        Some(())
    }

    fn heard_change(&mut self, news: Result<Change, broadcast::error::RecvError>) -> Option<()> {
        match news {
            Ok(Change::Documents(tenant)) => self.due.documents |= tenant == self.signed.tenant,
            Ok(Change::Jobs) => {}
            Ok(Change::Anything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                self.due = Due::BOTH;
            }
            Err(broadcast::error::RecvError::Closed) => return None,
        }
        Some(())
    }

    async fn still_signed(&mut self) -> Option<()> {
        if self.checked.elapsed() < RECHECK {
            return Some(());
        }
        self.checked = Instant::now();
        match auth::still_stands(&self.app, &self.headers).await {
            // A main database that is away for a moment ends nobody's session.
            Ok(true) | Err(Error::Unavailable(_)) => Some(()),
            Ok(false) | Err(_) => None,
        }
    }
}
