//! Runs the programs that install and build things: pip, go, apt-get, cargo.
//!
//! In: a command. Out: nothing, or an error that shows the end of what the program said and where the rest is. A signal
//! to us ends them with everything that they started.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::child::Child;
use crate::{paths, say, signals};

static RUNNING: Mutex<Vec<Child>> = Mutex::new(Vec::new());
/// Longer than any build on a slow machine; a build that hangs ends here.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Runs `command` to its end, saying `what` while it takes long.
pub fn run(what: &str, command: &Command) -> Result<()> {
    let child = start(what, command)?;
    let status = say::while_doing(what, || child.wait(PATIENCE));
    forget(&child);
    if status?.success() {
        return Ok(());
    }
    bail!("{}: {command:?}\n{}", child.epitaph(), child.last_lines(30))
}

/// Runs `command` to its end and hands over each line that it says, as it says it; gives the child, which has ended.
pub fn follow(what: &str, command: &Command, mut on_line: impl FnMut(&str)) -> Result<Child> {
    let child = start(what, command)?;
    let mut said = BufReader::new(File::open(child.log())?);
    let mut line = String::new();
    loop {
        // Asked before reading, so that the last lines of an ended child are still read.
        let running = child.is_running();
        while said.read_line(&mut line)? > 0 && line.ends_with('\n') {
            on_line(line.trim_end());
            line.clear();
        }
        if !running {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    forget(&child);
    Ok(child)
}

fn start(what: &str, command: &Command) -> Result<Child> {
    let log = log_file(what)?;
    let mut running = lock();
    ensure!(!signals::stopping(), "being stopped");
    let child = Child::spawn(what, command, None, &log)?;
    running.push(child.clone());
    Ok(child)
}

fn forget(child: &Child) {
    lock().retain(|other| other.pid() != child.pid());
}

/// Runs `command` and gives what it prints; its complaints are part of the error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| missing(command, &error))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn missing(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    anyhow::anyhow!("cannot run {program}: {error}")
}

fn log_file(what: &str) -> Result<PathBuf> {
    let name: String =
        what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let path =
        paths::cache_folder("install-logs")?.join(format!("{name}-{}.log", std::process::id()));
    // The log of an earlier step of the same name would be taken for this one's.
    let _ = std::fs::remove_file(&path);
    Ok(path)
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every running tool with what it started: what a signal handler calls.
pub fn stop_all() {
    let running = std::mem::take(&mut *lock());
    running.iter().for_each(Child::kill_group);
}
