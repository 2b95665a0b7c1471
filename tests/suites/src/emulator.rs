//! The truth about Neon: the emulator's control routes.
//!
//! In: ids and small JSON bodies. Out: the ledger (what was ever committed, what stands now), endpoints with their
//! connections, fault rules, and acts "out of band", as if somebody did them in Neon's console. All tests of a process
//! share one emulator: whoever adds a fault scopes it to a project or a project's name.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wait::{PATIENCE, wait_until};

/// Access to the control routes.
#[derive(Clone)]
pub struct Emulator {
    http: reqwest::Client,
    control_url: String,
}

/// Something that was committed.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub seq: u64,
    /// create, delete, recover, rename, `reset_password`, …
    pub kind: String,
    pub project_id: String,
    pub name: String,
    /// The API call that did it; none when it was done out of band.
    pub request_id: Option<String>,
}

/// A project that stands now.
#[derive(Clone, Debug, Deserialize)]
pub struct Standing {
    pub project_id: String,
    pub name: String,
}

/// What was ever committed, and what stands now.
#[derive(Clone, Debug, Deserialize)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub standing: Vec<Standing>,
}

impl Ledger {
    /// Only what concerns projects that ever carried one of these names.
    #[must_use]
    pub fn of(self, names: &[String]) -> Self {
        let named = |name: &String| names.contains(name);
        let ids: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| named(&entry.name))
            .map(|entry| entry.project_id.clone())
            .collect();
        let ours = |id: &String, name: &String| named(name) || ids.contains(id);
        Self {
            entries: self.entries.into_iter().filter(|e| ours(&e.project_id, &e.name)).collect(),
            standing: self.standing.into_iter().filter(|s| ours(&s.project_id, &s.name)).collect(),
        }
    }

    /// How many commits of that kind there were.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind).count()
    }

    /// Names that more than one standing project carries.
    #[must_use]
    pub fn duplicates(&self) -> Vec<String> {
        let mut names: Vec<&String> = self.standing.iter().map(|project| &project.name).collect();
        names.sort();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut found: Vec<String> = twice.map(|pair| pair[0].clone()).collect();
        found.dedup();
        found
    }

    /// Standing projects whose name is none of these.
    #[must_use]
    pub fn orphans(&self, expected: &[String]) -> Vec<Standing> {
        let orphan = |project: &&Standing| !expected.contains(&project.name);
        self.standing.iter().filter(orphan).cloned().collect()
    }
}

/// A compute endpoint, as the emulator knows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoint {
    pub project_id: String,
    pub endpoint_id: String,
    /// init, active, idle
    pub state: String,
    pub connections_ever: u64,
    pub connections_open: u64,
    pub wakes: u64,
}

impl Emulator {
    pub(crate) fn new(control_url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, control_url: control_url.to_owned() })
    }

    /// A control route; see the emulator's `control.rs`.
    pub async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let shown = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.control_url));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| shown.clone())?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{shown} answered {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{shown} answered {text}"))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, field: Option<&str>) -> Result<T> {
        let value = self.control(Method::GET, path, None).await?;
        let value = field.map_or(value.clone(), |field| value[field].clone());
        serde_json::from_value(value).with_context(|| format!("what {path} answered"))
    }

    /// Everything that was committed, of all tests.
    pub async fn ledger(&self) -> Result<Ledger> {
        self.read("/ledger", None).await
    }

    /// The read-write endpoint of a project.
    pub async fn endpoint(&self, project: &str) -> Result<Endpoint> {
        let all: Vec<Endpoint> = self.read("/connections", Some("endpoints")).await?;
        let found = all.into_iter().find(|endpoint| endpoint.project_id == project);
        found.with_context(|| format!("no endpoint of project {project}"))
    }

    /// The project as Neon's API would show it, with its branches and endpoints.
    pub async fn project(&self, id: &str) -> Result<Value> {
        let all: Vec<Value> = self.read("/projects", Some("projects")).await?;
        let found = all.into_iter().find(|project| project["project"]["id"] == json!(id));
        found.with_context(|| format!("the emulator never had a project {id}"))
    }

    /// Calls of the API that went to this project, as `METHOD path`, after a call's number; with the newest number.
    pub async fn calls(&self, project: &str, since: u64) -> Result<(Vec<String>, u64)> {
        let all: Vec<Value> =
            self.read(&format!("/requests?since={since}"), Some("requests")).await?;
        let newest = all.iter().filter_map(|call| call["seq"].as_u64()).max().unwrap_or(since);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let prefix = format!("/projects/{project}");
        let of_project = all.iter().filter(|call| text(&call["path"]).starts_with(&prefix));
        let lines =
            of_project.map(|call| format!("{} {}", text(&call["method"]), text(&call["path"])));
        Ok((lines.collect(), newest))
    }

    /// An act on a project: delete, recover, purge, rename, protect, `reset_password`, gone.
    pub async fn on_project(&self, id: &str, act: &str, body: Value) -> Result<Value> {
        self.control(Method::POST, &format!("/projects/{id}/{act}"), Some(body)).await
    }

    /// An act on an endpoint: suspend, start, refuse, accept, cut, disable, enable, rehost.
    pub async fn on_endpoint(&self, id: &str, act: &str) -> Result<Value> {
        self.control(Method::POST, &format!("/endpoints/{id}/{act}"), None).await
    }

    /// A project that somebody else made; its id.
    pub async fn make_project(&self, body: Value) -> Result<String> {
        let made = self.control(Method::POST, "/projects", Some(body)).await?;
        let id = made["project"]["id"].as_str().context("the id of the new project")?;
        Ok(id.to_owned())
    }

    /// Adds a fault rule that meets only calls about this project (its id or its name).
    pub async fn fault(&self, project: &str, mut rule: Value) -> Result<Fault> {
        rule["project"] = json!(project);
        let made = self.control(Method::POST, "/faults", Some(rule)).await?;
        let id = made["id"].as_u64().context("the id of the new fault")?;
        Ok(Fault { emulator: self.clone(), id })
    }
}

/// A fault rule at work.
pub struct Fault {
    emulator: Emulator,
    id: u64,
}

impl Fault {
    /// What the rule met, hit and holds, as the emulator shows it.
    pub async fn state(&self) -> Result<Value> {
        self.emulator.control(Method::GET, &format!("/faults/{}", self.id), None).await
    }

    /// How many calls it has acted on.
    pub async fn hits(&self) -> Result<u64> {
        self.state().await?["hits"].as_u64().context("hits")
    }

    /// Waits until it has acted on so many calls.
    pub async fn wait_hits(&self, count: u64) -> Result<()> {
        self.wait("hits", count).await
    }

    /// Waits until it holds so many calls.
    pub async fn wait_held(&self, count: u64) -> Result<()> {
        self.wait("held", count).await
    }

    async fn wait(&self, field: &str, count: u64) -> Result<()> {
        wait_until(&format!("a fault's {field} reaches {count}"), PATIENCE, async || {
            let state = self.state().await?;
            ensure!(state[field].as_u64() >= Some(count), "{state}");
            Ok(())
        })
        .await
    }

    /// Lets go of what it holds, and ends it.
    pub async fn release(&self) -> Result<()> {
        let path = format!("/faults/{}/release", self.id);
        self.emulator.control(Method::POST, &path, None).await.map(drop)
    }
}
