//! People who chat at the same time, each with a database of their own.
//!
//! In: people, and for how long or how often they ask. Out: every answer's times, how many were no answer, the app's memory. Each
//! asks again as soon as the answer has ended: nobody reads.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;
use stack::App;
use uuid::Uuid;

use super::Counts;
use super::ask::ask;
use super::results::{Answers, Together};
use crate::app::copy;
use crate::app::words::Words;
use crate::app::world::{Resident, World, each};
use crate::machine;
use crate::parts::Parts;

/// As many as the example was measured with.
const FEW: usize = 10;

/// When a person stops to ask.
#[derive(Debug, Clone, Copy)]
enum Until {
    /// So much time has passed; each question is a new conversation.
    Passed(Duration),
    /// So many questions were asked; every other one is a follow-up, which the app has rewritten first.
    Asked(usize),
}

/// A few people, and many, in turn.
pub(super) async fn measure(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    (passages, dimensions): (usize, usize),
    counts: &Counts,
) -> Result<(Vec<Together>, Vec<Together>)> {
    let names: Vec<String> = (0..counts.users).map(|number| format!("crowd-{number}")).collect();
    let people = world.residents(app, &names).await?;
    let this = &*world;
    each(&people, async |resident: &Resident| {
        copy::fill(this, resident, (passages, dimensions)).await
    })
    .await?;
    let few = &people[..people.len().min(FEW)];
    together(app, &people, Until::Asked(2)).await?;
    let (mut all_few, mut all_many) = (Vec::new(), Vec::new());
    for _ in 0..counts.repetitions {
        forget(world, &people).await?;
        parts.quiet().await;
        all_few.push(together(app, few, Until::Passed(counts.seconds)).await?);
        forget(world, few).await?;
        parts.quiet().await;
        all_many.push(together(app, &people, Until::Asked(counts.rounds)).await?);
    }
    Ok((all_few, all_many))
}

async fn forget(world: &World<'_>, people: &[Resident]) -> Result<()> {
    let forgetting = async |resident: &Resident| world.forget_conversations(resident).await;
    each(people, forgetting).await.map(drop)
}

async fn together(app: &App, people: &[Resident], until: Until) -> Result<Together> {
    let started = Instant::now();
    let chats = people.iter().enumerate().map(|(number, resident)| {
        let words = Words::new(number as u64);
        chat(resident, words, started, until)
    });
    let chats = join_all(chats).await;
    let seconds = started.elapsed().as_secs_f64();
    let memory = machine::memory(app.process.pid())?;
    let (mut answers, mut failures) = (Answers::default(), 0);
    for (own, failed) in chats {
        answers.append(own);
        failures += failed;
    }
    Ok(Together { people: people.len(), seconds, answers, failures, memory })
}

/// What one person hears, and how often it was no answer.
async fn chat(
    resident: &Resident,
    mut words: Words,
    started: Instant,
    until: Until,
) -> (Answers, usize) {
    let (mut answers, mut failures, mut conversation) = (Answers::default(), 0, String::new());
    for number in 0_usize.. {
        let is_new = match until {
            Until::Passed(time) if started.elapsed() >= time => break,
            Until::Asked(count) if number >= count => break,
            Until::Passed(_) => true,
            Until::Asked(_) => number.is_multiple_of(2),
        };
        if is_new {
            conversation = Uuid::new_v4().to_string();
        }
        match ask(&resident.person, &conversation, &words.question(), false).await {
            Ok(heard) => answers.add(&heard),
            Err(error) => {
                stack::say::line(format!("{}: {error:#}", resident.person.name));
                failures += 1;
            }
        }
    }
    (answers, failures)
}
