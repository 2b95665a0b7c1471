//! The two cookies: one holds a session's id, the other binds a sign-in to the browser that began it.
//!
//! In: headers. Out: values, `Set-Cookie` lines. Over https the names carry the `__Host-` prefix, which browsers take from https
//! only and for the whole host only; plain http is for the demonstration on this machine, under other names.

use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use sha2::{Digest, Sha256};

use crate::state::App;

/// A random id of 256 bits, and what is kept of it.
#[derive(Clone)]
pub struct Token {
    /// What the browser gets.
    pub text: String,
    /// SHA-256 of it: what the database gets.
    pub hash: Vec<u8>,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Self, ring::error::Unspecified> {
        let bytes: [u8; 32] = ring::rand::generate(&ring::rand::SystemRandom::new())?.expose();
        Ok(Self::of(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// One that a browser sent.
    #[must_use]
    pub fn of(text: String) -> Self {
        let hash = Sha256::digest(&text).to_vec();
        Self { text, hash }
    }
}

fn is_https(app: &App) -> bool {
    app.args.sign_in.public_url.scheme() == "https"
}

fn name(app: &App, plain: &str) -> String {
    if is_https(app) { format!("__Host-{plain}") } else { format!("demo-{plain}") }
}

/// The session's id that a browser sent.
#[must_use]
pub fn session(app: &App, headers: &HeaderMap) -> Option<Token> {
    read(headers, &name(app, "session"))
}

/// What binds a sign-in to the browser that began it.
#[must_use]
pub fn browser(app: &App, headers: &HeaderMap) -> Option<Token> {
    read(headers, &name(app, "sign-in"))
}

fn read(headers: &HeaderMap, name: &str) -> Option<Token> {
    let jar = CookieJar::from_headers(headers);
    let value = jar.get(name)?.value().to_owned();
    (value.len() == 64).then(|| Token::of(value))
}

/// The `Set-Cookie` line of a session; it ends with the session, at the latest.
#[must_use]
pub fn set_session(app: &App, token: &Token) -> (header::HeaderName, String) {
    let hours = i64::from(app.args.sign_in.session_hours);
    set(app, "session", &token.text, hours * 3600)
}

/// The one that ends a session in the browser.
#[must_use]
pub fn clear_session(app: &App) -> (header::HeaderName, String) {
    set(app, "session", "", 0)
}

/// The one of a sign-in.
#[must_use]
pub fn set_browser(app: &App, token: &Token) -> (header::HeaderName, String) {
    set(app, "sign-in", &token.text, 600)
}

fn set(app: &App, plain: &str, value: &str, seconds: i64) -> (header::HeaderName, String) {
    let mut cookie = Cookie::new(name(app, plain), value.to_owned());
    cookie.set_http_only(true);
    cookie.set_secure(is_https(app));
    cookie.set_path("/");
    // Strict would lose the session on the way back from the identity provider.
    cookie.set_same_site(SameSite::Lax);
    (header::SET_COOKIE, format!("{cookie}; Max-Age={seconds}"))
}
