//! The first page, the account, and the way out of it.
//!
//! In: who is signed in. Out: pages; on request, the end of the account and of everything that is kept for it.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    auth::{self, Signed, Visitor, cookies},
    error::{Error, Failure},
    state::App,
    tenants::TenantState,
    web::{self, AccountPage, ErrorPage, Frame, LandingPage},
};

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(landing))
        .route("/account", get(account))
        .route("/account/delete", post(delete))
}

/// What all pages of a signed-in person have around them.
#[must_use]
pub fn frame(signed: Option<&Signed>, path: &str) -> Frame {
    Frame { signed_in: signed.map(|signed| signed.name.clone()), path: path.to_owned() }
}

/// A failure as a page.
#[must_use]
pub fn error_page(failure: &Failure, signed: Option<&Signed>, path: &str) -> Response {
    let page = ErrorPage::new(frame(signed, path), failure.status, failure.words.clone());
    web::page(failure.status, &page)
}

async fn landing(Visitor(signed): Visitor) -> Response {
    if signed.is_some() {
        return Redirect::to("/documents").into_response();
    }
    web::page(StatusCode::OK, &LandingPage { frame: frame(None, "/") })
}

#[derive(sqlx::FromRow)]
struct Facts {
    name: String,
    email: Option<String>,
    issuer: String,
    created: String,
    documents: i64,
}

async fn account(State(app): State<Arc<App>>, signed: Signed) -> Result<Response, Error> {
    page(&app, &signed, StatusCode::OK, None).await
}

async fn page(
    app: &App,
    signed: &Signed,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<Response, Error> {
    let facts: Facts = sqlx::query_as(
        "select u.name, u.email, u.issuer,
                to_char(u.created_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as created,
                (select count(*) from documents d where d.tenant_id = $2 and d.stage <> 'deleting') as documents
         from users u where u.id = $1",
    )
    .bind(signed.user)
    .bind(signed.tenant)
    .fetch_one(&app.db)
    .await?;
    let page = AccountPage {
        frame: frame(Some(signed), "/account"),
        name: facts.name,
        email: facts.email,
        issuer: facts.issuer,
        created: facts.created,
        documents: facts.documents,
        database: database(app, signed),
        problem: problem.map(ToOwned::to_owned),
    };
    Ok(web::page(status, &page))
}

/// What a person may know of their database.
fn database(app: &App, signed: &Signed) -> Vec<(String, String)> {
    let state = match app.tenants.state(signed.tenant) {
        TenantState::Ready { dimensions } => {
            format!("ready, for vectors of {dimensions} dimensions")
        }
        TenantState::Preparing(_) => "being prepared".to_owned(),
        TenantState::Upgrading => "being upgraded".to_owned(),
        TenantState::Missing => "not there yet".to_owned(),
        TenantState::Gone => "gone: somebody removed it".to_owned(),
        TenantState::Deleting => "being deleted".to_owned(),
    };
    let fact = |label: &str, value: String| (label.to_owned(), value);
    let mut facts = vec![fact("State", state)];
    facts.extend(
        app.tenants.facts(signed.tenant).into_iter().map(|(label, value)| fact(label, value)),
    );
    facts.push(fact("Tenant", signed.tenant.to_string()));
    facts
}

#[derive(Deserialize)]
struct Confirmation {
    #[serde(default)]
    confirm: String,
}

async fn delete(
    State(app): State<Arc<App>>,
    signed: Signed,
    Form(form): Form<Confirmation>,
) -> Result<Response, Error> {
    if !form.confirm.trim().eq_ignore_ascii_case("delete") {
        let words = "Type the word delete into the box to delete your account.";
        return page(&app, &signed, StatusCode::UNPROCESSABLE_ENTITY, Some(words)).await;
    }
    auth::delete_account(&app, signed.user).await?;
    tracing::info!(user = %signed.user, "an account was deleted");
    Ok(([cookies::clear_session(&app)], Redirect::to("/")).into_response())
}
