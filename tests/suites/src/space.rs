//! The tenants of one namespace, as their users see them.
//!
//! In: names and specs. Out: what the API server then has, and waits that show the tenant and the operator's log when
//! they are in vain. It changes nothing but this namespace.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail, ensure};
use crds::{VectorTenant, VectorTenantStatus};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use stack::Child;

use crate::database::Binding;
use crate::emulator::{Emulator, Ledger};
use crate::wait::{PATIENCE, wait_until};
use crate::world::world;

/// Who writes specs here.
const USER: &str = "acceptance";

/// One namespace.
pub struct Space {
    pub namespace: String,
    pub client: Client,
    pub neon: Emulator,
    /// UIDs of all tenants that were ever seen here: they name the projects that are this test's.
    uids: Mutex<BTreeSet<String>>,
    /// The operator's processes, oldest first.
    pub(crate) operators: Arc<Mutex<Vec<Child>>>,
}

impl Space {
    pub(crate) fn new(
        namespace: String,
        client: Client,
        neon: Emulator,
        operators: Arc<Mutex<Vec<Child>>>,
    ) -> Self {
        Self { namespace, client, neon, uids: Mutex::default(), operators }
    }

    /// The tenants' API.
    pub fn tenants(&self) -> Api<VectorTenant> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Secrets' API.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn note(&self, tenant: VectorTenant) -> VectorTenant {
        let mut uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        uids.extend(tenant.uid());
        tenant
    }

    /// Applies a spec as `kubectl apply --server-side` does: what an earlier one had and this has not goes back to its
    /// default.
    pub async fn apply(&self, name: &str, spec: Value) -> Result<VectorTenant> {
        self.apply_object(name, json!({ "spec": spec })).await
    }

    /// Applies an object of which only `apiVersion`, `kind` and name are added here.
    pub async fn apply_object(&self, name: &str, mut object: Value) -> Result<VectorTenant> {
        object["apiVersion"] = json!("tenantry.dev/v1alpha1");
        object["kind"] = json!("VectorTenant");
        object["metadata"]["name"] = json!(name);
        let params = PatchParams::apply(USER).force();
        let applied = self.tenants().patch(name, &params, &Patch::Apply(&object)).await;
        Ok(self.note(applied.with_context(|| format!("apply {name}"))?))
    }

    /// Merges a patch into the object; null removes a field.
    pub async fn patch(&self, name: &str, patch: Value) -> Result<VectorTenant> {
        let patched =
            self.tenants().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        Ok(self.note(patched.with_context(|| format!("patch {name}"))?))
    }

    /// Applies a spec that the API server must refuse; what it says.
    pub async fn refused(&self, name: &str, spec: Value) -> Result<String> {
        match self.apply(name, spec.clone()).await {
            Ok(_) => bail!("{name} was taken, with spec {spec}"),
            Err(error) => refusal(error),
        }
    }

    /// Sets (or removes) an annotation.
    pub async fn annotate(&self, name: &str, key: &str, value: Option<&str>) -> Result<()> {
        self.patch(name, json!({"metadata": {"annotations": {key: value}}})).await.map(drop)
    }

    /// The tenant as the API server has it.
    pub async fn tenant(&self, name: &str) -> Result<VectorTenant> {
        let found = self.tenants().get(name).await;
        Ok(self.note(found.with_context(|| format!("get {name}"))?))
    }

    /// All tenants of the namespace.
    pub async fn list(&self) -> Result<Vec<VectorTenant>> {
        let all = self.tenants().list(&ListParams::default()).await?;
        Ok(all.into_iter().map(|tenant| self.note(tenant)).collect())
    }

    /// The status, empty where there is none.
    pub async fn status(&self, name: &str) -> Result<VectorTenantStatus> {
        Ok(self.tenant(name).await?.status.unwrap_or_default())
    }

    /// Deletes the tenant and returns at once.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let deleted = self.tenants().delete(name, &DeleteParams::default()).await;
        deleted.map(drop).with_context(|| format!("delete {name}"))
    }

    /// Waits, and shows the tenant (where one is named) and the operator's last words if in vain.
    pub async fn until<T>(
        &self,
        what: &str,
        name: Option<&str>,
        attempt: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        match wait_until(what, PATIENCE, attempt).await {
            Ok(value) => Ok(value),
            Err(error) => Err(anyhow!("{error:#}\n{}", self.diagnosis(name).await)),
        }
    }

    /// Waits until the tenant's spec, as it is now, has been carried out and its database can be used.
    pub async fn wait_ready(&self, name: &str) -> Result<VectorTenant> {
        self.until(&format!("{name} is Ready"), Some(name), async || {
            let tenant = self.tenant(name).await?;
            let ready = condition(&tenant, "Ready")?;
            let settled = condition(&tenant, "Reconciling")?;
            let current = tenant.metadata.generation;
            let done = ready.status == "True"
                && settled.status == "False"
                && condition(&tenant, "Stalled")?.status == "False"
                && tenant.status.as_ref().and_then(|s| s.observed_generation) == current;
            ensure!(done, "{}", summary(&tenant));
            Ok(tenant)
        })
        .await
    }

    /// Waits until the condition has that status and reason.
    pub async fn wait_condition(
        &self,
        name: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Result<Condition> {
        let what = format!("{name} has {kind}={status} {reason}");
        self.until(&what, Some(name), async || {
            let tenant = self.tenant(name).await?;
            let found = condition(&tenant, kind)?;
            ensure!(found.status == status && found.reason == reason, "{}", summary(&tenant));
            Ok(found)
        })
        .await
    }

    /// Waits until there is no such tenant.
    pub async fn wait_gone(&self, name: &str) -> Result<()> {
        self.until(&format!("{name} is gone"), Some(name), async || {
            let left = self.tenants().get_opt(name).await?;
            ensure!(left.is_none(), "{}", left.as_ref().map(summary).unwrap_or_default());
            Ok(())
        })
        .await
    }

    /// Waits until `probe` says yes about the tenant.
    pub async fn wait_tenant(
        &self,
        name: &str,
        what: &str,
        probe: impl Fn(&VectorTenant) -> bool,
    ) -> Result<VectorTenant> {
        self.until(&format!("{name}: {what}"), Some(name), async || {
            let tenant = self.tenant(name).await?;
            ensure!(probe(&tenant), "{}", summary(&tenant));
            Ok(tenant)
        })
        .await
    }

    /// The connection Secret that the tenant's status names.
    pub async fn binding(&self, name: &str) -> Result<Binding> {
        let status = self.status(name).await?;
        let binding = status.binding.with_context(|| format!("{name} names no Secret"))?;
        self.secret(&binding.name).await
    }

    /// A Secret by its own name.
    pub async fn secret(&self, name: &str) -> Result<Binding> {
        let found = self.secrets().get(name).await;
        Binding::new(found.with_context(|| format!("get Secret {name}"))?)
    }

    /// What the emulator committed for the tenants that were ever seen here, and what of it stands.
    pub async fn ledger(&self) -> Result<Ledger> {
        Ok(self.neon.ledger().await?.of(&self.project_names()?))
    }

    /// Names of the projects of all tenants that were ever seen here.
    pub fn project_names(&self) -> Result<Vec<String>> {
        let world = world()?;
        let uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(uids.iter().map(|uid| world.project_name(uid)).collect())
    }

    /// Each tenant that is here has exactly one standing project, and no other project stands.
    pub async fn assert_one_project_each(&self) -> Result<()> {
        let world = world()?;
        let tenants = self.list().await?;
        let expected: Vec<String> = tenants.iter().map(|t| world.project_name(&uid(t))).collect();
        let ledger = self.ledger().await?;
        let (orphans, duplicates) = (ledger.orphans(&expected), ledger.duplicates());
        ensure!(orphans.is_empty(), "orphans: {orphans:?}");
        ensure!(duplicates.is_empty(), "duplicates: {duplicates:?}");
        let (standing, wanted) = (ledger.standing.len(), expected.len());
        ensure!(standing == wanted, "{standing} projects stand for {wanted} tenants");
        Ok(())
    }

    /// Events about the tenant, as (type, reason, note).
    pub async fn events(&self, name: &str) -> Result<Vec<(String, String, String)>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = events.list(&ListParams::default()).await?;
        let about = all.into_iter().filter(|event| {
            event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name)
        });
        let text = Option::unwrap_or_default;
        Ok(about.map(|event| (text(event.type_), text(event.reason), text(event.note))).collect())
    }

    /// Waits for an Event about the tenant; its note.
    pub async fn wait_event(&self, name: &str, reason: &str) -> Result<String> {
        self.until(&format!("an Event {reason} about {name}"), None, async || {
            let events = self.events(name).await?;
            let found = events.iter().find(|(_, told, _)| told == reason);
            found.map(|(_, _, note)| note.clone()).with_context(|| format!("{events:?}"))
        })
        .await
    }

    /// kubectl in this namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Output> {
        let mut command = world()?.kubectl();
        command.arg("--namespace").arg(&self.namespace).args(args);
        run(command).await
    }

    /// The tenant's YAML and the operator's last words.
    pub async fn diagnosis(&self, name: Option<&str>) -> String {
        let mut text = String::new();
        if let Some(name) = name {
            let args = ["get", "vt", name, "-o", "yaml"];
            let yaml = self.kubectl(&args).await.map_or_else(|e| format!("{e:#}"), |o| o.text);
            text = format!("--- {}/{name}\n{yaml}\n", self.namespace);
        }
        let operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        for child in operators.iter().rev().take(2) {
            text += &format!("--- {}\n{}\n", child.epitaph(), child.last_lines(40));
        }
        text
    }
}

/// What the API server says against an object.
fn refusal(error: anyhow::Error) -> Result<String> {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if status.code == 422 => Ok(status.message.clone()),
        _ => Err(error.context("this is no refusal")),
    }
}

/// A program's end.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    /// Standard output.
    pub text: String,
    /// Standard error.
    pub error: String,
}

impl Output {
    /// Standard output of a success.
    pub fn success(self) -> Result<String> {
        ensure!(self.code == Some(0), "ended with {:?}: {}{}", self.code, self.text, self.error);
        Ok(self.text)
    }
}

/// Runs a program to its end.
pub async fn run(command: Command) -> Result<Output> {
    let mut command = tokio::process::Command::from(command);
    let output =
        command.kill_on_drop(true).output().await.with_context(|| format!("{command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Ok(Output {
        code: output.status.code(),
        text: text(&output.stdout),
        error: text(&output.stderr),
    })
}

/// The tenant's UID.
#[must_use]
pub fn uid(tenant: &VectorTenant) -> String {
    tenant.uid().unwrap_or_default()
}

/// The project that the tenant is bound to.
pub fn project_id(tenant: &VectorTenant) -> Result<String> {
    let id = tenant.status.as_ref().and_then(|status| status.project_id.clone());
    id.with_context(|| format!("{} names no project", tenant.name_any()))
}

/// A condition by its type.
pub fn condition(tenant: &VectorTenant, kind: &str) -> Result<Condition> {
    let conditions = tenant.status.iter().flat_map(|status| &status.conditions);
    let found = conditions.into_iter().find(|condition| condition.type_ == kind);
    found.cloned().with_context(|| format!("no condition {kind}"))
}

/// Generations and conditions in one line.
#[must_use]
pub fn summary(tenant: &VectorTenant) -> String {
    let status = tenant.status.clone().unwrap_or_default();
    let said = status
        .conditions
        .iter()
        .map(|c| format!("{}={} {} ({})", c.type_, c.status, c.reason, c.message));
    let said: Vec<String> = said.collect();
    let (seen, now) = (status.observed_generation, tenant.metadata.generation);
    format!("generation {now:?}, observed {seen:?}: {}", said.join("; "))
}
