//! Every route and every layer, on one page.
//!
//! In: a request. Out: an answer with the headers that every answer has. Order matters: what is written last is met first.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, timeout::RequestBodyTimeoutLayer};

use crate::{
    account,
    auth::{self, Visitor},
    chat, documents,
    error::{self, Error, Failure},
    live, search,
    state::App,
    web,
};

/// What pages may load: only what this app serves itself, and no script or style inside a page.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
connect-src 'self'; font-src 'self'; frame-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; \
frame-ancestors 'self'";

/// A body that stops coming for so long is given up; uploads have their own, stricter, limit.
const SILENCE: Duration = Duration::from_secs(60);

/// The whole app.
pub fn router(app: Arc<App>) -> Router {
    let csrf = CsrfLayer::new().with_rejection_response(|_| {
        Error::Forbidden("This request came from another site, so it was refused. Go back and try again from here.")
            .into_response()
    });
    Router::new()
        .merge(auth::routes())
        .merge(account::routes())
        .merge(documents::routes())
        .merge(search::routes())
        .merge(chat::routes())
        .merge(live::routes())
        .merge(web::routes())
        .fallback(|| async { Error::NotFound })
        .method_not_allowed_fallback(|| async { Error::Method })
        .layer(RequestBodyTimeoutLayer::new(SILENCE))
        .layer(CatchPanicLayer::custom(|_| Error::internal("a handler panicked").into_response()))
        .layer(csrf)
        .layer(middleware::from_fn_with_state(app.clone(), visitors))
        .layer(middleware::from_fn(failures))
        .layer(middleware::from_fn(headers))
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .with_state(app)
}

/// Counts by route template, never by path.
async fn measure(
    State(app): State<Arc<App>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let known = [Method::GET, Method::POST, Method::HEAD].contains(&method);
    let method = if known { method.as_str() } else { "other" };
    app.metrics.request(method, route, response.status().as_u16(), started.elapsed());
    response
}

/// What every answer has. Pages are about one person and are not kept by anybody; static files say otherwise themselves.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let isolation = HeaderValue::from_static("same-origin");
    headers.entry("cross-origin-opener-policy").or_insert(isolation.clone());
    headers.entry("cross-origin-resource-policy").or_insert(isolation);
    response
}

/// A failure becomes a page for people and JSON for scripts.
async fn failures(request: Request, next: Next) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let is_get = request.method() == Method::GET;
    let mut response = next.run(request).await;
    let visitor = response.extensions_mut().remove::<Visitor>().unwrap_or_default();
    let Some(failure) =
        response.extensions_mut().remove::<Failure>().or_else(|| rejected(&response))
    else {
        return response;
    };
    let kept = [header::RETRY_AFTER, header::ALLOW];
    let kept = kept.map(|name| response.headers_mut().remove(&name).map(|value| (name, value)));
    let mut answer = if error::wants_json(&headers) {
        failure.json()
    } else if failure.code == "signed_out" {
        let back =
            if is_get { uri.path_and_query().map_or("/", |path| path.as_str()) } else { "/" };
        auth::to_sign_in(back)
    } else {
        account::error_page(&failure, visitor.0.as_ref(), uri.path())
    };
    answer.headers_mut().extend(kept.into_iter().flatten());
    answer
}

/// What the framework refuses before a handler sees it, in its own words for programmers.
fn rejected(response: &Response) -> Option<Failure> {
    let kind = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let status = response.status();
    let words =
        "This request could not be understood. Go back and try again from there.".to_owned();
    (status.is_client_error() && kind.starts_with("text/plain")).then_some(Failure {
        status,
        code: "bad_request",
        words,
    })
}

/// Finds out who asks, once, and whether they may ask so often: people by who they are, strangers by address, and signing in by
/// address in any case. The header of a proxy is believed only from a proxy that is named.
async fn visitors(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    // The same for everybody, and kept by browsers.
    if path.starts_with("/static/") {
        return next.run(request).await;
    }
    let address = auth::client_address(&app, peer.ip(), request.headers());
    let signs_in = path.starts_with("/sign-in");
    let visitor = match auth::visitor(&app, request.headers()).await {
        Ok(visitor) => visitor,
        Err(error) => return error.into_response(),
    };
    let may = match &visitor.0 {
        Some(signed) if !signs_in => app.limits.cheap(signed.user),
        Some(_) | None => app.limits.stranger(address),
    };
    request.extensions_mut().insert(visitor.clone());
    let mut response = match may {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(visitor);
    response
}
