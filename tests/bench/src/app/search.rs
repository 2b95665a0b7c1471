//! Searches one at a time, each beside the bare statement for the same question.
//!
//! In: a world with an app. Out: seconds from the request to the last byte of the page. Warm: connections are open. Cold: the
//! app's pool of that tenant was closed, so the Secret is read and a connection made; its floor is a new connection, too.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stack::App;

use super::bare::Bare;
use super::copy::{self, Library};
use super::model::Model;
use super::results::Searches;
use super::words::Words;
use super::world::{self, Resident, World};
use super::{Counts, SMALL};
use crate::parts::{Parts, until};

/// Passages on a page of the app.
const SHOWN: usize = 10;
/// Until an app that is measured cold closes connections; it forgets a pool after twice this time.
const IDLE: Duration = Duration::from_millis(300);

pub(super) async fn warm(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    counts: &Counts,
) -> Result<Vec<Searches>> {
    let mut all = Vec::new();
    for passages in counts.passages.iter().copied() {
        let resident = world.resident(app, &format!("reader-{passages}")).await?;
        let library = copy::fill(world, &resident, (passages, SMALL)).await?;
        let session = world.door(&resident).await?.open().await?;
        let bare = Bare::prepare(session, &library).await?;
        let mut words = Words::new(passages as u64);
        // Caches fill, and the server settles on a plan.
        for _ in 0..10 {
            both(&resident, &bare, &words.question(), (true, &mut Searches::default())).await?;
        }
        for repetition in 0..counts.repetitions {
            parts.quiet().await;
            let mut searches = Searches { passages, ..Searches::default() };
            for number in 0..counts.questions {
                let floor_first = (repetition + number).is_multiple_of(2);
                both(&resident, &bare, &words.question(), (floor_first, &mut searches)).await?;
            }
            all.push(searches);
        }
        bare.close().await?;
    }
    Ok(all)
}

async fn both(
    resident: &Resident,
    bare: &Bare,
    question: &str,
    (floor_first, searches): (bool, &mut Searches),
) -> Result<()> {
    let (seconds, hits, floor, rows);
    if floor_first {
        (floor, rows) = bare.ask(question).await?;
        (seconds, hits) = resident.person.search(question).await?;
    } else {
        (seconds, hits) = resident.person.search(question).await?;
        (floor, rows) = bare.ask(question).await?;
    }
    expect_the_best(hits, rows)?;
    searches.seconds.push(seconds);
    searches.floor.push(floor);
    Ok(())
}

/// The page shows the best of what the statement finds; the passages here are all different.
fn expect_the_best(hits: usize, rows: usize) -> Result<()> {
    ensure!(hits > 0 && hits == rows.min(SHOWN), "{hits} passages on the page, {rows} candidates");
    Ok(())
}

pub(super) async fn cold(
    parts: &Parts<'_>,
    world: &World<'_>,
    model: &Model,
    people: &[(Resident, Library)],
    counts: &Counts,
) -> Result<Vec<Searches>> {
    let mut settings = model.settings(SMALL);
    settings.push(("TENANT_IDLE_SECONDS", IDLE.as_secs_f64().to_string()));
    let app = world.app("app-cold", &settings).await?;
    let admin = world.admin().await?;
    let mut words = Words::new(1);
    let mut all = Vec::new();
    // The first time is for the app's own connections.
    for repetition in 0..=counts.repetitions {
        let mut searches = Searches::default();
        for (resident, library) in people.iter().take(counts.cold) {
            let door = world.door(resident).await?;
            let question = words.question();
            parts.quiet().await;
            let (seconds, hits) = resident.person.at(&app.url).search(&question).await?;
            let started = Instant::now();
            let bare = Bare::prepare(door.open().await?, library).await?;
            let (_, rows) = bare.ask(&question).await?;
            searches.floor.push(started.elapsed().as_secs_f64());
            bare.close().await?;
            expect_the_best(hits, rows)?;
            searches.seconds.push(seconds);
        }
        tokio::time::sleep(IDLE * 3).await;
        until("the app to close its connections", async || {
            Ok((world.app_sessions(&admin).await? == 0).then_some(()))
        })
        .await?;
        if repetition > 0 {
            all.push(searches);
        }
    }
    admin.close().await?;
    world::end(app).await?;
    Ok(all)
}
