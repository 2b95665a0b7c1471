//! The order of a run: the measured thing and its floor in turn, on a machine that is quiet before each.
//!
//! In: a started stack, flags. Out: [`Results`]. Within a repetition each tenant made alone has its floor beside it; then
//! many at once and their floor, each from an empty server to an empty server. Which of the two comes first changes from
//! one to the next, so that neither always finds the warmer caches.

use anyhow::Result;
use stack::{Stack, say};

use crate::Args;
use crate::floor::{Floor, Lane, share};
use crate::machine::{self, Memory, Usage, Used};
use crate::parts::Parts;
use crate::results::{Many, One, Repetition, Results, Setting};
use crate::scrape::Phase;

/// The floor's connections where many are made at once.
const LANES: usize = 4;

/// The operator's bench.
pub(crate) async fn all(
    stack: &Stack,
    parts: &mut Parts<'_>,
    args: &Args,
    release_build: bool,
) -> Result<Results> {
    let setting = Setting {
        started: jiff::Timestamp::now().to_string(),
        release_build,
        processors: machine::processors(),
        tenants: args.tenants as usize,
        singles: args.singles as usize,
        floor_connections: LANES,
        operator_args: args.operator_args.clone(),
        emulator_args: args.emulator_args.clone(),
    };
    let floor = Floor::of(stack)?;
    let mut bench = Bench { lanes: floor.lanes(LANES).await?, parts };
    let repetitions = bench.repeat(args, &setting).await?;
    Ok(Results { setting, repetitions })
}

struct Bench<'a, 'b, 'c> {
    parts: &'b mut Parts<'c>,
    lanes: Vec<Lane<'a>>,
}

/// Many made and taken away again, on one side.
struct Turn {
    made: f64,
    made_used: Used,
    unmade: f64,
    unmade_used: Used,
}

impl Bench<'_, '_, '_> {
    async fn repeat(&mut self, args: &Args, setting: &Setting) -> Result<Vec<Repetition>> {
        // The first of everything pays for connections, caches and code that is not in memory yet.
        say::line("   warming up");
        self.one(2, 0).await?;
        let mut repetitions = Vec::new();
        for number in 0..args.repetitions as usize {
            say::line(format!(
                "   repetition {} of {}; load {}",
                number + 1,
                args.repetitions,
                machine::load()
            ));
            repetitions.push(self.repetition(number, setting).await?);
        }
        Ok(repetitions)
    }

    async fn repetition(&mut self, number: usize, setting: &Setting) -> Result<Repetition> {
        let load = machine::load();
        let one = self.one(setting.singles, number).await?;
        let tenants = names("tenant", setting.tenants);
        let floor_first = number.is_multiple_of(2);
        let mut floor = None;
        if floor_first {
            floor = Some(self.floor_turn(setting.tenants).await?);
        }
        let (turn, made_phases, unmade_phases, memory) = self.turn(&tenants).await?;
        let (floor, floor_parts) = match floor {
            Some(floor) => floor,
            None => self.floor_turn(setting.tenants).await?,
        };
        let many = |seconds, used, floor_seconds, floor_used, floor_parts, phases| Many {
            tenants: setting.tenants,
            seconds,
            floor_seconds,
            floor_parts,
            phases,
            used,
            floor_used,
        };
        Ok(Repetition {
            load,
            one,
            applied: many(
                turn.made,
                turn.made_used,
                floor.made,
                floor.made_used,
                floor_parts,
                made_phases,
            ),
            deleted: many(
                turn.unmade,
                turn.unmade_used,
                floor.unmade,
                floor.unmade_used,
                Vec::new(),
                unmade_phases,
            ),
            memory,
        })
    }

    /// Tenants one at a time, each beside its floor; all are taken away at the end.
    async fn one(&mut self, count: usize, offset: usize) -> Result<One> {
        let (tenants, floors) = (names("single", count), names("floor", count));
        let mut one = One::default();
        let before = self.parts.scrape().await?;
        for (number, (tenant, floor)) in tenants.iter().zip(&floors).enumerate() {
            if (number + offset).is_multiple_of(2) {
                self.one_floor(floor, &mut one).await?;
                self.one_tenant(tenant, &mut one).await?;
            } else {
                self.one_tenant(tenant, &mut one).await?;
                self.one_floor(floor, &mut one).await?;
            }
        }
        one.phases = self.parts.scrape().await?.since(&before);
        self.clear(&tenants).await?;
        share(&mut self.lanes, &floors, async |lane, name| lane.unmake(name).await).await?;
        Ok(one)
    }

    async fn one_tenant(&mut self, name: &str, one: &mut One) -> Result<()> {
        self.settle().await?;
        let before = Usage::now();
        one.seconds.push(self.parts.tenants.make(&[name.to_owned()]).await?);
        one.used.push(Usage::now().since(&before));
        Ok(())
    }

    async fn one_floor(&mut self, name: &str, one: &mut One) -> Result<()> {
        self.settle().await?;
        let before = Usage::now();
        one.floor.push(self.lanes[0].make(name).await?);
        one.floor_used.push(Usage::now().since(&before));
        Ok(())
    }

    /// All tenants at once, and gone again.
    async fn turn(&mut self, tenants: &[String]) -> Result<(Turn, Vec<Phase>, Vec<Phase>, Memory)> {
        self.settle().await?;
        let (scrape, usage) = (self.parts.scrape().await?, Usage::now());
        let made = self.parts.tenants.make(tenants).await?;
        let made_used = Usage::now().since(&usage);
        let made_phases = self.parts.scrape().await?.since(&scrape);

        self.settle().await?;
        let memory = machine::memory(self.parts.operator.pid())?;
        self.parts.expect_projects(tenants.len()).await?;
        for name in tenants.iter().step_by((tenants.len() / 10).max(1)) {
            self.parts.expect_schema(name).await?;
        }

        self.settle().await?;
        let (scrape, usage) = (self.parts.scrape().await?, Usage::now());
        let unmade = self.parts.tenants.unmake(tenants).await?;
        let unmade_used = Usage::now().since(&usage);
        let unmade_phases = self.parts.scrape().await?.since(&scrape);
        self.parts.expect_projects(0).await?;
        self.parts.expect_no_secrets().await?;
        Ok((Turn { made, made_used, unmade, unmade_used }, made_phases, unmade_phases, memory))
    }

    /// The same on bare connections.
    async fn floor_turn(&mut self, count: usize) -> Result<(Turn, Vec<crate::floor::Parts>)> {
        let floors = names("floor", count);
        self.settle().await?;
        let usage = Usage::now();
        let (made, parts) =
            share(&mut self.lanes, &floors, async |lane, name| lane.make(name).await).await?;
        let made_used = Usage::now().since(&usage);
        self.settle().await?;
        let usage = Usage::now();
        let (unmade, _) =
            share(&mut self.lanes, &floors, async |lane, name| lane.unmake(name).await).await?;
        let unmade_used = Usage::now().since(&usage);
        Ok((Turn { made, made_used, unmade, unmade_used }, parts))
    }

    /// What is measured next begins on quiet parts, with nothing left for Postgres to write.
    async fn settle(&mut self) -> Result<()> {
        self.lanes[0].checkpoint().await?;
        self.parts.quiet().await;
        Ok(())
    }

    async fn clear(&mut self, tenants: &[String]) -> Result<()> {
        self.parts.tenants.unmake(tenants).await?;
        self.parts.expect_projects(0).await?;
        self.parts.expect_no_secrets().await
    }
}

fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{what}-{number:04}")).collect()
}
