//! The results as a person reads them. In: [`Everything`]. Out: text. Pure.

mod phases;

use std::fmt::Write as _;

use crate::app;
use crate::results::{Everything, Results};
use crate::stats::Spread;
use crate::targets::{Line, Target, lines};

/// All tables.
pub(crate) fn text(everything: &Everything) -> String {
    let operator = everything.operator.as_ref().map(operator);
    let app = everything
        .app
        .as_ref()
        .map(|results| format!("\n{}\n{}", app::head(results), lines_table(&app::lines(results))));
    let chat = everything.chat.as_ref().map(|results| {
        format!("\n{}\n{}", app::chat::head(results), lines_table(&app::chat::lines(results)))
    });
    [operator, app, chat].into_iter().flatten().collect()
}

fn operator(results: &Results) -> String {
    let setting = &results.setting;
    let loads: Vec<&str> = results.repetitions.iter().map(|r| r.load.as_str()).collect();
    let mut text = format!(
        "\n{}, {}; {} repetitions of {} tenants one at a time and {} at once; medians (ranges)\n\
         the control plane on the same processors, etcd and API server with GOGC={}; \
         floor: role, database, log-in over TLS and schema by the same SQL, one at a time and over {} connections\n\
         load averages before each repetition: {}; others had {} of the busy time\n",
        setting.processors,
        if setting.release_build { "release build" } else { "DEBUG BUILD" },
        results.repetitions.len(),
        setting.singles,
        setting.tenants,
        stack::GOGC,
        setting.floor_connections,
        loads.join(" | "),
        phases::share_of_others(results),
    );
    for argument in setting.operator_args.iter().chain(&setting.emulator_args) {
        let _ = writeln!(text, "with {argument}");
    }
    text.push('\n');
    text.push_str(&lines_table(&lines(results)));
    text.push_str(&phases::text(results));
    text
}

fn lines_table(lines: &[Line]) -> String {
    let head = ["", "target", "measured", "floor", "ratio", ""].map(str::to_owned);
    table(std::iter::once(head).chain(lines.iter().map(row)).collect())
}

fn row(line: &Line) -> [String; 6] {
    let target = match line.target {
        Some(Target::RatioAtMost(limit)) => format!("<= {limit:.2} x floor"),
        Some(Target::RatioAtLeast(limit)) => format!(">= {limit:.2} x floor"),
        Some(Target::Above(limit)) => format!("> {limit} {}", line.unit),
        Some(Target::Below(limit)) => format!("< {limit} {}", line.unit),
        None => String::new(),
    };
    let met = match line.met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    [
        line.what.clone(),
        target,
        format!("{} {}", spread(&line.measured, digits(&line.measured)), line.unit),
        line.floor.map(|floor| spread(&floor, digits(&floor))).unwrap_or_default(),
        line.ratio.map(|ratio| spread(&ratio, 2)).unwrap_or_default(),
        met.to_owned(),
    ]
}

/// What is small is told to the hundredth.
fn digits(spread: &Spread) -> usize {
    if spread.max > 0.0 && spread.max < 10.0 { 2 } else { 1 }
}

fn spread(spread: &Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.digits$} ({min:.digits$} to {max:.digits$})")
}

/// Columns as wide as their widest cell; the first is words, the others are numbers.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "   {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_straight_columns() {
        let rows = vec![["a", "1"], ["long", "22"]].into_iter().map(|row| row.map(str::to_owned));
        assert_eq!(table(rows.collect()), "a       1\nlong   22\n");
    }
}
