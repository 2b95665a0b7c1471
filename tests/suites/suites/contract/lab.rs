//! What the contract tests stand on: one Postgres and pooler for all of them, and an emulator of its own for each test, so
//! that one test's faults and settings never meet another's. In: flags. Out: a [`Lab`] to talk to; it ends when dropped.

mod http;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use stack::{Options, Stack};

use super::openapi::OpenApi;
use http::http;

/// Key that every emulator here accepts.
pub(super) const KEY: &str = "napi_contract";

/// Shared as long as any test needs it; the last one to end stops it.
static SHARED: Mutex<Weak<Stack>> = Mutex::new(Weak::new());

fn shared() -> Result<Arc<Stack>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stack) = shared.upgrade() {
        return Ok(stack);
    }
    let stack = Arc::new(Stack::start(Options::postgres_only())?);
    *shared = Arc::downgrade(&stack);
    Ok(stack)
}

/// One emulator and who judges it.
pub(super) struct Lab {
    pub(super) stack: Arc<Stack>,
    pub(super) api_url: String,
    pub(super) control_url: String,
    pub(super) record: PathBuf,
    pub(super) client: reqwest::Client,
    pub(super) judge: Option<Arc<OpenApi>>,
    emulator: stack::Child,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.emulator.terminate();
    }
}

impl Lab {
    pub(super) fn start(test: &str, flags: &[&str]) -> Result<Self> {
        let stack = shared()?;
        let pooler = stack.pooler().ok();
        Self::start_with(test, stack, flags, pooler)
    }

    /// An emulator that was given no pooler.
    pub(super) fn without_pooler(test: &str) -> Result<Self> {
        Self::start_with(test, shared()?, &[], None)
    }

    fn start_with(
        test: &str,
        stack: Arc<Stack>,
        flags: &[&str],
        pooler: Option<String>,
    ) -> Result<Self> {
        let (certificate, key) = stack.server_cert();
        let name = format!("neon-emulator-{}", test.replace('/', "-"));
        let record = stack.scratch_dir()?.join(format!("{name}.jsonl"));
        let mut command = Command::new(stack::binary("neon-emulator")?);
        command.args(["--postgres-url", stack.postgres_url(), "--api-key", KEY]);
        command
            .arg("--tls-cert")
            .arg(certificate)
            .arg("--tls-key")
            .arg(key)
            .arg("--record")
            .arg(&record);
        if let Some(pooler) = &pooler {
            command.args(["--pooler", pooler]);
        }
        let emulator = stack.spawn(&name, command.args(flags))?;
        let line = emulator.wait_for_log("api_url", Duration::from_secs(20))?;
        let urls: Value = serde_json::from_str(&line).context(line.clone())?;
        let url = |key: &str| urls[key].as_str().map(str::to_owned).context("the emulator's line");
        let judge = OpenApi::load()?.map(Arc::new);
        let (api_url, control_url) = (url("api_url")?, url("control_url")?);
        Ok(Self { stack, api_url, control_url, record, client: http(), judge, emulator })
    }

    /// A project by the API; its reply.
    pub(super) async fn project(&self, name: &str) -> Result<Value> {
        let reply = self.post("/projects", json!({ "project": { "name": name } })).await?;
        reply.expect(201)
    }

    /// Changes settings of the emulator.
    pub(super) async fn set(&self, settings: Value) -> Result<()> {
        self.control("POST", "/clock/settings", Some(settings)).await.map(drop)
    }

    /// Adds a fault rule; its id.
    pub(super) async fn fault(&self, rule: Value) -> Result<u64> {
        let made = self.control("POST", "/faults", Some(rule)).await?;
        made["id"].as_u64().context("id of a fault")
    }

    /// Waits until a fault rule says `field` is at least `count`.
    pub(super) async fn wait_fault(&self, id: u64, field: &str, count: u64) -> Result<Value> {
        self.until(&format!("fault {id}: {field} >= {count}"), async || {
            let fault = self.control("GET", &format!("/faults/{id}"), None).await?;
            Ok(fault[field].as_u64().is_some_and(|n| n >= count).then_some(fault))
        })
        .await
    }

    /// Kinds and names in the ledger, in their order.
    pub(super) async fn ledger(&self) -> Result<Vec<(String, String)>> {
        let ledger = self.control("GET", "/ledger", None).await?;
        let entries = ledger["entries"].as_array().context("entries")?;
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        Ok(entries.iter().map(|e| (text(e, "kind"), text(e, "name"))).collect())
    }

    /// What the emulator knows of the only endpoint of a project.
    pub(super) async fn endpoint(&self, project: &str) -> Result<Value> {
        let all = self.control("GET", "/connections", None).await?;
        let mut mine = all["endpoints"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|e| e["project_id"] == json!(project));
        mine.next().cloned().context("no endpoint of that project")
    }

    /// Waits for a condition, with a deadline.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        attempt: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = attempt().await? {
                return Ok(found);
            }
            ensure!(Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Runs psql with a URI; what it printed, or what it said against it.
    pub(super) async fn psql(&self, uri: &str, sql: &str) -> Result<Result<String, String>> {
        let mut command = tokio::process::Command::from(self.stack.psql());
        let output = command.args(["-A", "-t", "-c", sql, uri]).output().await.context("psql")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        })
    }

    /// Runs a program to its end; what it printed.
    pub(super) async fn output(&self, command: Command) -> Result<String> {
        let shown = format!("{command:?}");
        let output =
            tokio::process::Command::from(command).output().await.context(shown.clone())?;
        if !output.status.success() {
            bail!(
                "{shown}\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A text in a JSON value, by pointer.
pub(super) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("{pointer} in {value}"))
}
