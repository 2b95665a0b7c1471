//! The only way to wait: for a condition, with a deadline. In: an attempt that says why it is not there yet. Out: what
//! it brought, or an error with the last reason.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How long anything may take before a test gives up: machines are noisy, and a test that passes ends much earlier.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the attempt again and again until it succeeds; an error is "not yet", and the last one is shown in the end.
pub async fn wait_until<T>(
    what: &str,
    patience: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + patience;
    let mut pause = Duration::from_millis(5);
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if Instant::now() >= end {
            return Err(anyhow!("waited {patience:?} in vain: {what}\n  last: {error:#}"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
