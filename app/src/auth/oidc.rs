//! OpenID Connect: the way to the identity provider and back, by code with PKCE, state and nonce.
//!
//! In: an issuer, what its provider answers. Out: where to send the browser; who came back. Issuer, audience, signature, expiry
//! and nonce of the ID token are checked by the library; the sign-in is bound to the browser that began it by a cookie.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata},
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use url::Url;

use super::signup::Person;
use crate::args::SignInArgs;

/// How long any one request to the provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what the provider said of itself is believed: its keys may change.
const FRESH: Duration = Duration::from_secs(600);
/// A signature by an unknown key makes us ask again, but not more often than this.
const NEWER: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const LARGEST: usize = 1 << 20;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why somebody could not be signed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider does not answer, or not as one.
    #[error("the identity provider cannot be used: {0}")]
    Provider(String),
    /// What came back proves nothing.
    #[error("the identity provider's answer is not accepted: {0}")]
    Token(String),
}

/// The configured provider.
pub struct Provider {
    issuer: IssuerUrl,
    id: ClientId,
    secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    http: Http,
    known: Mutex<Option<(Arc<Client>, tokio::time::Instant)>>,
}

/// A sign-in that is on its way.
pub(super) struct Begun {
    pub(super) url: Url,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Request(#[from] reqwest::Error),
    #[error("the answer is too large")]
    TooLarge,
    #[error(transparent)]
    Form(#[from] axum::http::Error),
}

impl Provider {
    /// Reads the configuration; the provider is asked when the first person signs in.
    ///
    /// # Errors
    /// A text that names the flag.
    pub fn new(args: &SignInArgs) -> Result<Option<Self>, String> {
        let (Some(issuer), Some(id)) = (&args.oidc_issuer, &args.oidc_client_id) else {
            return Ok(None);
        };
        // Compared letter by letter, so it stays as it was written: some issuers end with a slash.
        let issuer = IssuerUrl::new(issuer.clone())
            .map_err(|error| format!("--oidc-issuer {issuer}: {error}"))?;
        let is_safe = issuer.url().scheme() == "https" || super::demo::is_loopback(issuer.url());
        if !is_safe {
            return Err("--oidc-issuer must begin with https://".to_owned());
        }
        let redirect = args
            .public_url
            .join("sign-in/oidc/callback")
            .map_err(|error| format!("--public-url: {error}"))?;
        // A provider that redirects could lead us anywhere.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Some(Self {
            issuer,
            id: ClientId::new(id.clone()),
            secret: args
                .oidc_client_secret
                .as_ref()
                .map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
            redirect: RedirectUrl::from_url(redirect),
            http: Http(http),
            known: Mutex::default(),
        }))
    }

    /// The provider as it describes itself, not longer ago than that.
    async fn client(&self, fresh: Duration) -> Result<Arc<Client>, Error> {
        let mut known = self.known.lock().await;
        if let Some((client, since)) = &*known
            && since.elapsed() < fresh
        {
            return Ok(client.clone());
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http)
            .await
            .map_err(|error| Error::Provider(crate::error::causes(&error)))?;
        let client =
            CoreClient::from_provider_metadata(metadata, self.id.clone(), self.secret.clone())
                .set_redirect_uri(self.redirect.clone());
        let client = Arc::new(client);
        *known = Some((client.clone(), tokio::time::Instant::now()));
        Ok(client)
    }

    /// Where to send the browser.
    pub(super) async fn begin(&self, login_hint: Option<String>) -> Result<Begun, Error> {
        let client = self.client(FRESH).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge);
        if let Some(hint) = login_hint {
            request = request.add_extra_param("login_hint", hint);
        }
        let (url, state, nonce) = request.url();
        Ok(Begun {
            url,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Who came back with this code.
    pub(super) async fn finish(
        &self,
        code: String,
        nonce: String,
        verifier: String,
    ) -> Result<Person, Error> {
        let client = self.client(FRESH).await?;
        let token = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Error::Provider(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&self.http)
            .await
            .map_err(|error| Error::Token(crate::error::causes(&error)))?;
        let rejected = |error: &dyn std::error::Error| Error::Token(crate::error::causes(error));
        let id_token = token.id_token().ok_or_else(|| Error::Token("no ID token".to_owned()))?;
        let nonce = Nonce::new(nonce);
        let unknown_key = matches!(
            id_token.claims(&client.id_token_verifier(), &nonce),
            Err(ClaimsVerificationError::SignatureVerification(_))
        );
        // The provider may sign with a key that is newer than what we know of it.
        let client = if unknown_key { self.client(NEWER).await? } else { client };
        let check = client.id_token_verifier();
        let claims = id_token.claims(&check, &nonce).map_err(|error| rejected(&error))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = id_token.signing_alg().map_err(|error| rejected(&error))?;
            let key = id_token.signing_key(&check).map_err(|error| rejected(&error))?;
            let actual = AccessTokenHash::from_token(token.access_token(), algorithm, key)
                .map_err(|error| rejected(&error))?;
            if actual != *expected {
                return Err(Error::Token(
                    "the access token belongs to another ID token".to_owned(),
                ));
            }
        }
        let subject = claims.subject().as_str().to_owned();
        let email = claims.email().map(|email| email.as_str().to_owned());
        let name = claims
            .name()
            .and_then(|names| names.get(None))
            .and_then(|name| super::demo::name(name))
            .or_else(|| email.as_deref().and_then(super::demo::name))
            .unwrap_or_else(|| "you".to_owned());
        let issuer = claims.issuer().as_str().to_owned();
        Ok(Person { issuer, subject, name, email })
    }
}

/// Our own HTTP client, as the library wants it: a type, because the future of a closure is not known to be `Send`.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}

impl Http {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let request =
            self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let mut response = request.send().await?;
        let mut builder = axum::http::Response::builder().status(response.status());
        if let Some(headers) = builder.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(HttpError::TooLarge);
            }
        }
        Ok(builder.body(body)?)
    }
}
