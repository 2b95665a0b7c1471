//! Whole pages.
//!
//! In: plain values. Out: `askama` templates, to be shown by [`crate::web::page`]. What a page says lives in
//! `app/templates`, what it is about lives here.

use askama::Template;
use axum::http::StatusCode;

use super::{
    documents::{DocumentList, DocumentRow, Limits, Stage},
    panel::PreparingPanel,
    words,
};

/// What all pages have around them.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The name of who is signed in.
    pub signed_in: Option<String>,
    /// The path of this page, such as `/documents`: its place in the navigation is marked.
    pub path: String,
}

impl Frame {
    /// Whether the page belongs to the part of the navigation that begins at `root`.
    #[must_use]
    pub fn at(&self, root: &str) -> bool {
        self.path == root
            || self.path.strip_prefix(root).is_some_and(|rest| rest.starts_with(['/', '?']))
    }

    pub(super) fn initial(&self) -> String {
        let name = self.signed_in.as_deref().unwrap_or_default();
        name.trim().chars().take(1).flat_map(char::to_uppercase).collect()
    }
}

/// `/` for whoever is not signed in.
#[derive(Clone, Debug, Template)]
#[template(path = "landing.html")]
pub struct LandingPage {
    /// Around the page.
    pub frame: Frame,
}

/// `/sign-in`
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Around the page.
    pub frame: Frame,
    /// What the button of the identity provider calls it, where one is configured.
    pub oidc_name: Option<String>,
    /// Whether the demo login is offered.
    pub demo: bool,
    /// Where to go afterwards: a path of this app.
    pub return_to: String,
    /// What went wrong before, in words.
    pub problem: Option<String>,
}

impl SignInPage {
    fn return_query(&self) -> String {
        words::query_value(&self.return_to)
    }
}

/// `/documents`
#[derive(Clone, Debug, Template)]
#[template(path = "documents.html")]
pub struct DocumentsPage {
    /// Around the page.
    pub frame: Frame,
    /// How far the database is, while it is not ready. With it, the upload box is closed.
    pub panel: Option<PreparingPanel>,
    /// The documents.
    pub list: DocumentList,
    /// What may be uploaded.
    pub limits: Limits,
}

impl DocumentsPage {
    fn waits(&self) -> bool {
        self.panel.is_some() || self.list.documents.iter().any(|row| row.stage.busy())
    }
}

/// `/documents/{id}`
#[derive(Clone, Debug, Template)]
#[template(path = "document.html")]
pub struct DocumentPage {
    /// Around the page.
    pub frame: Frame,
    /// The document.
    pub document: DocumentRow,
    /// The page to open the viewer at, from 1.
    pub page: u32,
}

/// `/account`
#[derive(Clone, Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// Around the page.
    pub frame: Frame,
    /// The person's name.
    pub name: String,
    /// Their e-mail address, where the provider told it.
    pub email: Option<String>,
    /// Who vouches for them.
    pub issuer: String,
    /// Since when, as RFC 3339.
    pub created: String,
    /// Number of their documents.
    pub documents: i64,
    /// Facts of their database: label and value.
    pub database: Vec<(String, String)>,
    /// What went wrong before, in words.
    pub problem: Option<String>,
}

/// A request that did not end well.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Around the page.
    pub frame: Frame,
    /// Status code.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened and what to do.
    pub words: String,
    /// Where the button leads.
    pub action_href: String,
    /// What the button says.
    pub action_label: String,
}

impl ErrorPage {
    /// The page for a status: its title and its button follow from it.
    #[must_use]
    pub fn new(frame: Frame, status: StatusCode, words: impl Into<String>) -> Self {
        let (title, href, label) = match status {
            StatusCode::UNAUTHORIZED => ("Please sign in", "/sign-in", "Sign in"),
            StatusCode::FORBIDDEN => ("This is not allowed", "/", "To the start"),
            StatusCode::NOT_FOUND => ("Nothing here", "/", "To the start"),
            StatusCode::METHOD_NOT_ALLOWED => ("That does not work here", "/", "To the start"),
            StatusCode::CONFLICT => ("Not just now", "/documents", "To your documents"),
            StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "/documents", "To your documents"),
            StatusCode::TOO_MANY_REQUESTS => ("A little slower, please", "", "Try again"),
            StatusCode::SERVICE_UNAVAILABLE => ("Back in a moment", "", "Try again"),
            other if other.is_client_error() => ("That did not work", "/", "To the start"),
            _ => ("Something broke", "", "Try again"),
        };
        // An empty address is the page itself; of a route that only takes POST there is none to go back to.
        let action_href = match (href, frame.path.as_str()) {
            ("", "") => "/",
            ("", path) => path,
            (href, _) => href,
        };
        Self {
            status: status.as_u16(),
            title: title.to_owned(),
            words: words.into(),
            action_href: action_href.to_owned(),
            action_label: label.to_owned(),
            frame,
        }
    }
}
