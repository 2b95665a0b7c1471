//! The way of each word from the model to the browser, while the model pauses after each.
//!
//! In: a world with an app, the model. Out: seconds from the moment at which the model sent a word to the moment at which the
//! browser had it; both are in this process, so one clock measures both. A word that waits for the next one takes as long as
//! the model's pause.

use anyhow::{Result, ensure};
use stack::App;
use uuid::Uuid;

use super::Counts;
use super::ask::ask;
use super::results::Ways;
use crate::app::copy;
use crate::app::model::Model;
use crate::app::words::Words;
use crate::app::world::{Resident, World};
use crate::parts::Parts;

/// Answers of either kind in a repetition.
const ANSWERS: usize = 10;

pub(super) async fn measure(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    (model, size): (&Model, (usize, usize)),
    counts: &Counts,
) -> Result<Vec<Ways>> {
    let resident = world.resident(app, "watcher").await?;
    copy::fill(world, &resident, size).await?;
    model.chat.pause(true);
    let mut words = Words::new(9);
    one(&resident, model, &mut words, (false, &mut Vec::new())).await?;
    let mut all = Vec::new();
    for _ in 0..counts.repetitions {
        parts.quiet().await;
        let mut ways = Ways::default();
        for _ in 0..ANSWERS {
            one(&resident, model, &mut words, (false, &mut ways.plain)).await?;
            one(&resident, model, &mut words, (true, &mut ways.gzip)).await?;
        }
        all.push(ways);
    }
    model.chat.pause(false);
    Ok(all)
}

async fn one(
    resident: &Resident,
    model: &Model,
    words: &mut Words,
    (with_gzip, ways): (bool, &mut Vec<f64>),
) -> Result<()> {
    let conversation = Uuid::new_v4().to_string();
    let heard = ask(&resident.person, &conversation, &words.question(), with_gzip).await?.words;
    let sent = model.chat.sent();
    ensure!(heard.len() == sent.len(), "{} words sent, {} heard", sent.len(), heard.len());
    ways.extend(heard.iter().zip(&sent).map(|(heard, sent)| (*heard - *sent).as_secs_f64()));
    Ok(())
}
