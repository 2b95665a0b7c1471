//! The chat's pages, and what is done to a conversation as a whole.
//!
//! In: requests of browsers. Out: the page with its list of conversations; what was said comes later, by the script of the page.
//! While the database is not ready, the page says how far it is.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    request,
    routes::known,
    store::{self, Conversation},
};
use crate::{
    account,
    auth::Signed,
    documents::{self, Readiness, Searchable},
    error::Error,
    live,
    state::App,
    tenants::Database,
    web::{self, ChatDocument, ChatHead, ChatPage, ConversationRow, PreparingPanel},
};

/// Most characters of a title.
const TITLE: usize = 200;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/chat", get(new))
        .route("/chat/{id}", get(one))
        .route("/chat/{id}/rename", post(rename))
        .route("/chat/{id}/delete", post(delete))
}

/// A person's conversations, newest first.
pub(super) async fn conversations(app: &App, signed: &Signed) -> Result<Vec<Conversation>, Error> {
    let asking = |database: Database| async move { store::list(&database.pool, signed.user).await };
    app.tenants.ask(signed.tenant, asking).await
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Error> {
    let documents = documents::searchable(&app, signed.tenant).await?;
    let wanted = query.get("document").filter(|id| !id.is_empty());
    let wanted = wanted.map(|id| id.parse::<Uuid>()).transpose().map_err(|_| Error::NotFound)?;
    if wanted.is_some_and(|id| documents.iter().all(|one| one.id != id)) {
        return Err(Error::NotFound);
    }
    let head = ChatHead {
        id: Uuid::new_v4().simple().to_string(),
        title: None,
        document_id: wanted.map(|id| id.to_string()),
    };
    show(&app, &signed, (head, live::panel(&app, signed.tenant)), &documents).await
}

async fn one(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = known(&id)?;
    let documents = documents::searchable(&app, signed.tenant).await?;
    // Until the database is ready, nobody knows what is in it.
    let panel = live::panel(&app, signed.tenant);
    let head = if panel.is_some() {
        ChatHead { id: id.to_owned(), title: None, document_id: None }
    } else {
        let asking =
            |database: Database| async move { store::one(&database.pool, signed.user, id).await };
        let found = app.tenants.ask(signed.tenant, asking).await?;
        ChatHead {
            id: found.id,
            title: Some(found.title),
            document_id: found.document_id.map(|id| id.to_string()),
        }
    };
    show(&app, &signed, (head, panel), &documents).await
}

async fn show(
    app: &App,
    signed: &Signed,
    (chat, panel): (ChatHead, Option<PreparingPanel>),
    documents: &[Searchable],
) -> Result<Response, Error> {
    let all = if panel.is_some() { Vec::new() } else { conversations(app, signed).await? };
    let title_of =
        |id: Uuid| documents.iter().find(|one| one.id == id).map(|one| one.title.clone());
    let row = |one: Conversation| ConversationRow {
        id: one.id,
        title: one.title,
        updated: one.updated,
        document_title: one.document_id.and_then(title_of),
    };
    let document = |one: &Searchable| ChatDocument {
        id: one.id.to_string(),
        title: one.title.clone(),
        ready: one.state == Readiness::Ready,
    };
    let page = ChatPage {
        frame: account::frame(Some(signed), "/chat"),
        panel,
        chat,
        conversations: all.into_iter().map(row).collect(),
        documents: documents.iter().map(document).collect(),
        longest: request::LONGEST,
        model: app.chat.as_ref().map(|model| model.name().to_owned()),
    };
    Ok(web::page(StatusCode::OK, &page))
}

#[derive(Deserialize)]
struct Title {
    #[serde(default)]
    title: String,
}

async fn rename(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Title>,
) -> Result<Response, Error> {
    let id = known(&id)?;
    let title = documents::title(&form.title, TITLE)?;
    let asking = |database: Database| {
        let title = &title;
        async move { store::rename(&database.pool, signed.user, id, title).await }
    };
    done(app.tenants.ask(signed.tenant, asking).await?, &headers)
}

async fn delete(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let id = known(&id)?;
    let asking =
        |database: Database| async move { store::delete(&database.pool, signed.user, id).await };
    done(app.tenants.ask(signed.tenant, asking).await?, &headers)
}

fn done(found: bool, headers: &HeaderMap) -> Result<Response, Error> {
    if found { Ok(web::done(headers, "/chat")) } else { Err(Error::NotFound) }
}
