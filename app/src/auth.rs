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

use std::{convert::Infallible, sync::Arc};

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

/// Whoever sends a request, signed in or not: found once, by the router, and carried in the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Visitor(pub Option<Signed>);

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        visitor.and_then(|Visitor(signed)| signed).ok_or(Error::SignedOut)
    }
}

/// Who sent these headers; their session is used, and so goes on.
///
/// # Errors
/// When the main database does not answer.
pub async fn visitor(app: &App, headers: &HeaderMap) -> Result<Visitor, Error> {
    match cookies::session(app, headers) {
        Some(id) => Ok(Visitor(sessions::find(app, &id, true).await?)),
        None => Ok(Visitor(None)),
    }
}

/// Whether the session still stands; asking does not make it last longer.
///
/// # Errors
/// When the main database does not answer.
pub async fn still_stands(app: &App, headers: &HeaderMap) -> Result<bool, Error> {
    match cookies::session(app, headers) {
        Some(id) => Ok(sessions::find(app, &id, false).await?.is_some()),
        None => Ok(false),
    }
}
