//! Many people at once, each with a database of their own: list, search, document page, round after round.
//!
//! In: a world with an app. Out: every answer's time, and how many were no answer. The floor is as many bare search statements
//! at once. The people stay, for whoever needs them next.

use std::time::Instant;

use anyhow::Result;
use futures::future::{join_all, try_join_all};
use stack::App;

use super::bare::Bare;
use super::copy::{self, Library};
use super::results::Crowd;
use super::words::Words;
use super::world::{self, Resident, World};
use super::{Counts, SMALL};
use crate::parts::Parts;

/// In each one's database.
const PASSAGES: usize = 100;

type People = Vec<(Resident, Library)>;

pub(super) async fn measure(
    parts: &Parts<'_>,
    world: &mut World<'_>,
    app: &App,
    counts: &Counts,
) -> Result<(Vec<Crowd>, People)> {
    let names: Vec<String> = (0..counts.users).map(|number| format!("crowd-{number}")).collect();
    let residents = world.residents(app, &names).await?;
    let this = &*world;
    let people: People = world::each(residents, async |resident: Resident| {
        let library = copy::fill(this, &resident, (PASSAGES, SMALL)).await?;
        Ok((resident, library))
    })
    .await?;
    let bare = world::each(&people, async |(resident, library): &(Resident, Library)| {
        Bare::prepare(this.door(resident).await?.open().await?, library).await
    })
    .await?;
    rounds(&people, 1).await;
    floor(&bare, 1).await?;
    let mut all = Vec::new();
    for repetition in 0..counts.repetitions {
        let mut floors = Vec::new();
        if repetition.is_multiple_of(2) {
            parts.quiet().await;
            floors = floor(&bare, counts.rounds).await?;
        }
        parts.quiet().await;
        let mut crowd = rounds(&people, counts.rounds).await;
        if floors.is_empty() {
            parts.quiet().await;
            floors = floor(&bare, counts.rounds).await?;
        }
        crowd.floor_search = floors;
        all.push(crowd);
    }
    try_join_all(bare.into_iter().map(Bare::close)).await?;
    Ok((all, people))
}

async fn rounds(people: &People, rounds: usize) -> Crowd {
    let started = Instant::now();
    let each = people.iter().enumerate().map(async |(number, (resident, library))| {
        let (mut crowd, mut words) = (Crowd::default(), Words::new(number as u64));
        let person = &resident.person;
        let page = format!("/documents/{}", library.documents[0]);
        for _ in 0..rounds {
            let (list, found, page) = (
                person.get("/documents/list").await.map(|(seconds, _)| seconds),
                person.search(&words.question()).await.map(|(seconds, _)| seconds),
                person.get(&page).await.map(|(seconds, _)| seconds),
            );
            for (answer, times) in
                [(list, &mut crowd.list), (found, &mut crowd.search), (page, &mut crowd.page)]
            {
                match answer {
                    Ok(seconds) => times.push(seconds),
                    Err(error) => {
                        stack::say::line(format!("{}: {error:#}", person.name));
                        crowd.errors += 1;
                    }
                }
            }
        }
        crowd
    });
    let each = join_all(each).await;
    let mut all = Crowd { seconds: started.elapsed().as_secs_f64(), ..Crowd::default() };
    for crowd in each {
        all.list.extend(crowd.list);
        all.search.extend(crowd.search);
        all.page.extend(crowd.page);
        all.errors += crowd.errors;
    }
    all
}

async fn floor(bare: &[Bare], rounds: usize) -> Result<Vec<f64>> {
    let each = bare.iter().enumerate().map(async |(number, bare)| {
        let (mut times, mut words) = (Vec::new(), Words::new(number as u64));
        for _ in 0..rounds {
            times.push(bare.ask(&words.question()).await?.0);
        }
        anyhow::Ok(times)
    });
    Ok(try_join_all(each).await?.into_iter().flatten().collect())
}
