//! What becomes of a test's leftovers: nobody waits for it, and nobody minds when the process ends first.
//!
//! In: namespaces whose operator has ended. Out: their projects deleted, their tenants let go, the namespaces deleted. Each
//! project's database takes memory, so that a long run would else need more and more. Errors are not told.

use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use anyhow::Result;
use crds::VectorTenant;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::emulator::Emulator;
use crate::world::world;

/// Hands namespaces to the cleaner.
pub(crate) fn leave(namespaces: Vec<String>) {
    static CLEANER: OnceLock<Sender<Vec<String>>> = OnceLock::new();
    let cleaner = CLEANER.get_or_init(|| {
        let (orders, inbox) = channel::<Vec<String>>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            for namespaces in inbox {
                let _ = runtime.block_on(clean(&namespaces));
            }
            anyhow::Ok(())
        });
        orders
    });
    let _ = cleaner.send(namespaces);
}

async fn clean(namespaces: &[String]) -> Result<()> {
    let world = world()?;
    let client = world.client().await?;
    let neon = Emulator::new(world.stack().neon_control_url())?;
    for namespace in namespaces {
        let all: Api<Namespace> = Api::all(client.clone());
        let _ = all.delete(namespace, &DeleteParams::background()).await;
        let tenants: Api<VectorTenant> = Api::namespaced(client.clone(), namespace);
        for tenant in tenants.list(&ListParams::default()).await? {
            if let Some(project) = tenant.status.as_ref().and_then(|s| s.project_id.as_deref()) {
                let _ = neon.on_project(project, "delete", json!({})).await;
            }
            let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            let _ = tenants.patch(&tenant.name_any(), &PatchParams::default(), &patch).await;
        }
    }
    Ok(())
}
