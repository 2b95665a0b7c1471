//! Reads what `cargo test` says and counts.
//!
//! In: its lines, in order. Out: how many tests passed, failed and were skipped, and what the failed ones said. A test that
//! could not run prints `SKIPPED: name: reason` and is counted as skipped although its harness calls it passed. A test program
//! that ends without a result counts as a failure. Pure.

use std::collections::BTreeMap;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Results {
    passed: usize,
    ignored: usize,
    skipped: BTreeMap<String, String>,
    failed: Vec<String>,
    details: Vec<String>,
    program: Option<String>,
    in_failures: bool,
}

/// What a line means to somebody who watches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A test program starts.
    Program(String),
    /// A test failed.
    Failed(String),
    /// A test takes long.
    Slow(String),
    /// A test program ended; its own summary.
    Ended(String),
}

impl Results {
    /// Takes one line.
    pub(super) fn line(&mut self, line: &str) -> Option<News> {
        let trimmed = line.trim();
        if let Some(program) = program(trimmed) {
            self.unfinished();
            self.program = Some(program.clone());
            return Some(News::Program(program));
        }
        if let Some((name, reason)) =
            trimmed.strip_prefix("SKIPPED: ").and_then(|rest| rest.split_once(": "))
        {
            self.skipped.insert(name.to_owned(), reason.to_owned());
        }
        if let Some(summary) = trimmed.strip_prefix("test result: ") {
            self.passed += count(summary, "passed");
            self.ignored += count(summary, "ignored");
            self.in_failures = false;
            return self.program.take().map(|program| News::Ended(format!("{program}: {summary}")));
        }
        if trimmed == "failures:" {
            self.in_failures = true;
        } else if self.in_failures {
            self.details.push(line.to_owned());
        }
        self.test(trimmed)
    }

    fn test(&mut self, line: &str) -> Option<News> {
        let rest = line.strip_prefix("test ")?;
        if let Some((name, _)) = rest.split_once(" has been running for over") {
            return Some(News::Slow(name.to_owned()));
        }
        let name = self.full_name(rest.strip_suffix(" ... FAILED")?);
        self.failed.push(name.clone());
        Some(News::Failed(name))
    }

    fn full_name(&self, test: &str) -> String {
        match &self.program {
            Some(program) => format!("{program}: {test}"),
            None => test.to_owned(),
        }
    }

    /// A program without a result was killed or ended itself.
    fn unfinished(&mut self) {
        if let Some(program) = self.program.take() {
            self.failed.push(format!("{program}: ended without a result"));
        }
    }

    /// Call it when the last line was taken; `success` is what cargo's exit code said.
    pub(super) fn finish(&mut self, success: bool) {
        self.unfinished();
        if !success && self.failed.is_empty() {
            self.failed.push("cargo test failed before or after the tests".to_owned());
        }
    }

    /// How many tests failed.
    pub(super) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// How many tests were not run.
    pub(super) fn skipped(&self) -> usize {
        self.skipped.len() + self.ignored
    }

    /// `123 passed, 0 failed, 2 skipped`
    pub(super) fn summary(&self) -> String {
        let passed = self.passed.saturating_sub(self.skipped.len());
        format!("{passed} passed, {} failed, {} skipped", self.failed(), self.skipped())
    }

    /// What the failed tests said, then who failed and who was skipped.
    pub(super) fn report(&self) -> String {
        let failed = self.failed.iter().map(|name| format!("FAILED   {name}"));
        let skipped =
            self.skipped.iter().map(|(name, reason)| format!("SKIPPED  {name}: {reason}"));
        self.details.iter().cloned().chain(failed).chain(skipped).collect::<Vec<_>>().join("\n")
    }
}

/// `crds unittests src/lib.rs` from the lines by which cargo announces a test program.
fn program(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} doc tests"));
    }
    let (what, file) = line.strip_prefix("Running ")?.split_once(" (")?;
    let file = file.strip_suffix(')')?.rsplit('/').next()?;
    let (name, _hash) = file.rsplit_once('-')?;
    Some(format!("{name} {what}"))
}

/// The number before `word` in `ok. 5 passed; 0 failed; 1 ignored; …`.
fn count(summary: &str, word: &str) -> usize {
    let part = summary.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(word));
    part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, success: bool) -> Results {
        let mut results = Results::default();
        text.lines().for_each(|line| drop(results.line(line)));
        results.finish(success);
        results
    }

    const GREEN: &str = "     Running unittests src/lib.rs (target/debug/deps/crds-0a1b2c3d4e5f)

running 3 tests
test a ... ok
test b ... ok
test c ... ignored
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests crds
running 1 test
test crds/src/lib.rs - (line 3) ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s
";

    #[test]
    fn green_runs_are_summed_over_programs() {
        assert_eq!(read(GREEN, true).summary(), "3 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        let text = format!(
            "{GREEN}     Running tests/x.rs (target/debug/deps/x-1)\nSKIPPED: neon_cli: node is missing\nSKIPPED: neon_cli: node is missing\ntest result: ok. 2 passed; 0 failed; 0 ignored;\n"
        );
        let results = read(&text, true);
        assert_eq!(results.summary(), "4 passed, 0 failed, 2 skipped");
        assert!(results.report().contains("SKIPPED  neon_cli: node is missing"));
    }

    #[test]
    fn failures_are_named_and_quoted() {
        let text = "     Running suites/main.rs (target/debug/deps/acceptance-77)
test journey::first ... FAILED
test journey::second has been running for over 60 seconds
test journey::second ... ok

failures:

---- journey::first stdout ----
it was blue

failures:
    journey::first

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.0s
error: test failed, to rerun pass `-p acceptance --test acceptance`
";
        let results = read(text, false);
        assert_eq!(results.summary(), "1 passed, 1 failed, 0 skipped");
        let report = results.report();
        assert!(
            report.contains("it was blue")
                && report.contains("FAILED   acceptance suites/main.rs: journey::first")
        );
    }

    #[test]
    fn a_killed_test_program_is_a_failure() {
        let text =
            "     Running unittests src/lib.rs (target/debug/deps/operator-9)\ntest a ... ok\n";
        assert_eq!(read(text, false).summary(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_failed_build_is_a_failure() {
        assert_eq!(
            read("error[E0308]: mismatched types\n", false).summary(),
            "0 passed, 1 failed, 0 skipped"
        );
    }
}
