//! The routes of signing in and out.
//!
//! In: forms and redirects. Out: a session, or a page that says why not. Where to go afterwards is a path of this app, never an
//! address: nobody can be led elsewhere.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Form, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::{Visitor, cookies, demo, oidc, sessions, signup};
use crate::{
    error::Error,
    state::App,
    web::{self, Frame, SignInPage},
};

/// Longer than any path that a page of ours leads to.
const LONGEST_PATH: usize = 2000;

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/sign-in", get(page))
        .route("/sign-in/demo", post(demo_sign_in))
        .route("/sign-in/oidc", get(begin))
        .route("/sign-in/oidc/callback", get(callback))
        .route("/sign-out", post(sign_out))
}

#[derive(Debug, Default, Deserialize)]
struct Back {
    #[serde(default)]
    return_to: String,
    login_hint: Option<String>,
}

/// The sign-in page, and where to go on afterwards.
#[must_use]
pub fn to_sign_in(return_to: &str) -> Response {
    let path = utf8_percent_encode(return_to, NON_ALPHANUMERIC);
    Redirect::to(&format!("/sign-in?return_to={path}")).into_response()
}

/// A path of this app; anything else becomes the documents.
fn safe_path(return_to: &str) -> String {
    if return_to.len() > LONGEST_PATH {
        return "/documents".to_owned();
    }
    let base = Url::parse("http://app.invalid");
    let joined = base.as_ref().ok().and_then(|base| base.join(return_to).ok());
    let ours = joined.filter(|url| {
        return_to.starts_with('/') && url.host_str() == Some("app.invalid") && url.port().is_none()
    });
    match ours {
        // `/x/..//host` is a path of ours until it is normalised; a browser takes what begins with two slashes for a host.
        Some(url)
            if !url.path().starts_with("//")
                && !url.path().starts_with("/sign-")
                && url.path() != "/" =>
        {
            url[url::Position::BeforePath..].to_owned()
        }
        Some(_) | None => "/documents".to_owned(),
    }
}

async fn page(
    State(app): State<Arc<App>>,
    Visitor(signed): Visitor,
    Query(back): Query<Back>,
) -> Response {
    if signed.is_some() {
        return Redirect::to(&safe_path(&back.return_to)).into_response();
    }
    sign_in_page(&app, StatusCode::OK, &back.return_to, None)
}

fn sign_in_page(app: &App, status: StatusCode, return_to: &str, problem: Option<&str>) -> Response {
    let page = SignInPage {
        frame: Frame { signed_in: None, path: "/sign-in".to_owned() },
        oidc_name: app.provider.is_some().then(|| app.args.sign_in.oidc_name.clone()),
        demo: app.args.sign_in.demo_login,
        return_to: safe_path(return_to),
        problem: problem.map(ToOwned::to_owned),
    };
    web::page(status, &page)
}

#[derive(Deserialize)]
struct DemoForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    return_to: String,
}

async fn demo_sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(form): Form<DemoForm>,
) -> Result<Response, Error> {
    if !app.args.sign_in.demo_login {
        return Err(Error::NotFound);
    }
    let Some(name) = demo::typed(&form.name) else {
        let words = format!("Type a name of 1 to {} characters.", demo::LONGEST);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(sign_in_page(&app, status, &form.return_to, Some(&words)));
    };
    let person = signup::Person {
        issuer: demo::ISSUER.to_owned(),
        subject: name.to_lowercase(),
        name,
        email: None,
    };
    let user = signup::sign_in(&app, &person).await?;
    begin_session(&app, user, &headers, &form.return_to).await
}

async fn begin_session(
    app: &App,
    user: Uuid,
    headers: &HeaderMap,
    return_to: &str,
) -> Result<Response, Error> {
    let token = sessions::begin(app, user, cookies::session(app, headers)).await?;
    app.metrics.sign_in("ok");
    let cookie = cookies::set_session(app, &token);
    Ok(([cookie], Redirect::to(&safe_path(return_to))).into_response())
}

async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Error> {
    let provider = app.provider.as_ref().ok_or(Error::NotFound)?;
    let begun = match provider.begin(back.login_hint).await {
        Ok(begun) => begun,
        Err(error) => return Ok(refused(&app, &error)),
    };
    // A second tab must not take the first one's binding away.
    let browser = match cookies::browser(&app, &headers) {
        Some(browser) => browser,
        None => cookies::Token::random().map_err(|_| Error::internal("no randomness"))?,
    };
    sqlx::query(
        "insert into sign_ins (state_hash, browser_hash, nonce, pkce_verifier, return_to)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(cookies::Token::of(begun.state).hash)
    .bind(&browser.hash)
    .bind(&begun.nonce)
    .bind(&begun.verifier)
    .bind(safe_path(&back.return_to))
    .execute(&app.db)
    .await?;
    let cookie = cookies::set_browser(&app, &browser);
    Ok(([cookie], Redirect::to(begun.url.as_str())).into_response())
}

#[derive(Deserialize)]
struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(callback): Query<Callback>,
) -> Result<Response, Error> {
    let provider = app.provider.as_ref().ok_or(Error::NotFound)?;
    // Taken out, so that no answer can be used twice; of this browser, so that nobody is signed in as somebody else by a link.
    let begun: Option<(String, String, String)> = sqlx::query_as(
        "delete from sign_ins where state_hash = $1 and browser_hash = $2
         and created_at > now() - interval '10 minutes' returning nonce, pkce_verifier, return_to",
    )
    .bind(cookies::Token::of(callback.state).hash)
    .bind(cookies::browser(&app, &headers).map(|token| token.hash).unwrap_or_default())
    .fetch_optional(&app.db)
    .await?;
    let Some((nonce, verifier, return_to)) = begun else {
        app.metrics.sign_in("unknown_state");
        let words = "That sign-in took too long, or was begun in another browser. Try again.";
        return Ok(sign_in_page(&app, StatusCode::BAD_REQUEST, "", Some(words)));
    };
    let Some(code) = callback.code else {
        app.metrics.sign_in("cancelled");
        tracing::info!(error = callback.error, "the identity provider signed nobody in");
        let words = "The sign-in was cancelled. Nothing has changed.";
        return Ok(sign_in_page(&app, StatusCode::OK, &return_to, Some(words)));
    };
    match provider.finish(code, nonce, verifier).await {
        Ok(person) => {
            let user = signup::sign_in(&app, &person).await?;
            begin_session(&app, user, &headers, &return_to).await
        }
        Err(error) => Ok(refused(&app, &error)),
    }
}

fn refused(app: &App, error: &oidc::Error) -> Response {
    tracing::warn!(%error, "a sign-in failed");
    let (status, outcome, words) = match error {
        oidc::Error::Provider(_) => (
            StatusCode::BAD_GATEWAY,
            "provider",
            "The identity provider does not answer. Try again in a moment.",
        ),
        oidc::Error::Token(_) => (
            StatusCode::BAD_REQUEST,
            "token",
            "The identity provider's answer could not be accepted. Try again; if it stays, tell whoever runs this app.",
        ),
    };
    app.metrics.sign_in(outcome);
    sign_in_page(app, status, "", Some(words))
}

async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Error> {
    if let Some(token) = cookies::session(&app, &headers) {
        sessions::end(&app, &token).await?;
    }
    Ok(([cookies::clear_session(&app)], Redirect::to("/")).into_response())
}

/// Where a request comes from: the peer, or what a trusted proxy says of it, read from the right, past trusted proxies.
#[must_use]
pub fn client_address(app: &App, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let trusted = |address: &IpAddr| {
        app.args.sign_in.trusted_proxies.iter().any(|network| network.contains(address))
    };
    // A listener for both families shows an IPv4 peer as an IPv6 address.
    let peer = peer.to_canonical();
    if !trusted(&peer) {
        return peer;
    }
    let forwarded =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut address = peer;
    for hop in hops.iter().rev() {
        let Ok(next) = hop.parse::<IpAddr>() else { break };
        address = next.to_canonical();
        if !trusted(&address) {
            break;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::safe_path;

    #[test]
    fn nobody_is_led_elsewhere() {
        for path in ["/documents", "/search?q=a%20b", "/documents/1?page=3"] {
            assert_eq!(safe_path(path), path);
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "documents",
            "/sign-in",
            "/sign-out",
            "javascript:1",
            "/\t/evil.example",
            "/x/..//evil.example",
            "/.//evil.example",
        ] {
            assert_eq!(safe_path(path), "/documents", "{path}");
        }
    }
}
