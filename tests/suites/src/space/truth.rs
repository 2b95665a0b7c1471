//! What is true of a namespace's tenants beyond their objects: the emulator's ledger, and Events. In: the UIDs of all
//! tenants that were ever seen here. Out: only what concerns them, because all tests share one emulator.

use std::sync::PoisonError;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use super::{Space, uid};
use crate::emulator::Ledger;
use crate::world::world;

impl Space {
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
}
