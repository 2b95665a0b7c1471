//! SIGKILL around the operator's own writes to Kubernetes. In: a watch that strikes at the first sight of such a write. Out:
//! the same as ever: one project, Ready.

use std::fmt::Debug;

use acceptance::{PATIENCE, TestOperator};
use anyhow::{Context, Result, bail, ensure};
use crds::VectorTenant;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::case::{Case, TENANT};

/// Starts the operator, kills it at the first sight of what `probe` looks for, and starts it again.
async fn kill_at_sight<K: Clone + Debug + DeserializeOwned>(
    case: &Case,
    api: Api<K>,
    probe: impl Fn(&K) -> bool,
) -> Result<()> {
    let params = WatchParams::default();
    let events = api.watch(&params, "0").await?;
    pin_mut!(events);
    let strike = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event?
                && probe(&object)
            {
                case.kill9();
                return Ok(());
            }
        }
        bail!("the watch ended")
    };
    let (begun, struck) = tokio::join!(case.begin(), tokio::time::timeout(PATIENCE, strike));
    struck.context("it was never seen")??;
    begun?;
    case.begin().await.map(drop)
}

fn status(tenant: &VectorTenant) -> crds::VectorTenantStatus {
    tenant.status.clone().unwrap_or_default()
}

#[tokio::test]
async fn killed_right_after_the_finalizer_appears() -> Result<()> {
    let case = Case::new("kill-finalizer").await?;
    kill_at_sight(&case, case.tenants(), |tenant| !tenant.finalizers().is_empty()).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_right_after_the_intent_is_visible() -> Result<()> {
    let case = Case::new("kill-intent").await?;
    kill_at_sight(&case, case.tenants(), |tenant| status(tenant).creation.is_some()).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_right_after_the_secret_is_written() -> Result<()> {
    let case = Case::new("kill-secret").await?;
    let api: Api<Secret> = case.secrets();
    kill_at_sight(&case, api, |secret| secret.name_any().contains(TENANT)).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_right_after_the_project_is_bound() -> Result<()> {
    let case = Case::new("kill-bound").await?;
    kill_at_sight(&case, case.tenants(), |tenant| status(tenant).project_id.is_some()).await?;
    case.ends_well().await
}

#[tokio::test]
async fn killed_right_after_the_secret_of_a_new_name_is_written() -> Result<()> {
    let case = Case::ready(TestOperator::named("kill-secret-name")).await?;
    let old = case.binding(TENANT).await?.secret.name_any();
    case.end().await?;
    case.patch(TENANT, json!({"spec": {"secret": {"name": "renamed"}}})).await?;
    let api: Api<Secret> = case.secrets();
    kill_at_sight(&case, api, |secret| secret.name_any() == "renamed").await?;
    case.wait_tenant(TENANT, "the new name is told", |tenant| {
        status(tenant).binding.is_some_and(|binding| binding.name == "renamed")
    })
    .await?;
    ensure!(case.secrets().get_opt(&old).await?.is_none(), "the old one is still there");
    case.ends_well().await
}
