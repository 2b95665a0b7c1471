//! Flux in a test's namespace: the real kustomize-controller, and a stand-in for the source-controller.
//!
//! In: files, as a commit would bring them, and Kustomizations. Out: what the controller says of them and what it logs. The
//! archive of each commit is served on loopback and named in the status of a GitRepository, which is all that the
//! kustomize-controller ever sees of git. Only a cluster of our own gets Flux's kinds.

mod controller;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use acceptance::{Space, wait_until};
use anyhow::{Context, Result, ensure};
use axum::{Router, extract::Path, http::StatusCode, routing::get};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stack::Child;
use tokio::task::JoinHandle;

use super::archive::tar_gz;

/// Long enough for the slowest: a time-out, which the controller never takes below half a minute.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);
/// Name of the GitRepository.
const SOURCE: &str = "tenants";

type Store = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A repository that Flux follows, and the Kustomizations of one namespace.
pub(super) struct Flux {
    client: Client,
    namespace: String,
    controller: Child,
    store: Store,
    address: String,
    /// The newest commit, as Flux names it.
    revision: Mutex<String>,
    server: JoinHandle<()>,
}

impl Drop for Flux {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Flux {
    /// A repository without a commit in the namespace; none where the cluster is not ours (the test is then skipped).
    pub(super) async fn start(test: &str, space: &Space) -> Result<Option<Self>> {
        if stack::Options::default().cluster != stack::options::Cluster::Own {
            stack::skip(
                &format!("gitops::{test}"),
                "it would install Flux's kinds in your cluster",
            );
            return Ok(None);
        }
        let controller = tokio::task::spawn_blocking(controller::controller).await??;
        let store = Store::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let shelf = store.clone();
        let serve = move |Path(name): Path<String>| async move {
            let found = shelf.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
            found.ok_or(StatusCode::NOT_FOUND)
        };
        let router = Router::new().route("/{name}", get(serve));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let (client, namespace) = (space.client.clone(), space.namespace.clone());
        let revision = Mutex::default();
        let flux = Self { client, namespace, controller, store, address, revision, server };
        let repository = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": SOURCE}, "spec": {"url": "https://git.example.com/x.git", "interval": "1m"},
        });
        let source = serde_json::from_value(repository)?;
        flux.sources().create(&PostParams::default(), &source).await.context("GitRepository")?;
        Ok(Some(flux))
    }

    fn api(&self, group: &str, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    fn sources(&self) -> Api<DynamicObject> {
        self.api("source.toolkit.fluxcd.io", "GitRepository")
    }

    fn kustomizations(&self) -> Api<DynamicObject> {
        self.api("kustomize.toolkit.fluxcd.io", "Kustomization")
    }

    /// A commit that leaves these files, and no others, in the repository.
    pub(super) async fn push(&self, files: &BTreeMap<String, String>) -> Result<()> {
        let archive = tar_gz(files)?;
        let digest = stack::paths::hex(&Sha256::digest(&archive));
        let (name, size) = (format!("{digest}.tar.gz"), archive.len());
        self.store.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), archive);
        let revision = format!("main@sha1:{}", &digest[..40]);
        let now = "2026-01-01T00:00:00Z";
        let status = json!({"status": {
            "observedGeneration": 1,
            "artifact": {
                "digest": format!("sha256:{digest}"), "lastUpdateTime": now, "path": name, "size": size,
                "revision": revision, "url": format!("http://{}/{name}", self.address),
            },
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored",
                "lastTransitionTime": now, "observedGeneration": 1}],
        }});
        self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&revision);
        let patch = Patch::Merge(&status);
        self.sources().patch_status(SOURCE, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// A Kustomization of a path: it prunes, waits for health and looks again after two seconds, unless `spec` says
    /// otherwise.
    pub(super) async fn follow(&self, name: &str, path: &str, spec: Value) -> Result<()> {
        let mut object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name},
            "spec": {
                "sourceRef": {"kind": "GitRepository", "name": SOURCE}, "path": path, "prune": true,
                "wait": true, "interval": "2s", "retryInterval": "1s", "timeout": "1m",
            },
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            object["spec"][key] = value.clone();
        }
        self.add(object).await
    }

    /// A Kustomization as it is written.
    pub(super) async fn add(&self, object: Value) -> Result<()> {
        let object = serde_json::from_value(object)?;
        self.kustomizations().create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Waits until the newest commit is applied and everything in it is healthy.
    pub(super) async fn wait_ready(&self, name: &str) -> Result<()> {
        let newest = self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.until(&format!("Kustomization {name} is Ready at {newest}"), async || {
            let object = self.kustomizations().get(name).await?;
            let (status, _, text) = ready(&object);
            let applied = &object.data["status"]["lastAppliedRevision"];
            ensure!(status == "True" && *applied == newest, "{text} (applied: {applied})");
            Ok(())
        })
        .await
    }

    /// Waits until the Kustomization is not Ready for this reason; the message.
    pub(super) async fn wait_unready(&self, name: &str, reason: &str) -> Result<String> {
        self.until(&format!("Kustomization {name} is not Ready: {reason}"), async || {
            let (status, why, text) = ready(&self.kustomizations().get(name).await?);
            ensure!(status == "False" && why == reason, "{status} {why} {text}");
            Ok(text)
        })
        .await
    }

    /// What of the applied objects the controller changed, in its own words: one map of object to `created`,
    /// `configured` or `unchanged` for each time that it looked.
    pub(super) fn applied(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let log = self.controller.log_text();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ours = lines.filter(|line| {
            line["msg"] == "server-side apply completed"
                && line["name"] == name
                && line["namespace"] == self.namespace
        });
        ours.filter_map(|line| serde_json::from_value(line["output"].clone()).ok()).collect()
    }

    /// Waits until the controller has looked so many times more; what it changed.
    pub(super) async fn wait_applied(
        &self,
        name: &str,
        times: usize,
    ) -> Result<Vec<BTreeMap<String, String>>> {
        let before = self.applied(name).len();
        self.until(&format!("{name} is applied {times} times more"), async || {
            let mut seen = self.applied(name);
            ensure!(seen.len() >= before + times, "{} times", seen.len() - before);
            Ok(seen.split_off(before))
        })
        .await
    }

    async fn until<T>(&self, what: &str, attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        let waited = wait_until(what, PATIENCE, attempt).await;
        waited.with_context(|| self.controller.last_lines(20))
    }
}

/// Status, reason and message of the condition Ready.
fn ready(object: &DynamicObject) -> (String, String, String) {
    let conditions = object.data["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let text = |key: &str| {
        let value = found.and_then(|condition| condition[key].as_str());
        value.unwrap_or_default().to_owned()
    };
    (text("status"), text("reason"), text("message"))
}
