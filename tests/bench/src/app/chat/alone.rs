//! Questions one at a time, each in a new conversation and beside its floors for the same question.
//!
//! In: a world with an app, how many passages of how many dimensions. Out: seconds to the first source, the first word and the
//! end; of the bare vector query and of the app's whole statement on an open connection. The app and its floors take turns in
//! going first.

use anyhow::{Result, ensure};
use stack::App;
use uuid::Uuid;

use super::Counts;
use super::ask::ask;
use super::results::Alone;
use crate::app::bare::{Bare, Nearest};
use crate::app::copy;
use crate::app::words::Words;
use crate::app::world::{Resident, World};
use crate::parts::Parts;

pub(super) async fn measure(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    (passages, dimensions): (usize, usize),
    counts: &Counts,
) -> Result<Vec<Alone>> {
    let resident = world.resident(app, &format!("asker-{passages}")).await?;
    let library = copy::fill(world, &resident, (passages, dimensions)).await?;
    let door = world.door(&resident).await?;
    let floors = Floors {
        nearest: Nearest::prepare(door.open_plain().await?, dimensions).await?,
        tuned: Nearest::prepare(door.open().await?, dimensions).await?,
        statement: Bare::prepare(door.open().await?, &library).await?,
    };
    let mut words = Words::new(passages as u64);
    // Caches fill, and the server settles on a plan.
    for number in 0..10 {
        let floor_first = usize::is_multiple_of(number, 2);
        one(&resident, &floors, &words.question(), (floor_first, &mut Alone::default())).await?;
    }
    let mut all = Vec::new();
    for repetition in 0..counts.repetitions {
        world.forget_conversations(&resident).await?;
        parts.quiet().await;
        let mut alone = Alone { passages, dimensions, ..Alone::default() };
        for number in 0..counts.questions {
            let floor_first = (repetition + number).is_multiple_of(2);
            one(&resident, &floors, &words.question(), (floor_first, &mut alone)).await?;
        }
        all.push(alone);
    }
    floors.close().await?;
    Ok(all)
}

/// What a question takes without the app.
struct Floors {
    /// The nearest vectors, as anybody would ask for them.
    nearest: Nearest,
    /// The same in a session with the app's settings.
    tuned: Nearest,
    /// The app's own statement.
    statement: Bare,
}

impl Floors {
    async fn ask(&self, question: &str, alone: &mut Alone) -> Result<()> {
        let nearest = self.nearest.ask(question).await?;
        let tuned = self.tuned.ask(question).await?;
        let statement = self.statement.ask(question).await?;
        ensure!(nearest.1 > 0 && statement.1 >= nearest.1, "the floors found nothing");
        alone.floor_nearest.push(nearest.0);
        alone.floor_tuned.push(tuned.0);
        alone.floor_statement.push(statement.0);
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.nearest.close().await?;
        self.tuned.close().await?;
        self.statement.close().await
    }
}

async fn one(
    resident: &Resident,
    floors: &Floors,
    question: &str,
    (floor_first, alone): (bool, &mut Alone),
) -> Result<()> {
    let conversation = Uuid::new_v4().to_string();
    if floor_first {
        floors.ask(question, alone).await?;
    }
    alone.answers.add(&ask(&resident.person, &conversation, question, false).await?);
    if !floor_first {
        floors.ask(question, alone).await?;
    }
    Ok(())
}
