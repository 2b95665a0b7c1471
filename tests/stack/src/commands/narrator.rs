//! Tells the demo: short headings, the commands as somebody would type them, their real output.
//!
//! In: headings, commands. Out: text on stdout and the output of each command. It must not hide a failure: a command that
//! fails is an error unless its failure is what was to be shown.

use std::process::Command;

use anyhow::{Result, bail};

/// A heading, one line of explanation.
pub(super) fn heading(number: u32, title: &str, why: &str) {
    println!("\n{number}. {title}");
    if !why.is_empty() {
        println!("   {why}");
    }
}

/// An indented line.
pub(super) fn tell(line: &str) {
    println!("   {line}");
}

/// Shows `typed`, runs `command`, shows and returns what it printed.
pub(super) fn run(typed: &str, command: &mut Command) -> Result<String> {
    println!("\n   $ {typed}");
    let output = quietly(typed, command)?;
    show(&output);
    Ok(output)
}

/// Shows `typed`, runs `command`, which must fail, and shows its complaint.
pub(super) fn run_to_see_it_refused(typed: &str, command: &mut Command) -> Result<()> {
    println!("\n   $ {typed}");
    let output = command.output()?;
    if output.status.success() {
        bail!(
            "`{typed}` should have failed and printed {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    show(&String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Runs `command` without showing anything.
pub(super) fn quietly(typed: &str, command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{typed}` failed ({}):\n{}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prints text, indented.
pub(super) fn show(text: &str) {
    text.trim_end().lines().for_each(|line| println!("   {line}"));
}

/// Lines of tab-separated cells, aligned.
pub(super) fn table(text: &str) -> String {
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<&str>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        assert_eq!(table("TYPE\tSTATUS\nReady\tTrue"), "TYPE    STATUS\nReady   True");
        assert_eq!(table(""), "");
    }
}
