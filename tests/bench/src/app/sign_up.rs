//! People who sign up one at a time, each beside the floor of the same database by bare SQL.
//!
//! In: a world with an app. Out: seconds from the click to the answer, to the database being Ready, to the page saying so.

use std::time::Instant;

use anyhow::Result;
use stack::{App, Stack};

use super::Counts;
use super::person::Person;
use super::results::SignUps;
use super::world::World;
use crate::floor::{Floor, Lane};
use crate::parts::Parts;

pub(super) async fn measure(
    stack: &Stack,
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    counts: &Counts,
) -> Result<Vec<SignUps>> {
    let floor = Floor::of(stack)?;
    let lane = floor.lane().await?;
    // The first of everything pays for connections and code that is not in memory yet.
    one(world, app, "warm-up", &mut SignUps::default()).await?;
    let mut all = Vec::new();
    for repetition in 0..counts.repetitions {
        let mut sign_ups = SignUps::default();
        for number in 0..counts.sign_ups {
            let name = format!("single-{repetition}-{number}");
            let floor_first = (repetition + number).is_multiple_of(2);
            if floor_first {
                bare(parts, &lane, &name, &mut sign_ups).await?;
            }
            settle(parts, &lane).await?;
            one(world, app, &name, &mut sign_ups).await?;
            if !floor_first {
                bare(parts, &lane, &name, &mut sign_ups).await?;
            }
        }
        all.push(sign_ups);
    }
    Ok(all)
}

async fn settle(parts: &Parts<'_>, lane: &Lane<'_>) -> Result<()> {
    lane.checkpoint().await?;
    parts.quiet().await;
    Ok(())
}

async fn bare(
    parts: &Parts<'_>,
    lane: &Lane<'_>,
    name: &str,
    sign_ups: &mut SignUps,
) -> Result<()> {
    settle(parts, lane).await?;
    sign_ups.floor.push(lane.make(name).await?);
    lane.unmake(name).await
}

async fn one(world: &mut World<'_>, app: &App, name: &str, sign_ups: &mut SignUps) -> Result<()> {
    let clicked = Instant::now();
    let (person, answered) = Person::sign_up(&world.http, &app.url, name).await?;
    let page = person.clone();
    let shown = tokio::spawn(async move { page.told_ready().await });
    let resident = world.of(person).await?;
    let ready = world.ready(&resident).await?;
    let shown = shown.await??;
    sign_ups.answered.push(answered);
    sign_ups.ready.push((ready - clicked).as_secs_f64());
    sign_ups.shown.push((shown - clicked).as_secs_f64());
    Ok(())
}
