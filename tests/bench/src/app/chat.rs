//! The chat measured: to the first source, to the first word, many people at once, growth, the way of each word.
//!
//! In: a started stack with an operator. Out: [`Results`] and their [`fn@lines`]. The models are the app bench's instrument, which
//! answers at once, so that what is measured is the app; only in `ways` it pauses. `ask` is a browser that hears an answer.

mod alone;
mod ask;
mod lines;
mod results;
mod together;
mod ways;

use std::time::Duration;

use anyhow::Result;
use stack::say;

use super::model::Model;
use super::world::{self, World};
use super::{BIG, SMALL};
use crate::Args;
use crate::machine;
use crate::parts::Parts;

pub(crate) use lines::{head, lines};
pub(crate) use results::Results;
use results::{Alone, Setting};

/// How much of everything.
#[derive(Debug, Clone)]
struct Counts {
    repetitions: usize,
    questions: usize,
    passages: usize,
    users: usize,
    /// How long a few people ask.
    seconds: Duration,
    /// How often each of many people asks.
    rounds: usize,
    /// Passages of the databases that show the growth.
    growth: Vec<usize>,
}

impl Counts {
    fn of(args: &Args) -> Self {
        let full = Self {
            repetitions: args.repetitions as usize,
            questions: 150,
            passages: 500,
            users: 50,
            seconds: Duration::from_secs(5),
            rounds: 20,
            growth: vec![500, 5_000, 50_000],
        };
        if !args.quick {
            return full;
        }
        let seconds = Duration::from_secs(2);
        let growth = vec![500, 2_000, 12_000];
        Self { questions: 20, passages: 100, users: 12, seconds, rounds: 4, growth, ..full }
    }
}

/// The whole bench of the chat.
pub(crate) async fn all(parts: &Parts<'_>, args: &Args, release_build: bool) -> Result<Results> {
    let counts = Counts::of(args);
    let model = Model::start().await?;
    let size = (counts.passages, BIG);
    let setting = Setting {
        started: jiff::Timestamp::now().to_string(),
        release_build,
        processors: machine::processors(),
        repetitions: counts.repetitions,
        questions: counts.questions,
        passages: counts.passages,
        dimensions: BIG,
        seconds: counts.seconds.as_secs_f64(),
        rounds: counts.rounds,
        load: machine::load(),
    };
    let mut world = World::start(parts, "chat").await?;
    let app = world.app("app-chat", &model.chat_settings(BIG)).await?;
    say::line("   the chat: one question at a time");
    let alone = alone::measure(parts, &mut world, &app, size, &counts).await?;
    say::line("   the chat: many people at once");
    let crowds = together::measure(parts, &mut world, &app, size, &counts).await?;
    say::line("   the chat: the way of each word");
    let ways = ways::measure(parts, &mut world, &app, (&model, size), &counts).await?;
    world::end(app).await?;
    world.leave().await?;
    say::line("   the chat: growth");
    let growth = growth(parts, &model, &counts).await?;
    Ok(Results { setting, alone, crowds, growth, ways })
}

/// The same question in ever bigger databases.
async fn growth(parts: &Parts<'_>, model: &Model, counts: &Counts) -> Result<Vec<Alone>> {
    let mut world = World::start(parts, "growth").await?;
    let app = world.app("app-growth", &model.chat_settings(SMALL)).await?;
    let mut all = Vec::new();
    for passages in counts.growth.iter().copied() {
        all.extend(alone::measure(parts, &mut world, &app, (passages, SMALL), counts).await?);
    }
    world::end(app).await?;
    world.leave().await?;
    Ok(all)
}
