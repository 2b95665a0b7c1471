//! The search page.
//!
//! In: `q` and perhaps `document`. Out: the page, with what was found. Only a request with a question counts as costly.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use uuid::Uuid;

use super::{Found, check, find, meaning};
use crate::{
    account,
    auth::Signed,
    documents::{self, Readiness},
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
    // The question stays in its box, with what is wrong with it.
    let (refused, asked) = match question.map(|question| check(question).map(|()| question)) {
        Some(Ok(question)) => {
            app.limits.costly(signed.user)?;
            (None, Some((question, meaning(&app, question))))
        }
        Some(Err(refused)) => (Some(refused), None),
        None => (None, None),
    };
    let all = documents::searchable(&app, signed.tenant).await?;
    let searched = match document {
        None => all.as_slice(),
        Some(id) => {
            let found = all.iter().find(|one| one.id == id).ok_or(Error::NotFound)?;
            std::slice::from_ref(found)
        }
    };
    let found = match asked {
        Some(asked) => find(&app, signed.tenant, asked, searched).await?,
        None => Found { hits: Vec::new(), problem: refused.as_ref().map(ToString::to_string) },
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.status());
    let page = SearchPage {
        frame: account::frame(Some(&signed), "/search"),
        query: question.unwrap_or_default().to_owned(),
        document: document.map(|id| id.to_string()),
        documents: all
            .into_iter()
            .filter(|one| one.state == Readiness::Ready || Some(one.id) == document)
            .map(|one| (one.id.to_string(), one.title))
            .collect(),
        hits: found.hits,
        problem: found.problem,
        searched: question.is_some() && status == StatusCode::OK,
    };
    Ok(web::page(status, &page))
}
