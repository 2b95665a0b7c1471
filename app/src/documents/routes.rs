//! Routes of documents.
//!
//! In: requests. Out: pages for people, short answers for scripts. What is asked of a document that is not the person's ends
//! as if there were none.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::{FromRequestParts, Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{change, file, list, names, rows, upload};
use crate::{
    account,
    auth::Signed,
    error::{Error, wants_json},
    live,
    state::App,
    web::{self, DocumentPage, DocumentsPage, Limits},
};

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/documents", get(documents).post(take))
        .route("/documents/list", get(fragment))
        .route("/documents/{id}", get(document))
        .route("/documents/{id}/file", get(bytes))
        .route("/documents/{id}/rename", post(rename))
        .route("/documents/{id}/cancel", post(cancel))
        .route("/documents/{id}/retry", post(retry))
        .route("/documents/{id}/delete", post(delete))
}

async fn documents(State(app): State<Arc<App>>, signed: Signed) -> Result<Response, Error> {
    let limits = &app.args.documents;
    let page = DocumentsPage {
        frame: account::frame(Some(&signed), "/documents"),
        panel: live::panel(&app, signed.tenant),
        list: list(&app, signed.tenant).await?,
        limits: Limits {
            max_documents: limits.max_documents,
            max_megabytes: limits.max_megabytes,
            max_pages: limits.max_pages,
        },
    };
    Ok(web::page(StatusCode::OK, &page))
}

async fn fragment(State(app): State<Arc<App>>, signed: Signed) -> Result<Response, Error> {
    Ok(web::page(StatusCode::OK, &list(&app, signed.tenant).await?))
}

async fn take(State(app): State<Arc<App>>, signed: Signed, request: Request) -> Response {
    let json = wants_json(request.headers());
    match upload::take(app, &signed, request).await {
        Ok(id) if json => {
            let body = axum::Json(serde_json::json!({"id": id.to_string()}));
            (StatusCode::CREATED, [("location", format!("/documents/{id}"))], body).into_response()
        }
        Ok(_) => Redirect::to("/documents").into_response(),
        Err(refusal) => refusal.answer(json),
    }
}

#[derive(Deserialize)]
struct PageQuery {
    page: Option<String>,
}

async fn document(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let row = rows::one(&app.db, signed.tenant, read_id(&id)?).await?;
    let last = row.pages.and_then(|pages| u32::try_from(pages).ok()).unwrap_or(u32::MAX).max(1);
    let page = query.page.and_then(|page| page.trim().parse().ok()).unwrap_or(1).clamp(1, last);
    let page = DocumentPage {
        frame: account::frame(Some(&signed), &format!("/documents/{id}")),
        document: row.shown(app.embeddings.model()),
        page,
    };
    Ok(web::page(StatusCode::OK, &page))
}

#[derive(Deserialize)]
struct FileQuery {
    download: Option<String>,
}

async fn bytes(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let row = rows::one(&app.db, signed.tenant, read_id(&id)?).await?;
    file::send(&app, &row, &headers, query.download.as_deref() == Some("1")).await
}

#[derive(Deserialize)]
struct Title {
    #[serde(default)]
    title: String,
}

/// What every change of a document needs.
#[derive(FromRequestParts)]
#[from_request(state(Arc<App>))]
struct Asked {
    #[from_request(via(State))]
    app: Arc<App>,
    signed: Signed,
    #[from_request(via(Path))]
    id: String,
    headers: HeaderMap,
}

async fn rename(asked: Asked, Form(form): Form<Title>) -> Result<Response, Error> {
    let title = names::title(&form.title, names::TITLE)?;
    change::rename(&asked.app.db, asked.signed.tenant, read_id(&asked.id)?, &title).await?;
    Ok(web::done(&asked.headers, &format!("/documents/{}", asked.id)))
}

async fn cancel(asked: Asked) -> Result<Response, Error> {
    change::cancel(&asked.app.db, asked.signed.tenant, read_id(&asked.id)?).await?;
    Ok(web::done(&asked.headers, &format!("/documents/{}", asked.id)))
}

async fn retry(asked: Asked) -> Result<Response, Error> {
    let Asked { app, signed, id, headers } = asked;
    app.limits.costly(signed.user)?;
    change::retry(&app.db, signed.tenant, read_id(&id)?, app.embeddings.model()).await?;
    Ok(web::done(&headers, &format!("/documents/{id}")))
}

async fn delete(asked: Asked) -> Result<Response, Error> {
    change::delete(&asked.app.db, asked.signed.tenant, read_id(&asked.id)?).await?;
    Ok(web::done(&asked.headers, "/documents"))
}

/// What is no id names nothing.
fn read_id(text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::NotFound)
}
