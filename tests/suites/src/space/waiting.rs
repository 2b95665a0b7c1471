//! Waits for tenants; in vain, they show the tenant and the operator's last words. In: a name and a condition. Out: what
//! was waited for. Nothing is changed here.

use std::sync::PoisonError;

use anyhow::{Result, anyhow, ensure};
use crds::VectorTenant;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Space, condition, summary};
use crate::wait::{PATIENCE, wait_until};

/// Whether the tenant's spec, as it is now, has been carried out and its database can be used.
fn is_done(tenant: &VectorTenant) -> bool {
    let has = |kind, status| condition(tenant, kind).is_ok_and(|found| found.status == status);
    let seen = tenant.status.as_ref().and_then(|status| status.observed_generation);
    let whole = has("Ready", "True") && has("Reconciling", "False") && has("Stalled", "False");
    whole && seen == tenant.metadata.generation
}

impl Space {
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
        self.wait_tenant(name, "Ready", is_done).await
    }

    /// Waits until there are so many tenants and all of them are done.
    pub async fn wait_all_ready(&self, count: usize) -> Result<Vec<VectorTenant>> {
        self.until(&format!("{count} tenants are Ready"), None, async || {
            let tenants = self.list().await?;
            let waiting: Vec<String> =
                tenants.iter().filter(|t| !is_done(t)).map(summary).collect();
            let (done, first) = (tenants.len() - waiting.len(), waiting.first());
            ensure!(
                done == count,
                "{done} are, {} are not; one of these: {first:?}",
                waiting.len()
            );
            Ok(tenants)
        })
        .await
    }

    /// Waits until the namespace has no tenant.
    pub async fn wait_all_gone(&self) -> Result<()> {
        self.until("all tenants are gone", None, async || {
            let left = self.list().await?;
            ensure!(left.is_empty(), "{}; one of these: {}", left.len(), summary(&left[0]));
            Ok(())
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
