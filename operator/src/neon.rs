//! Client of the Neon API v2: what the operator needs of it, typed, and nothing of Kubernetes.
//!
//! In: [`Settings`], then one async call per thing wanted. Out: plain data types, or an [`Error`] that says what
//! category of trouble it was, whether the change may have happened all the same, and when to ask again. Each
//! attempt is reported to the `on_call` function given to [`Client::new`]; metrics are made from that.
//!
//! It must not: send a change twice whose first outcome is unknown; follow redirects; show the API key, a
//! password or a URI with credentials in anything that can be printed; compose a host, a port or a password.

mod access;
mod call;
mod compute;
mod connection;
mod creation;
mod error;
mod listing;
mod message;
mod paging;
mod projects;
mod retry;
mod route;
mod scrub;
mod transport;
mod types;
mod words;

#[cfg(test)]
mod tests;

pub use call::{Call, CallStatus};
pub use connection::{BadUri, ConnectionUri};
pub use creation::{CreatedProject, NewProject};
pub use error::{Answer, Error};
pub use listing::Search;
pub use projects::{Deletion, EndpointPatch, ProjectPatch};
pub use retry::Retries;
pub use types::{
    Branch, Database, DefaultEndpointSettings, Endpoint, Operation, Project, ProjectSummary,
    RecoverableProject, Role,
};
pub use words::{EndpointKind, EndpointState, OperationStatus};

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Where the Neon API is and how to talk to it.
#[derive(Clone)]
pub struct Settings {
    /// Root of the API, for example `https://console.neon.tech/api/v2`. Plain `http` is accepted for a
    /// loopback host only (an emulator): the API key travels in each request.
    pub base_url: Url,
    /// The API key: of a user, of an organization or of a project.
    pub api_key: SecretString,
    /// The organization that projects are looked for and created in; an organization's own key implies it.
    pub org_id: Option<String>,
    /// How long one attempt may take, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// How often, and how far apart, an attempt is repeated inside one call.
    pub retries: Retries,
    /// Certificates in PEM that are trusted besides the system's own, for a proxy or an emulator with TLS.
    pub root_ca: Option<Vec<u8>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_url", &self.base_url.host_str())
            .field("org_id", &self.org_id)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// The client: cheap to clone, one connection pool behind all clones.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    settings: Settings,
    on_call: Box<dyn Fn(&Call) + Send + Sync>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// Builds the client; nothing is sent yet. `on_call` hears of every attempt and must return at once.
    ///
    /// The process must have installed a rustls provider before (`main` does): a missing one is an error here
    /// rather than the panic that reqwest would answer with.
    ///
    /// # Errors
    /// [`Error::Settings`] where the base URL, the key or a certificate cannot be used.
    pub fn new(
        settings: Settings,
        on_call: impl Fn(&Call) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let loopback = check_base_url(&settings.base_url)?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Error::settings("no rustls provider is installed in this process"));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tenantry-operator/", env!("CARGO_PKG_VERSION")))
            .default_headers(bearer(&settings.api_key)?)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(50));
        if let Some(pem) = &settings.root_ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_| Error::settings("the CA file of the Neon API is not PEM"))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::settings(format!(
                "cannot set up HTTPS for the Neon API: {}",
                error.without_url()
            ))
        })?;
        Ok(Self { inner: Arc::new(Inner { http, settings, on_call: Box::new(on_call) }) })
    }
}

/// The default headers: the key, marked as sensitive so that no HTTP library prints it.
fn bearer(key: &SecretString) -> Result<HeaderMap, Error> {
    let key = key.expose_secret().trim();
    if key.is_empty() {
        return Err(Error::settings("the Neon API key is empty"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| Error::settings("the Neon API key has characters that no header may carry"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// Refuses what would leak the key or could not work; says whether the host is this machine.
fn check_base_url(url: &Url) -> Result<bool, Error> {
    let loopback = match url.host() {
        None => return Err(Error::settings("the URL of the Neon API names no host")),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::settings(
            "the URL of the Neon API carries credentials; give it the key alone",
        ));
    }
    match url.scheme() {
        "https" => Ok(loopback),
        "http" if loopback => Ok(loopback),
        "http" => Err(Error::settings(
            "the URL of the Neon API is plain http to another host, which would show the key to the network",
        )),
        other => Err(Error::settings(format!(
            "the URL of the Neon API has the scheme {other}, not https"
        ))),
    }
}
