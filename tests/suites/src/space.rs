//! The tenants of one namespace, as their users see them.
//!
//! In: names and specs. Out: what the API server then has, and what it says against them. `waiting` waits for them,
//! `truth` knows what stands behind them. Nothing but this namespace is changed.

mod truth;
mod waiting;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use crds::{VectorTenant, VectorTenantStatus};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use stack::Child;

use crate::database::Binding;
use crate::emulator::Emulator;
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

    /// A namespace that is there, whoever serves it.
    pub async fn of(namespace: &str) -> Result<Self> {
        let world = world()?;
        let neon = Emulator::new(world.stack().neon_control_url())?;
        Ok(Self::new(namespace.to_owned(), world.client().await?, neon, Arc::default()))
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

    /// kubectl in this namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Output> {
        let mut command = world()?.kubectl();
        command.arg("--namespace").arg(&self.namespace).args(args);
        run(command).await
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
