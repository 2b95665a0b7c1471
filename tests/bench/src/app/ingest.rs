//! A PDF from its upload to its stored passages, alone, and once more while another person uses the app.
//!
//! In: the parts, the instrument in the place of the model. Out: seconds, the app's own stages, peak memory, the other person's
//! times before and during. Floors: the app's reader alone on the same file, and the bare COPY of the same rows into the
//! same, emptied table. Each repetition has a person and a database of its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use stack::App;

use super::model::Model;
use super::person::Person;
use super::results::{Ingest, Peak, Stages, Visits};
use super::sampler::Sampler;
use super::words::Words;
use super::world::{self, Resident, World, metric};
use super::{Counts, copy, pdf};
use crate::parts::Parts;

/// Of the person who uses the app meanwhile.
const PASSAGES: usize = 500;
/// Between two of their requests.
const PAUSE: Duration = Duration::from_millis(5);
/// How long they are watched before.
const BEFORE: Duration = Duration::from_millis(2000);

pub(super) async fn measure(
    parts: &Parts<'_>,
    model: &Model,
    dimensions: usize,
    counts: &Counts,
) -> Result<Vec<Ingest>> {
    let name = format!("ingest-{dimensions}");
    let mut world = World::start(parts, &name).await?;
    let app = world.app(&format!("app-{name}"), &model.settings(dimensions)).await?;
    let file = File::make(parts, counts.pages)?;
    let other = world.resident(&app, "other").await?;
    copy::fill(&world, &other, (PASSAGES, dimensions)).await?;
    let mut bench = Bench { parts, world, app, dimensions, file, other };
    bench.one("warm-up").await?;
    visit(&bench.other.person, tokio::time::sleep(PAUSE * 20)).await?;
    let mut all = Vec::new();
    for repetition in 0..counts.repetitions {
        all.push(bench.repetition(repetition).await?);
    }
    world::end(bench.app).await?;
    bench.world.leave().await?;
    Ok(all)
}

/// The PDF, in memory and as a file.
struct File {
    pages: usize,
    bytes: Bytes,
    path: PathBuf,
}

impl File {
    fn make(parts: &Parts<'_>, pages: usize) -> Result<Self> {
        let bytes = pdf::pdf(pages, 1)?;
        let path = parts.stack.scratch_dir()?.join("bench.pdf");
        std::fs::write(&path, &bytes)?;
        Ok(Self { pages, bytes, path })
    }
}

/// One ingestion.
struct One {
    resident: Resident,
    passages: i64,
    seconds: f64,
    upload: f64,
    stages: Stages,
    peak: Peak,
}

struct Bench<'a, 'b> {
    parts: &'b Parts<'a>,
    world: World<'a>,
    app: App,
    dimensions: usize,
    file: File,
    other: Resident,
}

impl Bench<'_, '_> {
    async fn repetition(&mut self, number: usize) -> Result<Ingest> {
        let mut floor_extract = 0.0;
        let floor_first = number.is_multiple_of(2);
        if floor_first {
            floor_extract = self.extract().await?;
        }
        let one = self.one(&format!("writer-{number}")).await?;
        if !floor_first {
            floor_extract = self.extract().await?;
        }
        let floor_copy = self.copy(&one).await?;

        let writer = self.world.resident(&self.app, &format!("busy-{number}")).await?;
        self.parts.quiet().await;
        let (before, ()) = visit(&self.other.person, tokio::time::sleep(BEFORE)).await?;
        let started = Instant::now();
        let ingested = async {
            let document = writer.person.upload(self.file.bytes.clone()).await?;
            self.world.searchable(&document).await
        };
        let (during, ingested) = visit(&self.other.person, ingested).await?;
        ingested?;
        let seconds_visited = started.elapsed().as_secs_f64();
        Ok(Ingest {
            dimensions: self.dimensions,
            pages: self.file.pages,
            megabytes: self.file.bytes.len() as f64 / 1e6,
            passages: one.passages,
            seconds: one.seconds,
            upload: one.upload,
            stages: one.stages,
            peak: one.peak,
            floor_extract,
            floor_copy,
            before,
            during,
            seconds_visited,
        })
    }

    /// The PDF of a new person.
    async fn one(&mut self, name: &str) -> Result<One> {
        let resident = self.world.resident(&self.app, name).await?;
        self.parts.quiet().await;
        let before = self.stages().await?;
        let sampler = Sampler::start(self.app.process.pid());
        let started = Instant::now();
        let document = resident.person.upload(self.file.bytes.clone()).await?;
        let upload = started.elapsed().as_secs_f64();
        let passages = self.world.searchable(&document).await?;
        let seconds = started.elapsed().as_secs_f64();
        let peak = sampler.stop()?;
        let now = self.stages().await?;
        let stages = Stages {
            reading: now.reading - before.reading,
            embedding: now.embedding - before.embedding,
            storing: now.storing - before.storing,
        };
        Ok(One { resident, passages, seconds, upload, stages, peak })
    }

    async fn stages(&self) -> Result<Stages> {
        let stage = async |name: &str| {
            let series = format!("tenantry_app_ingest_stage_seconds_sum{{stage=\"{name}\"}}");
            metric(&self.world.http, &self.app, &series).await
        };
        Ok(Stages {
            reading: stage("reading").await?,
            embedding: stage("embedding").await?,
            storing: stage("storing").await?,
        })
    }

    /// The floor of reading.
    async fn extract(&self) -> Result<f64> {
        self.parts.quiet().await;
        let (path, pages) = (&self.file.path, self.file.pages);
        tokio::task::block_in_place(|| extract(path, pages))
    }

    /// The floor of storing: the rows that were stored, into the same table after it was emptied.
    async fn copy(&self, one: &One) -> Result<f64> {
        let session = self.world.door(&one.resident).await?.open().await?;
        let rows = copy::read(&session).await?;
        session.run("truncate embeddings").await?;
        self.parts.quiet().await;
        let started = Instant::now();
        session.run("begin").await?;
        let count = copy::write(&session, rows).await?;
        session.run("commit").await?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(
            Ok(count) == u64::try_from(one.passages),
            "{count} rows, {} passages",
            one.passages
        );
        session.close().await?;
        Ok(seconds)
    }
}

/// The app's reader alone: a process that reads one PDF on one thread.
fn extract(path: &Path, pages: usize) -> Result<f64> {
    let started = Instant::now();
    let mut reader = Command::new(stack::binary("tenantry-app")?)
        .args(["extract", "--max-pages", "500", "--megabytes", "512"])
        .env_clear()
        .stdin(std::fs::File::open(path)?)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut text = String::new();
    reader.stdout.take().context("it has an output")?.read_to_string(&mut text)?;
    let status = reader.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    let read = text.lines().filter(|line| line.starts_with("{\"page\":")).count();
    ensure!(status.success() && read == pages, "{read} of {pages} pages were read, {status}");
    Ok(seconds)
}

/// One person's lists and searches, side by side, as long as something goes on.
async fn visit<T>(person: &Person, meanwhile: impl Future<Output = T>) -> Result<(Visits, T)> {
    let over = AtomicBool::new(false);
    let lists = async {
        let mut times = Vec::new();
        while !over.load(Ordering::Relaxed) {
            times.push(person.get("/documents/list").await?.0);
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(times)
    };
    let searches = async {
        let (mut times, mut words) = (Vec::new(), Words::new(5));
        while !over.load(Ordering::Relaxed) {
            times.push(person.search(&words.question()).await?.0);
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(times)
    };
    let work = async {
        let done = meanwhile.await;
        over.store(true, Ordering::Relaxed);
        Ok(done)
    };
    let (list, search, done) = tokio::try_join!(lists, searches, work)?;
    Ok((Visits { list, search }, done))
}
