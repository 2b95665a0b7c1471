//! What the app needs of a stack: its main database, its account in the cluster, models, an identity provider, a bucket.
//!
//! In: a running stack. Out: the command that starts the app, ready to be changed, and the app once it listens. Everything the
//! app reads from its environment is set or removed here, so that the caller's shell does not matter.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Stack;
use crate::child::Child;
use crate::oidc::{self, Oidc};
use crate::s3::{self, S3};
use crate::{install, models, paths, ports, tool};

const PATIENCE: Duration = Duration::from_secs(60);
/// Namespace of the tenants that the app makes.
const NAMESPACE: &str = "tenants";
/// What the app reads from the environment begins so.
const READ: [&str; 20] = [
    "CHAT_",
    "DATABASE_",
    "DEMO_",
    "DRAIN_",
    "EMBEDDING_",
    "EXTRACT_",
    "FILES",
    "INGEST_",
    "KUBECONFIG",
    "MAX_",
    "OIDC_",
    "PUBLIC_URL",
    "RELEVANCE_",
    "REQUESTS_",
    "S3_",
    "SESSION_",
    "TENANTRY_APP_",
    "TENANTRY_LOG_",
    "TENANT_",
    "TRUSTED_",
];

/// The app, listening.
#[derive(Debug, Clone)]
pub struct App {
    /// `http://127.0.0.1:…`, for browsers.
    pub url: String,
    /// `http://127.0.0.1:…`, with /metrics, /livez and /readyz.
    pub admin_url: String,
    /// The process.
    pub process: Child,
}

impl App {
    /// An app that was started: waits until it listens.
    pub fn of(process: Child) -> Result<Self> {
        let line = process.wait_for_log("listening", PATIENCE)?;
        let url = |field: &str| {
            let found = address_after(&line, field).map(|address| format!("http://{address}"));
            found.with_context(|| format!("no {field}= in the app's line {line:?}"))
        };
        Ok(Self { url: url("address")?, admin_url: url("admin")?, process })
    }
}

impl Stack {
    /// The embedding server of a stack with `Options::models`.
    pub fn embeddings(&self) -> &models::Embeddings {
        self.embeddings.as_ref().expect("this stack was started without models")
    }

    /// Root of the embedding API: `http://127.0.0.1:…/v1`.
    pub fn embedding_url(&self) -> &str {
        &self.embeddings().url
    }

    /// The chat server of a stack with `Options::chat`.
    pub fn chat(&self) -> &models::Chat {
        self.chat.as_ref().expect("this stack was started without a chat model")
    }

    /// A fresh, empty database that belongs to a role of its own; gives its URL.
    pub fn main_database(&self, name: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(name.chars().all(plain) && name.len() < 40, "{name:?} is no name for a database");
        let name = format!("{name}_{}", paths::random_hex(6)?);
        let password = paths::random_hex(16)?;
        let role = format!("create role {name} login password '{password}'");
        let database = format!("create database {name} owner {name}");
        tool::output(self.psql().arg(self.postgres_url()).args(["-c", &role, "-c", &database]))?;
        self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(name.clone());
        // Our own server offers TLS, but nothing is gained by it on loopback; another server's wishes are in its URL.
        let wishes = match self.psql {
            Some(_) => "sslmode=disable",
            None => self.postgres_url().split_once('?').map_or("", |(_, wishes)| wishes),
        };
        let (host, port) = (&self.database.host, self.database.port);
        Ok(format!("postgresql://{name}:{password}@{host}:{port}/{name}?{wishes}"))
    }

    /// The kubeconfig of the app's ServiceAccount, which may make tenants and read their Secrets in this namespace.
    pub fn app_kubeconfig(&self, namespace: &str) -> Result<PathBuf> {
        self.cluster().admit_app(&self.run, namespace)
    }

    /// `tenantry-app serve` on a database of its own, with everything that it needs to know of this stack.
    pub fn app(&self) -> Result<Command> {
        self.app_on(NAMESPACE, &self.main_database("app")?)
    }

    /// The same on a database that is there: the app again after its end, or a second one beside the first. Its address is chosen
    /// here, because it is part of its public URL; it stays the same when the same command is started again.
    pub fn app_on(&self, namespace: &str, database_url: &str) -> Result<Command> {
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let database = database_url.rsplit('/').next().unwrap_or_default();
        let database = database.split('?').next().unwrap_or_default();
        let mut app = self.app_command("serve", database_url)?;
        app.env("KUBECONFIG", self.app_kubeconfig(namespace)?);
        app.env("TENANTRY_APP_NAMESPACE", namespace);
        app.env("TENANT_DB_CA_FILE", self.ca_file()).env("DEMO_LOGIN", "true");
        app.env("FILES", self.scratch_dir()?.join("files").join(database));
        app.env("PUBLIC_URL", format!("http://{listen}")).env("TENANTRY_APP_LISTEN", listen);
        app.env("TENANTRY_APP_ADMIN_LISTEN", "127.0.0.1:0");
        if let Some(server) = &self.embeddings {
            app.env("EMBEDDING_URL", &server.url).env("EMBEDDING_KEY", &server.key);
            app.env("EMBEDDING_MODEL", &server.model);
            app.env("EMBEDDING_DIMENSIONS", server.dimensions.to_string());
        }
        if let Some(server) = &self.chat {
            app.env("CHAT_URL", &server.url).env("CHAT_KEY", &server.key);
            app.env("CHAT_MODEL", &server.model);
            app.env("CHAT_CONTEXT_TOKENS", server.context.to_string());
            // A model so small says its best at once, and has one processor.
            app.env("CHAT_ANSWER_TOKENS", "160").env("CHAT_CONCURRENCY", "2");
        }
        Ok(app)
    }

    /// `tenantry-app migrate`, to its end.
    pub fn migrate(&self, database_url: &str) -> Result<()> {
        tool::output(&mut self.app_command("migrate", database_url)?).map(drop)
    }

    fn app_command(&self, what: &str, database_url: &str) -> Result<Command> {
        let mut app = Command::new(crate::binary("tenantry-app")?);
        for name in std::env::vars_os().map(|(name, _)| name).filter(is_read_by_the_app) {
            app.env_remove(name);
        }
        app.arg(what).env("DATABASE_URL", database_url);
        Ok(app)
    }

    /// Starts the app and waits until it listens.
    pub fn start_app(&self, name: &str, command: &Command) -> Result<App> {
        App::of(self.spawn(name, command)?)
    }

    /// A browser's journey through an app that is there: `journey.mjs` or `chat.mjs` (tests/browser says what `wishes` may hold).
    pub fn journey(&self, script: &str, base_url: &str, wishes: &Value) -> Result<Command> {
        let node = install::require("node", "install Node.js 20 or newer: https://nodejs.org")?;
        let folder = install::npm(&paths::checkout().join("tests/browser"))?;
        let mut journey = Command::new(node);
        journey.arg(folder.join(script)).arg(base_url).arg(wishes.to_string());
        journey.env("CHROMIUM", install::chromium()?);
        Ok(journey)
    }

    /// A certified OpenID provider; `Oidc::configure` makes an app use it.
    pub fn oidc(&self) -> Result<Oidc> {
        oidc::start(&self.run, self.has_node.then_some(&self.certs))
    }

    /// An S3-compatible server with an empty bucket; `S3::configure` makes an app use it.
    pub fn s3(&self) -> Result<S3> {
        s3::start(&self.run)
    }

    /// Removes databases that we made on a server that is not ours.
    pub(super) fn drop_databases(&self) {
        if self.psql.is_some() {
            return;
        }
        for name in self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
            let (database, role) =
                (format!("drop database {name} with (force)"), format!("drop role {name}"));
            let mut psql = self.psql();
            psql.arg(self.postgres_url()).args(["-c", &database, "-c", &role]);
            let _ = psql.output();
        }
    }
}

fn is_read_by_the_app(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    READ.iter().any(|start| name.starts_with(start))
}

/// `127.0.0.1:8080` after `field` in a log line, whatever colours and quotes stand between.
fn address_after<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let rest = &line[line.find(field)?..];
    let rest = &rest[rest.find("127.0.0.1:")?..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    Some(&rest[..end.unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_found_in_the_apps_line() {
        let plain = "INFO tenantry_app: listening address=127.0.0.1:1 admin=127.0.0.1:22";
        let json = r#"{"message":"listening","address":"127.0.0.1:1","admin":"127.0.0.1:22"}"#;
        let colours =
            "listening \u{1b}[3maddress\u{1b}[0m=127.0.0.1:1 \u{1b}[3madmin\u{1b}[0m=127.0.0.1:22";
        for line in [plain, json, colours] {
            assert_eq!(address_after(line, "address"), Some("127.0.0.1:1"));
            assert_eq!(address_after(line, "admin"), Some("127.0.0.1:22"));
        }
        assert_eq!(address_after("listening", "address"), None);
    }

    #[test]
    fn what_a_shell_holds_for_the_app_is_known() {
        for name in
            ["CHAT_KEY", "OIDC_ISSUER", "DATABASE_URL", "EMBEDDING_KEY", "FILES", "KUBECONFIG"]
        {
            assert!(is_read_by_the_app(&name.into()), "{name}");
        }
        for name in ["PATH", "HOME", "TENANTRY_CACHE", "RUST_BACKTRACE"] {
            assert!(!is_read_by_the_app(&name.into()), "{name}");
        }
    }
}
