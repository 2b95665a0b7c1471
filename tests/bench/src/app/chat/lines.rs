//! The chat's targets, and whether they are met. In: [`Results`]. Out: one [`Line`] per thing that is asked. Pure.

use super::results::{Alone, Results, Together, Ways};
use crate::app::lines::{lines_of, ms};
use crate::app::model::chat::PAUSE;
use crate::targets::{Line, Target};

/// The sources are there within so many times the bare vector query.
const RETRIEVAL_AT_MOST: f64 = 2.5;
/// Neon's own example of a database per tenant (neondatabase/db-per-tenant), measured on another machine of two processors, with
/// models that answer at once: ten people at once, request to first token, in ms; and its best and least requests per second.
const EXAMPLE_TOKEN: f64 = 29.0;
pub(super) const EXAMPLE_BEST: f64 = 62.0;
const EXAMPLE_LEAST: f64 = 35.0;
/// What must hold against it.
const TOKEN_AT_MOST: f64 = 0.5;
const RATE_AT_LEAST: f64 = 4.0;

/// What the table stands on.
pub(crate) fn head(results: &Results) -> String {
    let setting = &results.setting;
    format!(
        "The chat, {}, {}; {} repetitions; medians (ranges); load averages at its start: {}\n\
         the models are a measuring instrument that answers at once, in this program: vectors that lie in groups, 50 words;\n\
         {} questions one at a time; {} passages of {} dimensions in each database unless the line says otherwise\n\
         vector query: the 30 nearest of the same database on one open TLS connection, and nothing else; tuned: with the app's\n\
         settings of a session, by which the planner takes the index where it would read all; statement: the app's own, which also\n\
         searches words; Neon's example: measured on another machine of two processors, 500 passages of 1536 dimensions; at once:\n\
         each asks again when the answer has ended; at the example's pace: {EXAMPLE_BEST} questions a second, by chance (Poisson)\n",
        setting.processors,
        if setting.release_build { "release build" } else { "DEBUG BUILD" },
        setting.repetitions,
        setting.load,
        setting.questions,
        setting.passages,
        setting.dimensions,
    )
}

/// Every line of the table.
pub(crate) fn lines(results: &Results) -> Vec<Line> {
    let groups = [
        alone(&results.alone),
        few(&results.crowds.few),
        paced(&results.crowds.paced),
        many(&results.crowds.many),
        growth(&results.growth),
        ways(&results.ways),
    ];
    groups.into_iter().flatten().flatten().collect()
}

fn alone(all: &[Alone]) -> Vec<Option<Line>> {
    let target = Some(Target::RatioAtMost(RETRIEVAL_AT_MOST));
    let line = |what: &str, target, share: f64| {
        lines_of(all, what, "ms", target, |one| {
            (ms(&one.answers.retrieval, share), Some(ms(&one.floor_nearest, share)))
        })
    };
    let later = |what: &str, pick: fn(&Alone) -> &Vec<f64>| {
        lines_of(all, what, "ms", None, |one| (ms(pick(one), 0.5), None))
    };
    vec![
        line("question to first source, p50; floor: vector query", target, 0.5),
        line("  the same, p95", None, 0.95),
        lines_of(all, "  the same, p50; floor: vector query, tuned", "ms", None, |one| {
            (ms(&one.answers.retrieval, 0.5), Some(ms(&one.floor_tuned, 0.5)))
        }),
        lines_of(all, "  the same, p50; floor: statement", "ms", None, against_statement),
        later("  to first token, p50", |one| &one.answers.first_token),
        later("  to the end, p50", |one| &one.answers.end),
    ]
}

fn against_statement(one: &Alone) -> (f64, Option<f64>) {
    (ms(&one.answers.retrieval, 0.5), Some(ms(&one.floor_statement, 0.5)))
}

fn rate(one: &Together) -> f64 {
    one.answers.end.len() as f64 / one.seconds
}

fn failures(all: &[Together]) -> Option<Line> {
    let target = Some(Target::Below(1.0));
    lines_of(all, "  questions that failed", "", target, |one| (one.failures as f64, None))
}

fn first_token(all: &[Together], what: &str) -> [Option<Line>; 2] {
    let first = |one: &Together, share: f64| ms(&one.answers.first_token, share);
    let target = Some(Target::RatioAtMost(TOKEN_AT_MOST));
    let people = all.first().map_or(0, |one| one.people);
    let what = format!("{people} {what}, to first token, p50; floor: Neon's example");
    [
        lines_of(all, &what, "ms", target, |one| (first(one, 0.5), Some(EXAMPLE_TOKEN))),
        lines_of(all, "  the same, p95", "ms", None, |one| (first(one, 0.95), None)),
    ]
}

fn paced(all: &[Together]) -> Vec<Option<Line>> {
    let [token, late] = first_token(all, "at the example's pace");
    vec![
        token,
        late,
        lines_of(all, "  requests", "requests/s", None, |one| (rate(one), None)),
        failures(all),
    ]
}

fn few(all: &[Together]) -> Vec<Option<Line>> {
    let [token, late] = first_token(all, "at once");
    let least = Some(Target::RatioAtLeast(RATE_AT_LEAST));
    vec![
        token,
        late,
        lines_of(all, "  requests; floor: Neon's example", "requests/s", least, |one| {
            (rate(one), Some(EXAMPLE_BEST))
        }),
        lines_of(all, "  the same; floor: its slowest run", "requests/s", None, |one| {
            (rate(one), Some(EXAMPLE_LEAST))
        }),
        failures(all),
    ]
}

fn many(all: &[Together]) -> Vec<Option<Line>> {
    let people = all.first().map_or(0, |one| one.people);
    let line = |what: &str, pick: fn(&Together) -> &Vec<f64>, share: f64| {
        lines_of(all, what, "ms", None, |one| (ms(pick(one), share), None))
    };
    let token = |one: &Together| ms(&one.answers.first_token, 0.5);
    let what = format!("{people} chatting at once, half of it follow-ups, to first token, p50");
    vec![
        lines_of(all, &what, "ms", None, |one| (token(one), None)),
        line("  to first token, p95", |one| &one.answers.first_token, 0.95),
        line("  to the end, p50", |one| &one.answers.end, 0.5),
        line("  to the end, p95", |one| &one.answers.end, 0.95),
        lines_of(all, "  requests", "requests/s", None, |one| (rate(one), None)),
        failures(all),
        lines_of(all, "  app's memory at the end", "MB", None, |one| (one.memory.now_mb, None)),
        lines_of(all, "  at its most so far", "MB", None, |one| (one.memory.peak_mb, None)),
    ]
}

fn growth(all: &[Alone]) -> Vec<Option<Line>> {
    let mut sizes: Vec<(usize, usize)> =
        all.iter().map(|one| (one.passages, one.dimensions)).collect();
    sizes.dedup();
    let mut lines = Vec::new();
    for (passages, dimensions) in sizes {
        let of: Vec<&Alone> = all.iter().filter(|one| one.passages == passages).collect();
        let what = format!(
            "to first source in {passages} of {dimensions} dimensions, p50; floor: vector query"
        );
        lines.push(lines_of(&of, &what, "ms", None, |one| {
            (ms(&one.answers.retrieval, 0.5), Some(ms(&one.floor_nearest, 0.5)))
        }));
        let what = "  the same; floor: statement";
        lines.push(lines_of(&of, what, "ms", None, |one| against_statement(one)));
    }
    lines
}

fn ways(all: &[Ways]) -> Vec<Option<Line>> {
    let line = |what: &str, target, pick: fn(&Ways) -> &Vec<f64>, share: f64| {
        lines_of(all, what, "ms", target, |one| (ms(pick(one), share), None))
    };
    let pause = PAUSE.as_secs_f64() * 1e3;
    let below = Some(Target::Below(pause));
    let what = format!("a token through the app, the next {pause} ms later, median");
    // The longest is the 100th percentile.
    vec![
        line(&what, below, |one| &one.plain, 0.5),
        line("  the longest", None, |one| &one.plain, 1.0),
        line("  with Accept-Encoding: gzip, median", below, |one| &one.gzip, 0.5),
        line("  the longest", None, |one| &one.gzip, 1.0),
    ]
}
