//! Says what was done, as a test program would, so that `stack` counts it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// Longer than any part takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(480);

pub(crate) struct Steps {
    passed: usize,
    failed: Option<String>,
    details: String,
    started: Instant,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        println!("     Running as pods (e2e-pods-node)");
        Self { passed: 0, failed: None, details: String::new(), started: Instant::now() }
    }

    /// Does one part and says how it went.
    pub(crate) async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        let done = tokio::time::timeout(PATIENCE, work).await;
        let done = done.unwrap_or_else(|_| Err(anyhow!("not done within {PATIENCE:?}")));
        match done {
            Ok(value) => {
                println!("test {name} ... ok");
                println!("   {name}: {:.1} s", begun.elapsed().as_secs_f64());
                self.passed += 1;
                Ok(value)
            }
            Err(error) => {
                println!("test {name} ... FAILED");
                self.failed = Some(name.to_owned());
                Err(error).with_context(|| name.to_owned())
            }
        }
    }

    /// Something that helps to understand a failure.
    pub(crate) fn detail(&mut self, text: &str) {
        let _ = writeln!(self.details, "{text}");
    }

    pub(crate) fn end(self, walked: Result<()>) -> ExitCode {
        let failed = match walked {
            Ok(()) => 0,
            Err(error) => {
                let name = self.failed.unwrap_or_default();
                println!("\nfailures:\n\n---- {name} stdout ----\n{error:?}\n{}", self.details);
                1
            }
        };
        let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, self.passed);
        let seconds = self.started.elapsed().as_secs_f64();
        println!(
            "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s"
        );
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
