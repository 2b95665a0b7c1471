//! One run of the stack: its folder, its logs, its children, and how all of it ends.
//!
//! In: children as they are started, each with the signal that stops it. Out: nothing left when it is dropped. When we are
//! killed, the kernel kills the children and a tiny watcher removes the folder; what even that misses is removed by the
//! next start. Logs stay, in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::child::Child;
use crate::run_folder::RunFolder;
use crate::user::User;

/// How a part is stopped, in the order in which parts are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM and time to finish what is in hand: the operator and other programs under test.
    Gracefully,
    /// SIGQUIT: Postgres goes at once and gives its shared memory back.
    Quit,
    /// SIGKILL: its data is thrown away with the run.
    Kill,
}

/// A run in progress.
#[derive(Debug)]
pub struct Run {
    folder: RunFolder,
    logs: PathBuf,
    /// None once the run is being stopped: nothing may start after that.
    parts: Mutex<Option<Vec<(Child, Stop)>>>,
}

static LIVE: Mutex<Vec<Weak<Run>>> = Mutex::new(Vec::new());

impl Run {
    /// A fresh folder and log folder; removes what dead runs have left.
    pub fn create() -> Result<Arc<Self>> {
        let folder = RunFolder::create()?;
        let logs = crate::run_folder::create_log_folder()?;
        let run = Arc::new(Self { folder, logs, parts: Mutex::new(Some(Vec::new())) });
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&run));
        Ok(run)
    }

    /// The folder of this run's data, gone afterwards.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of this run's logs, which stays.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// A subfolder of the run's folder.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Starts a part; `user` is whom it runs as.
    pub fn spawn(
        &self,
        name: &str,
        command: &Command,
        user: Option<&User>,
        stop: Stop,
    ) -> Result<Child> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = parts.as_mut().context("the stack is being stopped")?;
        let child = Child::spawn(name, command, user, &self.log_file(name))?;
        parts.push((child.clone(), stop));
        Ok(child)
    }

    /// The parts that run now.
    pub fn running(&self) -> Vec<Child> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let all = parts.iter().flatten().map(|(child, _)| child);
        all.filter(|child| child.is_running()).cloned().collect()
    }

    fn log_file(&self, name: &str) -> PathBuf {
        (1..)
            .map(|n| if n == 1 { format!("{name}.log") } else { format!("{name}-{n}.log") })
            .map(|file| self.logs.join(file))
            .find(|path| !path.exists())
            .unwrap_or_else(|| self.logs.join(format!("{name}.log")))
    }

    /// Stops every part: first what deserves time, then the rest at once, then the folder. Safe to call twice.
    pub fn stop(&self) {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut parts = parts.unwrap_or_default();
        parts.reverse();
        end(&parts, Stop::Gracefully, Signal::TERM, Duration::from_secs(10));
        end(&parts, Stop::Quit, Signal::QUIT, Duration::from_secs(3));
        end(&parts, Stop::Kill, Signal::KILL, Duration::from_secs(3));
        self.folder.remove();
    }
}

fn end(parts: &[(Child, Stop)], which: Stop, signal: Signal, patience: Duration) {
    let these: Vec<&Child> =
        parts.iter().filter(|(_, stop)| *stop == which).map(|(child, _)| child).collect();
    these.iter().for_each(|child| child.signal(signal));
    for child in these {
        if child.wait(patience).is_err() {
            child.kill9();
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Stops every run of this process: what a signal handler calls.
pub fn stop_all() {
    let live = std::mem::take(&mut *LIVE.lock().unwrap_or_else(PoisonError::into_inner));
    live.iter().filter_map(Weak::upgrade).for_each(|run| run.stop());
}
