//! The memory of the app and of the process that reads a PDF for it, together, every few milliseconds, from `/proc`.
//!
//! In: the app's process id. Out: the peak. A child counts from the moment at which it has become the reader: before that, its
//! memory is the app's own, seen twice.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::results::Peak;
use crate::machine;

const PAUSE: Duration = Duration::from_millis(10);

/// Looks until it is stopped.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
}

impl Sampler {
    pub(super) fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut peak, mut family) = (Peak::default(), Family::of(pid));
            while !asked.load(Ordering::Relaxed) {
                let app = megabytes(pid);
                let child = family.readers().into_iter().map(megabytes).sum();
                peak.app = peak.app.max(app);
                peak.child = peak.child.max(child);
                peak.together = peak.together.max(app + child);
                std::thread::sleep(PAUSE);
            }
            peak
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Result<Peak> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sampler panicked"))
    }
}

fn megabytes(pid: u32) -> f64 {
    machine::memory(pid).map_or(0.0, |memory| memory.now_mb)
}

/// A process and its children; strangers are looked at once only.
struct Family {
    parent: u32,
    strangers: HashSet<u32>,
}

impl Family {
    fn of(parent: u32) -> Self {
        Self { parent, strangers: HashSet::new() }
    }

    fn readers(&mut self) -> Vec<u32> {
        let mut readers = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if self.strangers.contains(&pid) {
                continue;
            }
            if machine::parent(pid) != Some(self.parent) {
                self.strangers.insert(pid);
            } else if fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|words| words.windows(9).any(|word| word == b"\0extract\0"))
            {
                readers.push(pid);
            }
        }
        readers
    }
}
