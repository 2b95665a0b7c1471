//! The same with the real model of the stack, for information: what a person on one machine without an account meets.
//!
//! In: a stack with models. Out: a PDF's time to its passages, and searches. There is no target: the model is not ours.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Counts;
use super::pdf;
use super::results::Real;
use super::words::Words;
use super::world::{self, World};
use crate::parts::Parts;

const PAGES: usize = 20;

pub(super) async fn measure(parts: &Parts<'_>, counts: &Counts) -> Result<Real> {
    let mut world = World::start(parts, "real").await?;
    let app = world.app("app-real", &[]).await?;
    let resident = world.resident(&app, "reader").await?;
    let pages = PAGES.min(counts.pages);
    let file = pdf::pdf(pages, 2)?;
    parts.quiet().await;
    let started = Instant::now();
    let document = resident.person.upload(file).await?;
    world.searchable(&document).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (mut words, mut searches) = (Words::new(3), Vec::new());
    for _ in 0..counts.questions.min(30) {
        let (seconds, hits) = resident.person.search(&words.question()).await?;
        ensure!(hits > 0, "nothing was found");
        searches.push(seconds);
    }
    world::end(app).await?;
    world.leave().await?;
    let model = parts.stack.embeddings().model.clone();
    Ok(Real { model, pages, seconds, searches })
}
