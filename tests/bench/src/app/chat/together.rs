//! People who chat at the same time, each with a database of their own.
//!
//! In: people, and for how long or how often they ask. Out: every answer's times, how many were no answer, the app's memory. Each
//! asks again as soon as the answer has ended, and nobody reads; or all ask no more often than another server could answer, so that
//! two are compared under the same load.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;
use stack::App;
use uuid::Uuid;

use super::Counts;
use super::ask::ask;
use super::lines::EXAMPLE_BEST;
use super::results::{Answers, Crowds, Together};
use crate::app::copy;
use crate::app::words::{Words, mix};
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
    /// The same, but after pauses: so many questions a second come from all together, each at a moment of its own.
    Paced(Duration, f64),
    /// So many questions were asked; every other one is a follow-up, which the app has rewritten first.
    Asked(usize),
}

/// A few people, the same at the example's pace, and many, in turn.
pub(super) async fn measure(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    (passages, dimensions): (usize, usize),
    counts: &Counts,
) -> Result<Crowds> {
    let names: Vec<String> = (0..counts.users).map(|number| format!("crowd-{number}")).collect();
    let people = world.residents(app, &names).await?;
    let this = &*world;
    each(&people, async |resident: &Resident| {
        copy::fill(this, resident, (passages, dimensions)).await
    })
    .await?;
    let few = &people[..people.len().min(FEW)];
    together(app, &people, Until::Asked(2)).await?;
    let mut all = Crowds::default();
    for _ in 0..counts.repetitions {
        forget(world, &people).await?;
        parts.quiet().await;
        all.few.push(together(app, few, Until::Passed(counts.seconds)).await?);
        forget(world, few).await?;
        parts.quiet().await;
        all.paced.push(together(app, few, Until::Paced(counts.seconds, EXAMPLE_BEST)).await?);
        forget(world, few).await?;
        parts.quiet().await;
        all.many.push(together(app, &people, Until::Asked(counts.rounds)).await?);
    }
    Ok(all)
}

async fn forget(world: &World<'_>, people: &[Resident]) -> Result<()> {
    let forgetting = async |resident: &Resident| world.forget_conversations(resident).await;
    each(people, forgetting).await.map(drop)
}

async fn together(app: &App, people: &[Resident], until: Until) -> Result<Together> {
    let started = Instant::now();
    let chats = people.iter().enumerate().map(|(number, resident)| {
        let until = match until {
            Until::Paced(time, rate) => Until::Paced(time, rate / people.len() as f64),
            Until::Passed(_) | Until::Asked(_) => until,
        };
        chat(resident, number as u64, started, until)
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
async fn chat(resident: &Resident, seed: u64, started: Instant, until: Until) -> (Answers, usize) {
    let (mut answers, mut failures, mut conversation) = (Answers::default(), 0, String::new());
    let (mut words, mut due) = (Words::new(seed), started);
    for number in 0_usize.. {
        if let Until::Paced(_, rate) = until {
            due += pause(mix(seed) ^ number as u64, rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let is_new = match until {
            Until::Passed(time) | Until::Paced(time, _) if started.elapsed() >= time => break,
            Until::Asked(count) if number >= count => break,
            Until::Passed(_) | Until::Paced(_, _) => true,
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

/// Until the next of questions that come by chance, so many a second (a Poisson process).
fn pause(seed: u64, rate: f64) -> Duration {
    // Above 0, up to 1.
    let share = ((mix(seed) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    Duration::from_secs_f64(-share.ln() / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_by_chance_and_at_the_rate_that_was_asked_for() {
        let pauses = || (0..10_000).map(|number| pause(number, 6.2));
        let mean = pauses().sum::<Duration>().as_secs_f64() / 10_000.0;
        assert!((0.155..0.167).contains(&mean), "{mean}");
        let short = pauses().filter(|pause| pause.as_secs_f64() < mean).count();
        assert!(
            (6_200..6_450).contains(&short),
            "{short}: 1 - 1/e of them are shorter than the mean"
        );
    }
}
