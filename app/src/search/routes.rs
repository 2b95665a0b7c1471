//! The search page.
//!
//! In: `q` and perhaps `document`. Out: the page, with what was found. Only a request that searches counts as costly.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use uuid::Uuid;

use super::{Found, find};
use crate::{
    account,
    auth::Signed,
    documents,
    error::Error,
    state::App,
    web::{self, SearchPage},
};

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/search", get(search))
}

async fn search(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Error> {
    let text = |name: &str| query.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let question = text("q");
    let document = text("document").map(str::parse::<Uuid>).transpose();
    let document = document.map_err(|_| Error::NotFound)?;
    let all = documents::searchable(&app, signed.tenant).await?;
    let searched = match document {
        None => all.as_slice(),
        Some(id) => {
            let found = all.iter().find(|one| one.id == id).ok_or(Error::NotFound)?;
            std::slice::from_ref(found)
        }
    };
    let (status, found) = match question {
        None => (StatusCode::OK, Found::default()),
        Some(question) => {
            app.limits.costly(signed.user)?;
            match find(&app, signed.tenant, question, searched).await {
                Ok(found) => (StatusCode::OK, found),
                // The question stays in its box, with what is wrong with it.
                Err(error @ Error::Invalid { code: _, words: _ }) => {
                    (error.status(), Found { hits: Vec::new(), problem: Some(error.to_string()) })
                }
                Err(error) => return Err(error),
            }
        }
    };
    let page = SearchPage {
        frame: account::frame(Some(&signed), "/search"),
        query: question.unwrap_or_default().to_owned(),
        document: document.map(|id| id.to_string()),
        documents: all.into_iter().map(|one| (one.id.to_string(), one.title)).collect(),
        hits: found.hits,
        problem: found.problem,
        searched: question.is_some() && status == StatusCode::OK,
    };
    Ok(web::page(status, &page))
}
