//! Who it is: sessions, the two ways to sign in, and signing up, which is signing in for the first time.
//!
//! In: a cookie, or the word of an identity provider. Out: a [`Signed`] person with their tenant. A person is the pair of issuer
//! and subject; the e-mail address is shown and never compared.

pub mod cookies;
pub mod demo;
pub mod oidc;
mod routes;
mod sessions;
mod signup;

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use uuid::Uuid;

use crate::{error::Error, state::App};

pub use routes::{client_address, routes, to_sign_in};
pub use signup::delete_account;

/// A person who is signed in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Signed {
    /// The person.
    pub user: Uuid,
    /// What the person is called.
    pub name: String,
    /// The tenant whose documents are shown.
    pub tenant: Uuid,
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let signed = signed(app, &parts.headers).await?.ok_or(Error::SignedOut)?;
        app.limits.cheap(signed.user)?;
        Ok(signed)
    }
}

/// Who sent these headers, if anybody who is signed in.
///
/// # Errors
/// When the main database does not answer.
pub async fn signed(app: &App, headers: &HeaderMap) -> Result<Option<Signed>, Error> {
    match cookies::session(app, headers) {
        Some(id) => Ok(sessions::find(app, &id).await?),
        None => Ok(None),
    }
}
