//! What people see: pages, fragments of pages, and the files that go with them.
//!
//! In: plain values, filled in by the features: nothing here knows a database or a request. Out: HTML in which every value
//! is escaped, and static files that are built into the binary. No page holds a script or a style inline, so the content
//! security policy can forbid both.
//!
//! [`pages`] whole pages, [`documents`] the list and its rows, [`panel`] how far a database is, [`search`] hits,
//! [`chat`] the chat, [`words`] sizes, moments and counts for people, [`assets`] static files.

pub mod assets;
pub mod chat;
pub mod documents;
pub mod pages;
pub mod panel;
pub mod search;
pub mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};

pub use assets::asset;
pub use chat::{ChatDocument, ChatHead, ChatPage, ConversationRow};
pub use documents::{DocumentList, DocumentRow, Limits, Stage};
pub use pages::{
    AccountPage, DocumentPage, DocumentsPage, ErrorPage, Frame, LandingPage, SignInPage,
};
pub use panel::{PreparingPanel, PreparingStep, StepState};
pub use search::{Hit, Piece, SearchPage};

use crate::{error::wants_json, state::App};

/// Routes of static files.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/static/{*file}", get(assets::serve))
}

/// The answer that shows a page, or a fragment of one. It is kept by no cache: pages are about the person who asks.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    let mut response = match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a change: a form goes on to a page, a script knows what it did.
pub fn done(headers: &HeaderMap, page: &str) -> Response {
    if wants_json(headers) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Redirect::to(page).into_response()
    }
}

/// A fragment as text, for the events that carry one. What cannot be rendered is logged and shows nothing.
pub fn fragment(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a fragment could not be rendered");
        String::new()
    })
}
