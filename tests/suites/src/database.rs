//! A connection Secret and where it leads.
//!
//! In: the Secret as the API server has it. Out: its keys as text, and sessions by its URIs with everything about the
//! server's certificate checked. It must not trust anything but the stack's authority.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection};

use crate::world::world;

/// A connection Secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The keys, as text.
    pub data: BTreeMap<String, String>,
    /// The object.
    pub secret: Secret,
}

impl Binding {
    pub(crate) fn new(secret: Secret) -> Result<Self> {
        let mut data = BTreeMap::new();
        for (key, value) in secret.data.iter().flatten() {
            data.insert(key.clone(), String::from_utf8(value.0.clone()).context(key.clone())?);
        }
        Ok(Self { data, secret })
    }

    /// The text under a key.
    pub fn get(&self, key: &str) -> Result<&str> {
        let value = self.data.get(key);
        value.map(String::as_str).with_context(|| format!("the Secret has no key {key}"))
    }

    /// A session by the direct URI.
    pub async fn connect(&self) -> Result<PgConnection> {
        connect(self.get("uri")?).await
    }

    /// Its resource version: it moves with every write.
    pub fn version(&self) -> String {
        self.secret.resource_version().unwrap_or_default()
    }
}

/// A session by a URI; certificate and host name are checked against the stack's authority.
pub async fn connect(uri: &str) -> Result<PgConnection> {
    let options = PgConnectOptions::from_str(uri)
        .context("the URI")?
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(world()?.stack().ca_file())
        .statement_cache_capacity(0)
        .disable_statement_logging();
    options.connect().await.context("log-in by the URI")
}
