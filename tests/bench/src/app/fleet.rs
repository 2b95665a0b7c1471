//! The memory of an app with many active tenants: each has signed up and searched once, so each has an open pool.
//!
//! In: the parts. Out: memory before and after, and how many pools the app says it has. It is measured once: it does not vary much.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::model::Model;
use super::results::Fleet;
use super::words::Words;
use super::world::{self, Resident, World, each, metric};
use super::{Counts, SMALL, copy};
use crate::machine;
use crate::parts::Parts;

const PASSAGES: usize = 20;
const LATER: Duration = Duration::from_secs(1);

pub(super) async fn measure(parts: &Parts<'_>, model: &Model, counts: &Counts) -> Result<Fleet> {
    let mut world = World::start(parts, "fleet").await?;
    let mut settings = model.settings(SMALL);
    // As many as there are tenants, whatever was asked for; the default otherwise.
    settings.push(("TENANT_POOLS", counts.tenants.max(200).to_string()));
    let app = world.app("app-fleet", &settings).await?;
    let at_start = machine::memory(app.process.pid())?;
    let names: Vec<String> = (0..counts.tenants).map(|number| format!("member-{number}")).collect();
    // What the world before left is being taken away.
    parts.quiet().await;
    let started = Instant::now();
    let residents = world.residents(&app, &names).await?;
    let sign_up = started.elapsed().as_secs_f64();
    let this = &world;
    each(&residents, async |resident: &Resident| {
        copy::fill(this, resident, (PASSAGES, SMALL)).await
    })
    .await?;
    each(&residents, async |resident: &Resident| {
        let mut words = Words::new(resident.tenant.as_u64_pair().0);
        resident.person.search(&words.question()).await
    })
    .await?;
    let active = machine::memory(app.process.pid())?;
    // The app counts its pools behind the requests that use them.
    tokio::time::sleep(LATER).await;
    residents[0].person.search("a question").await?;
    let pools = metric(&world.http, &app, "tenantry_app_tenant_pools").await?;
    world::end(app).await?;
    world.leave().await?;
    Ok(Fleet { tenants: counts.tenants, sign_up, at_start, active, pools })
}
