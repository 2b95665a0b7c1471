//! Where the time goes: the operator's phases, the floor's parts, and the processor time of every program. In: [`Results`].
//! Out: text; every figure is milliseconds per tenant, the mean over all repetitions. Pure.

use std::collections::BTreeMap;

use super::table;
use crate::floor;
use crate::machine::Used;
use crate::results::{Many, One, Repetition, Results};
use crate::scrape::{Kind, Phase};

pub(super) fn text(results: &Results) -> String {
    let count = results.setting.tenants;
    let mut text = format!(
        "\nBy the operator's and the API server's own clocks, per tenant: how often, and milliseconds in all\n\n{}",
        table(operator(results))
    );
    text.push_str("\nThe floor, milliseconds per tenant\n\n");
    text.push_str(&table(parts(results)));
    text.push_str("\nProcessor time by program, milliseconds per tenant\n\n");
    text.push_str(&table(processors(results)));
    text.push_str(&format!(
        "\nOne tenant at a time, then {count} at once. A call goes to Neon and is part of a step or\n\
         of the first look of a pass; kube is a request to the Kubernetes API by anybody, on that server's clock.\n"
    ));
    text
}

/// Sums and counts over the repetitions, divided by the tenants.
#[derive(Clone, Copy, Default)]
struct Mean {
    count: f64,
    ms: f64,
}

/// The phases of one kind of work, and how many tenants it was for.
type Work = (fn(&Repetition) -> &Vec<Phase>, usize);
type Phases = BTreeMap<(Kind, String), [Mean; 3]>;

fn operator(results: &Results) -> Vec<[String; 7]> {
    let repetitions = &results.repetitions;
    let mut all = Phases::new();
    let works: [Work; 3] = [
        (|r| &r.one.phases, results.setting.singles),
        (|r| &r.applied.phases, results.setting.tenants),
        (|r| &r.deleted.phases, results.setting.tenants),
    ];
    for (column, (phases, tenants)) in works.into_iter().enumerate() {
        let share = 1.0 / (tenants * repetitions.len()).max(1) as f64;
        for phase in repetitions.iter().flat_map(phases) {
            let means = all.entry((phase.kind, phase.name.clone())).or_default();
            means[column].count += phase.count * share;
            means[column].ms += phase.seconds * 1e3 * share;
        }
    }
    let count = results.setting.tenants;
    let mut rows = vec![[
        String::new(),
        "one".to_owned(),
        "ms".to_owned(),
        format!("{count} applied"),
        "ms".to_owned(),
        format!("{count} deleted"),
        "ms".to_owned(),
    ]];
    let mut sorted: Vec<_> = all.into_iter().collect();
    let longest = |means: &[Mean; 3]| means.iter().map(|mean| mean.ms).fold(0.0, f64::max);
    sorted.sort_by(|((a, _), x), ((b, _), y)| a.cmp(b).then(longest(y).total_cmp(&longest(x))));
    for ((kind, name), means) in sorted {
        // What others ask of the API server now and then.
        if means.iter().all(|mean| mean.count < 0.1) {
            continue;
        }
        let kind = match kind {
            Kind::Pass => "pass",
            Kind::Step => "step",
            Kind::Call => "call",
            Kind::Kube => "kube",
        };
        let [a, b, c] = means.map(cells);
        rows.push([format!("{kind} {name}"), a.0, a.1, b.0, b.1, c.0, c.1]);
    }
    rows
}

fn cells(mean: Mean) -> (String, String) {
    match mean.count > 0.0 {
        true => (format!("{:.2} x", mean.count), format!("{:.1}", mean.ms)),
        false => (String::new(), String::new()),
    }
}

fn parts(results: &Results) -> Vec<[String; 3]> {
    let mean = |parts: Vec<&floor::Parts>| {
        let share = 1e3 / parts.len().max(1) as f64;
        let mut sums = [0.0; 6];
        for one in parts {
            let named = one.named().map(|(_, seconds)| seconds);
            let values = named.into_iter().chain([one.total()]);
            sums.iter_mut().zip(values).for_each(|(sum, seconds)| *sum += seconds * share);
        }
        sums
    };
    let one = mean(results.repetitions.iter().flat_map(|r| &r.one.floor).collect());
    let many = mean(results.repetitions.iter().flat_map(|r| &r.applied.floor_parts).collect());
    let setting = &results.setting;
    let head = [
        String::new(),
        "one".into(),
        format!("{} over {}", setting.tenants, setting.floor_connections),
    ];
    let names = floor::Parts::default().named().map(|(name, _)| name).into_iter().chain(["in all"]);
    let rows = names.zip(one.into_iter().zip(many));
    let rows = rows.map(|(name, (a, b))| [name.to_owned(), format!("{a:.1}"), format!("{b:.1}")]);
    std::iter::once(head).chain(rows).collect()
}

/// One column: its head, what was used in each repetition, over how many tenants.
type Column<'a> = (String, Vec<&'a Used>, usize);

fn columns(results: &Results) -> [Column<'_>; 6] {
    let (singles, tenants) = (results.setting.singles, results.setting.tenants);
    let ones = |pick: fn(&One) -> &Vec<Used>| {
        results.repetitions.iter().flat_map(|r| pick(&r.one)).collect()
    };
    let many = |pick: fn(&Repetition) -> &Many, floor: bool| {
        let used = |r| if floor { &pick(r).floor_used } else { &pick(r).used };
        results.repetitions.iter().map(used).collect()
    };
    [
        ("one".to_owned(), ones(|one| &one.used), singles),
        ("floor".to_owned(), ones(|one| &one.floor_used), singles),
        (format!("{tenants} applied"), many(|r| &r.applied, false), tenants),
        ("floor".to_owned(), many(|r| &r.applied, true), tenants),
        (format!("{tenants} deleted"), many(|r| &r.deleted, false), tenants),
        ("floor".to_owned(), many(|r| &r.deleted, true), tenants),
    ]
}

fn processors(results: &Results) -> Vec<[String; 7]> {
    let columns = columns(results);
    let mut programs = BTreeMap::<String, [f64; 6]>::new();
    for (column, (_, used, tenants)) in columns.iter().enumerate() {
        let share = 1e3 / (tenants * results.repetitions.len()).max(1) as f64;
        for used in used {
            let others = ("(others on the machine)".to_owned(), used.others);
            let total = ("(ours in all)".to_owned(), used.ours());
            let ours = used.programs.iter().map(|(name, seconds)| (name.clone(), *seconds));
            for (name, seconds) in ours.chain([total, others]) {
                programs.entry(name).or_default()[column] += seconds * share;
            }
        }
    }
    let heads = columns.map(|(head, _, _)| head);
    let row = |name: String, cells: [String; 6]| {
        let [a, b, c, d, e, f] = cells;
        [name, a, b, c, d, e, f]
    };
    let mut rows = vec![row(String::new(), heads)];
    let mut sorted: Vec<_> = programs.into_iter().collect();
    sorted.sort_by(|(_, x), (_, y)| y[2].total_cmp(&x[2]));
    for (name, figures) in sorted {
        if figures.iter().any(|ms| *ms >= 0.1) {
            rows.push(row(name, figures.map(|ms| format!("{ms:.1}"))));
        }
    }
    rows
}

/// How much of all processor time others used while something was measured.
pub(super) fn share_of_others(results: &Results) -> String {
    let (mut others, mut all) = (0.0, 0.0);
    for used in columns(results).iter().flat_map(|(_, used, _)| used) {
        others += used.others;
        all += used.others + used.ours();
    }
    format!("{:.0} %", 100.0 * others / f64::max(all, 1e-9))
}
