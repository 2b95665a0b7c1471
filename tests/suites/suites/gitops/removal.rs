//! Removal from git: the object goes, and with it the project, unless the tenant or an annotation says otherwise.
//!
//! In: four tenants, three of which leave git. Out: what is gone from the cluster, and from Neon.

use std::collections::BTreeMap;

use acceptance::{TestOperator, project_id};
use anyhow::{Result, ensure};
use serde_json::json;

use super::examples;
use super::flux::Flux;

#[tokio::test]
async fn a_tenant_that_leaves_git_goes_as_it_was_declared() -> Result<()> {
    let t = TestOperator::start("gitops-removal").await?;
    let Some(flux) = Flux::start("removal", &t).await? else { return Ok(()) };
    let file = |name: &str, spec: &str| {
        (format!("tenants/{name}.yaml"), examples::tenant(&t.namespace, name, spec))
    };
    let mut files = BTreeMap::from([file("goes", "{}"), file("kept", "{deletionPolicy: Retain}")]);
    files.extend([file("stays", "{}"), file("pinned", "{}")]);
    let pinned = files.entry("tenants/pinned.yaml".to_owned()).or_default();
    let annotation = "metadata: {annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}, ";
    *pinned = pinned.replace("metadata: {", annotation);
    flux.push(&files).await?;
    flux.follow("tenants", "tenants", json!({})).await?;
    flux.wait_ready("tenants").await?;
    t.wait_all_ready(4).await?;
    let mut projects = BTreeMap::new();
    for name in ["goes", "kept", "stays", "pinned"] {
        projects.insert(name, project_id(&t.tenant(name).await?)?);
    }

    files.retain(|path, _| path.contains("stays"));
    flux.push(&files).await?;
    flux.wait_ready("tenants").await?;
    t.wait_gone("goes").await?;
    t.wait_gone("kept").await?;
    let left = t.wait_all_ready(2).await?;
    let names: Vec<_> = left.iter().filter_map(|left| left.metadata.name.as_deref()).collect();
    assert_eq!(names, ["pinned", "stays"]);
    let standing = t.ledger().await?.standing;
    let stands = |name| standing.iter().any(|project| project.project_id == projects[name]);
    ensure!(!stands("goes"), "its project is still there");
    ensure!(stands("kept") && stands("stays") && stands("pinned"), "{standing:?}");
    t.neon.on_project(&projects["kept"], "delete", json!({})).await.map(drop)
}
