//! Ctrl-C and SIGTERM, at any moment: everything that this process started is stopped, then it ends.
//!
//! In: signals, once `watch` was called (the binary does; a test program is simply killed, and the kernel and the watcher
//! clean up after it). Out: exit code 128 + signal. A second signal ends at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{node, run, say, tool};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Whether a signal has been received.
pub fn stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// Starts to watch for signals.
pub fn watch() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if STOPPING.swap(true, Ordering::SeqCst) {
                std::process::exit(128 + signal);
            }
            say::last_words("\nStopping everything that was started …");
            thread::spawn(move || {
                tool::stop_all();
                run::stop_all();
                node::namespaces::leave();
                say::last_words("Stopped.");
                std::process::exit(128 + signal);
            });
        }
    });
    Ok(())
}

/// Waits until a signal ends the process.
pub fn wait() -> ! {
    loop {
        thread::park();
    }
}
