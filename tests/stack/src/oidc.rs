//! A certified OpenID provider as a part of the stack.
//!
//! In: tests/oidc and its npm packages. Out: issuer, clients, and a way to make it err (`control`). Anybody may sign in there
//! under any name. It must know nothing of the provider but the one line it prints and its control route.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::certs::Certs;
use crate::child::Child;
use crate::run::{Run, Stop};
use crate::{http, install, paths};

const PATIENCE: Duration = Duration::from_secs(30);
/// Where the app is called back, under its public URL.
const CALLBACK: &str = "/sign-in/oidc/callback";

/// A running provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// `http://127.0.0.1:…`; where there is a node, `https://` and its address.
    pub issuer: String,
    /// Where faults, claims and redirect addresses are set; tests/oidc/server.mjs says how.
    pub control_url: String,
    /// The client with a secret.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The client without one.
    pub public_client_id: String,
    /// The process.
    pub process: Child,
}

/// Starts the provider and waits for the line that says where it is.
pub(crate) fn start(run: &Run, for_pods: Option<&Certs>) -> Result<Oidc> {
    let node = install::require("node", "install Node.js 20 or newer: https://nodejs.org")?;
    let folder = install::npm(&paths::checkout().join("tests/oidc"))?;
    let mut command = Command::new(node);
    command.arg(folder.join("server.mjs"));
    if let Some(certs) = for_pods {
        command.args(["--host", crate::node::ADDRESS]);
        command.arg("--tls-cert").arg(certs.cert("postgres"));
        command.arg("--tls-key").arg(certs.key("postgres"));
    }
    command.env_remove("OIDC_PORT").env_remove("OIDC_CLIENT_SECRET");
    let process = run.spawn("oidc", &command, None, Stop::Kill)?;
    let line = process.wait_for_log("\"issuer\"", PATIENCE)?;
    understood(&line, process).with_context(|| format!("the provider said {line:?}"))
}

fn understood(line: &str, process: Child) -> Option<Oidc> {
    let said: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| said.get(key)?.as_str().map(ToOwned::to_owned);
    Some(Oidc {
        issuer: text("issuer")?,
        control_url: text("control_url")?,
        client_id: text("client_id")?,
        client_secret: text("client_secret")?,
        public_client_id: text("public_client_id")?,
        process,
    })
}

impl Oidc {
    /// Makes `app` (from `Stack::app`) sign people in here, as the client with a secret.
    pub fn configure(&self, app: &mut Command) -> Result<()> {
        let public = app.get_envs().find(|(name, _)| *name == "PUBLIC_URL");
        self.admit(public.and_then(|(_, value)| value?.to_str()).context("no PUBLIC_URL")?)?;
        app.env("OIDC_ISSUER", &self.issuer).env("OIDC_CLIENT_ID", &self.client_id);
        app.env("OIDC_CLIENT_SECRET", &self.client_secret);
        Ok(())
    }

    /// From now on people are sent back to an app with this public URL.
    pub fn admit(&self, public_url: &str) -> Result<()> {
        self.control(&json!({ "redirect_uri": format!("{public_url}{CALLBACK}") })).map(drop)
    }

    /// Gives an order, such as `{"user": "mallory", "fault": "nonce"}`, and what is set afterwards.
    pub fn control(&self, order: &Value) -> Result<Value> {
        let (status, body) = http::post(&self.control_url, &order.to_string())?;
        ensure!(status == 200, "the provider refused {order}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}
