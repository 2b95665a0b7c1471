//! The app measured: sign-up, search, PDFs, many people at once, many tenants; each beside its floor in the same run.
//!
//! In: a started stack with an operator. Out: [`Results`] and their [`fn@lines`]. A `world` is one namespace with one main
//! database and the app's own release binary on it; a `person` is a browser without a screen. `model` stands in for the
//! models and answers at once, so that what is measured is the app; `real` asks the real one too. It must not
//! measure anything while it prepares the next thing. `chat` is a part of its own.

mod bare;
pub(crate) mod chat;
mod copy;
mod crowd;
mod fleet;
mod ingest;
mod lines;
mod model;
mod pdf;
mod person;
mod real;
mod results;
mod sampler;
mod search;
mod sign_up;
mod words;
mod world;

use anyhow::Result;
use stack::{Stack, say};

use crate::Args;
use crate::machine;
use crate::parts::Parts;

pub(crate) use lines::{head, lines};
pub(crate) use results::Results;
use results::Setting;
use world::World;

/// How much of everything.
#[derive(Debug, Clone)]
struct Counts {
    repetitions: usize,
    sign_ups: usize,
    /// Of the tenants that are searched.
    passages: Vec<usize>,
    questions: usize,
    cold: usize,
    pages: usize,
    users: usize,
    rounds: usize,
    tenants: usize,
}

impl Counts {
    fn of(args: &Args) -> Self {
        let full = Self {
            repetitions: args.repetitions as usize,
            sign_ups: args.singles as usize,
            passages: vec![500, 5000],
            questions: 150,
            cold: 15,
            pages: args.pages as usize,
            users: 50,
            rounds: 20,
            tenants: args.tenants as usize,
        };
        if !args.quick {
            return full;
        }
        Self { passages: vec![100, 500], questions: 20, cold: 5, users: 10, rounds: 3, ..full }
    }
}

/// The whole bench of the app.
pub(crate) async fn all(
    stack: &Stack,
    parts: &Parts<'_>,
    args: &Args,
    release_build: bool,
) -> Result<Results> {
    let counts = Counts::of(args);
    let model = model::Model::start().await?;
    let setting = Setting {
        started: jiff::Timestamp::now().to_string(),
        release_build,
        processors: machine::processors(),
        repetitions: counts.repetitions,
        sign_ups: counts.sign_ups,
        questions: counts.questions,
        pages: counts.pages,
        users: counts.users,
        rounds: counts.rounds,
        tenants: counts.tenants,
        load: machine::load(),
    };
    say::line("   the app: sign-ups");
    let mut world = World::start(parts, "search").await?;
    let app = world.app("app-search", &model.settings(SMALL)).await?;
    let sign_ups = sign_up::measure(stack, parts, &mut world, &app, &counts).await?;
    say::line("   the app: searches");
    let searches = search::warm(parts, &mut world, &app, &counts).await?;
    say::line("   the app: many people at once");
    let (crowd, people) = crowd::measure(parts, &mut world, &app, &counts).await?;
    say::line("   the app: searches of tenants whose connections were closed");
    world::end(app).await?;
    let cold = search::cold(parts, &world, &model, &people, &counts).await?;
    world.leave().await?;
    say::line("   the app: PDFs");
    let mut ingests = Vec::new();
    for dimensions in [SMALL, BIG] {
        ingests.extend(ingest::measure(parts, &model, dimensions, &counts).await?);
    }
    say::line("   the app: many tenants");
    let fleet = fleet::measure(parts, &model, &counts).await?;
    say::line("   the app: the real model");
    let real = real::measure(parts, &counts).await?;
    Ok(Results { setting, sign_ups, searches, cold, crowd, ingests, fleet, real })
}

/// Dimensions of a small local model, and of a big remote one.
const SMALL: usize = 384;
const BIG: usize = 1536;
