//! How the stack speaks while it works: one line when something took more than a second, one when it is done.
//!
//! In: what is being done. Out: lines on stderr, so that stdout stays clean for whoever reads the result.
//! Several jobs may speak at once, so every line names its job. It must not decide anything.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The first sign of life, then one every so often.
const FIRST: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(15);

/// One line on stderr, whole even when several threads speak; nothing once we are being stopped, because what fails then fails for that reason.
pub fn line(text: impl AsRef<str>) {
    if !crate::signals::stopping() {
        last_words(text);
    }
}

/// A line that is said even while we are being stopped.
pub(crate) fn last_words(text: impl AsRef<str>) {
    let mut err = std::io::stderr().lock();
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(err, "{}", text.as_ref());
}

/// Runs `work`; says so when it takes more than a second, again every 15 seconds, and how long it took.
pub fn while_doing<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let (done, waiting) = mpsc::channel::<()>();
    let value = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut pause = FIRST;
            while waiting.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                line(format!("   … {what}: {}", human(started.elapsed())));
                pause = AGAIN;
            }
        });
        let value = work();
        drop(done);
        value
    });
    if started.elapsed() > FIRST {
        line(format!("   ✓ {what}: {}", human(started.elapsed())));
    }
    value
}

/// `4.2 s`, `75 s`, `5 min 23 s`.
pub fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_a_person_would_say_them() {
        assert_eq!(human(Duration::from_millis(4240)), "4.2 s");
        assert_eq!(human(Duration::from_secs(75)), "75 s");
        assert_eq!(human(Duration::from_secs(323)), "5 min 23 s");
    }
}
