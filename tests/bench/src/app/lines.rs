//! The app's targets, and whether they are met. In: [`Results`]. Out: one [`Line`] per thing that is asked. Pure.

use super::results::{Crowd, Ingest, Results, Searches, SignUps};
use crate::floor;
use crate::stats::percentile;
use crate::targets::{Figure, Line, Target};

/// A search takes at most so many times its bare statement, the model's time left out.
const SEARCH_AT_MOST: f64 = 2.0;
/// Share of the bare reader's rate.
const PAGES_AT_LEAST: f64 = 0.8;
/// The app's memory together with its reader's, in MB.
const MEMORY_BELOW: f64 = 200.0;
/// Another person's requests take at most so many times as long while a document is read.
const OTHERS_AT_MOST: f64 = 2.0;

/// What the table stands on.
pub(crate) fn head(results: &Results) -> String {
    let setting = &results.setting;
    let first = results.ingests.first();
    let (megabytes, passages) = first.map_or((0.0, 0), |one| (one.megabytes, one.passages));
    format!(
        "The app, {}, {}; {} repetitions; medians (ranges); load averages at its start: {}\n\
         the embedding model is a measuring instrument that answers at once, in this program, unless the line says otherwise;\n\
         its vectors lie in groups\n\
         floors: of a sign-up, role, database, log-in and schema by bare SQL; of a search, the app's own statement on one open\n\
         TLS connection (cold: on a new one); of a document, the app's reader alone, and COPY of the same rows into the same table\n\
         the document: {} pages, {megabytes:.1} MB, {passages} passages; its stages overlap\n",
        setting.processors,
        if setting.release_build { "release build" } else { "DEBUG BUILD" },
        setting.repetitions,
        setting.load,
        setting.pages,
    )
}

/// Every line of the table.
pub(crate) fn lines(results: &Results) -> Vec<Line> {
    let groups = [
        sign_ups(&results.sign_ups),
        searches(results),
        documents(results),
        crowd(&results.crowd, results.setting.users),
        memory(results),
        real(results),
    ];
    groups.into_iter().flatten().flatten().collect()
}

pub(super) fn lines_of<T>(
    all: &[T],
    what: &str,
    unit: &'static str,
    target: Option<Target>,
    figure: impl Fn(&T) -> Figure,
) -> Option<Line> {
    let figures: Vec<Figure> = all.iter().map(figure).collect();
    Line::of((what, unit), target, &figures)
}

pub(super) fn ms(seconds: &[f64], share: f64) -> f64 {
    percentile(seconds, share) * 1e3
}

fn sign_ups(all: &[SignUps]) -> Vec<Option<Line>> {
    let floor = |one: &SignUps| one.floor.iter().map(floor::Parts::total).collect::<Vec<f64>>();
    let line = |what: &str, pick: fn(&SignUps) -> &Vec<f64>, share: f64, has_floor: bool| {
        lines_of(all, what, "ms", None, |one| {
            (ms(pick(one), share), has_floor.then(|| ms(&floor(one), share)))
        })
    };
    vec![
        line("sign-up, request to answer, p50", |one| &one.answered, 0.5, false),
        line("sign-up, request to answer, p95", |one| &one.answered, 0.95, false),
        line("sign-up to database Ready, p50", |one| &one.ready, 0.5, true),
        line("sign-up to database Ready, p95", |one| &one.ready, 0.95, true),
        line("  until the open page says so, p50", |one| &one.shown, 0.5, false),
        line("  until the open page says so, p95", |one| &one.shown, 0.95, false),
    ]
}

fn searches(results: &Results) -> Vec<Option<Line>> {
    let mut sizes: Vec<usize> = results.searches.iter().map(|one| one.passages).collect();
    sizes.dedup();
    let figure =
        |share| move |one: &&Searches| (ms(&one.seconds, share), Some(ms(&one.floor, share)));
    let mut lines = Vec::new();
    for size in sizes {
        let all: Vec<&Searches> =
            results.searches.iter().filter(|one| one.passages == size).collect();
        let target = Some(Target::RatioAtMost(SEARCH_AT_MOST));
        let what = |share: &str| format!("search in {size} passages, warm, {share}");
        lines.push(lines_of(&all, &what("p50"), "ms", target, figure(0.5)));
        lines.push(lines_of(&all, &what("p95"), "ms", None, figure(0.95)));
    }
    let cold: Vec<&Searches> = results.cold.iter().collect();
    lines.push(lines_of(
        &cold,
        "search after connections were closed, p50",
        "ms",
        None,
        figure(0.5),
    ));
    lines
}

fn documents(results: &Results) -> Vec<Option<Line>> {
    let of = |size: &[Ingest]| [document(size), others(size)].concat();
    results.ingests.chunk_by(|one, next| one.dimensions == next.dimensions).flat_map(of).collect()
}

/// Of one number of dimensions.
fn document(all: &[Ingest]) -> Vec<Option<Line>> {
    let dimensions = all.first().map_or(0, |one| one.dimensions);
    let rate = |one: &Ingest| one.pages as f64 / one.seconds;
    let reader = |one: &Ingest| Some(one.pages as f64 / one.floor_extract);
    let below = Some(Target::Below(MEMORY_BELOW));
    vec![
        lines_of(
            all,
            &format!("PDF, vectors of {dimensions}, upload to searchable; floor: reader"),
            "pages/s",
            Some(Target::RatioAtLeast(PAGES_AT_LEAST)),
            |one| (rate(one), reader(one)),
        ),
        // Where this is near 1, the database sets the pace.
        lines_of(all, "  the same; floor: COPY", "pages/s", None, |one| {
            (rate(one), Some(one.pages as f64 / one.floor_copy))
        }),
        lines_of(all, "  uploading", "ms", None, |one| (one.upload * 1e3, None)),
        lines_of(all, "  reading; floor: reader", "ms", None, |one| {
            (one.stages.reading * 1e3, Some(one.floor_extract * 1e3))
        }),
        lines_of(all, "  embedding, requests added up", "ms", None, |one| {
            (one.stages.embedding * 1e3, None)
        }),
        lines_of(all, "  storing; floor: COPY", "ms", None, |one| {
            (one.stages.storing * 1e3, Some(one.floor_copy * 1e3))
        }),
        lines_of(all, "  peak memory of app and reader", "MB", below, |one| {
            (one.peak.together, None)
        }),
    ]
}

/// The floor is the same person's time before.
fn others(all: &[Ingest]) -> Vec<Option<Line>> {
    let target = Some(Target::RatioAtMost(OTHERS_AT_MOST));
    vec![
        lines_of(all, "another's list meanwhile, p95; floor: before", "ms", target, |one| {
            (ms(&one.during.list, 0.95), Some(ms(&one.before.list, 0.95)))
        }),
        lines_of(all, "another's search meanwhile, p95; floor: before", "ms", target, |one| {
            (ms(&one.during.search, 0.95), Some(ms(&one.before.search, 0.95)))
        }),
    ]
}

fn crowd(all: &[Crowd], users: usize) -> Vec<Option<Line>> {
    let every = |one: &Crowd| [one.list.as_slice(), &one.search, &one.page].concat();
    let search = "  search, p50; floor: as many statements at once";
    vec![
        lines_of(all, &format!("{users} people at once"), "requests/s", None, |one| {
            (every(one).len() as f64 / one.seconds, None)
        }),
        lines_of(all, "  any request, p50", "ms", None, |one| (ms(&every(one), 0.5), None)),
        lines_of(all, "  any request, p95", "ms", None, |one| (ms(&every(one), 0.95), None)),
        lines_of(all, search, "ms", None, |one| {
            (ms(&one.search, 0.5), Some(ms(&one.floor_search, 0.5)))
        }),
        lines_of(all, "  requests that failed", "", Some(Target::Below(1.0)), |one| {
            (one.errors as f64, None)
        }),
    ]
}

fn memory(results: &Results) -> Vec<Option<Line>> {
    let fleet = &results.fleet;
    let one = |what: &str, unit, measured: f64| Line::of((what, unit), None, &[(measured, None)]);
    let count = fleet.tenants;
    vec![
        one(
            &format!("{count} sign-ups, a few at a time"),
            "tenants/s",
            count as f64 / fleet.sign_up,
        ),
        one(&format!("app's memory with {count} active tenants"), "MB", fleet.active.now_mb),
        one("  at its start", "MB", fleet.at_start.now_mb),
        one("  open pools", "", fleet.pools),
    ]
}

fn real(results: &Results) -> Vec<Option<Line>> {
    let real = &results.real;
    let one = |what: &str, unit, measured: f64| Line::of((what, unit), None, &[(measured, None)]);
    vec![
        one(&format!("{}: search, p50", real.model), "ms", ms(&real.searches, 0.5)),
        one(
            &format!("{}: a PDF of {} pages", real.model, real.pages),
            "pages/s",
            real.pages as f64 / real.seconds,
        ),
    ]
}
