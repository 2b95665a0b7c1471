//! Child processes that cannot outlive us.
//!
//! In: a command, a log file. Out: a `Child` handle. Every child asks the kernel for SIGKILL when its parent dies; that
//! request follows the *thread* that spawned it, so all of them are spawned by one thread that lives as long as the process.
//! Each has its own process group, so that a Ctrl-C in the terminal reaches only us and we stop the parts in order.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};

use crate::user::User;

/// A running (or ended) child with its log. Clones are handles to the same process; dropping one stops nothing.
#[derive(Debug, Clone)]
pub struct Child {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    log: PathBuf,
    pid: u32,
    process: Mutex<process::Child>,
}

impl Child {
    /// Starts `command` as `user` (ourselves when none), both of its outputs appended to `log`.
    pub fn spawn(name: &str, command: &Command, user: Option<&User>, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let mut tied = tied_to_us(command, user);
        tied.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let process = spawn_from_lasting_thread(tied)
            .with_context(|| format!("cannot start {name} ({command:?}) by setpriv"))?;
        let (pid, process) = (process.id(), Mutex::new(process));
        let inner = Inner { name: name.to_owned(), log: log.to_path_buf(), pid, process };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the child is called in messages.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    /// The file that holds everything it said.
    pub fn log(&self) -> &Path {
        &self.inner.log
    }

    fn lock(&self) -> MutexGuard<'_, process::Child> {
        self.inner.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its exit status, when it has ended.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.lock().try_wait().ok().flatten()
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    /// Sends a signal; nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut process = self.lock();
        // The lock keeps the pid ours: nobody reaps it between this look and the signal.
        if let (Ok(None), Some(pid)) = (process.try_wait(), raw_pid(self.inner.pid)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill9(&self) {
        self.signal(Signal::KILL);
        let _ = self.wait(Duration::from_secs(10));
    }

    /// SIGKILL to the child and everything in its process group (compilers started by a build, for example).
    pub fn kill_group(&self) {
        if let (true, Some(pid)) = (self.is_running(), raw_pid(self.inner.pid)) {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.wait(Duration::from_secs(10));
        }
    }

    /// SIGTERM. Returns at once; `wait` for the end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end; an error when it still runs after `deadline`.
    pub fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        match poll(deadline, || self.exit_status()) {
            Some(status) => Ok(status),
            None => bail!("{} (pid {}) still runs after {deadline:?}", self.name(), self.pid()),
        }
    }

    /// The whole log so far.
    pub fn log_text(&self) -> String {
        fs::read(&self.inner.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// The first complete log line that contains `needle`; an error with the log's end when the child ends first or takes too long.
    pub fn wait_for_log(&self, needle: &str, deadline: Duration) -> Result<String> {
        let found = poll(deadline, || {
            let ended = !self.is_running();
            let text = self.log_text();
            let line = text
                .split_inclusive('\n')
                .find(|line| line.ends_with('\n') && line.contains(needle));
            line.map(|line| Ok(line.trim_end().to_owned())).or_else(|| ended.then_some(Err(())))
        });
        match found {
            Some(Ok(line)) => Ok(line),
            Some(Err(())) => {
                bail!("{} before it said {needle:?}\n{}", self.epitaph(), self.last_lines(20))
            }
            None => bail!(
                "{} did not say {needle:?} within {deadline:?}\n{}",
                self.name(),
                self.last_lines(20)
            ),
        }
    }

    /// How it ended, in words.
    pub fn epitaph(&self) -> String {
        let name = self.name();
        match self.exit_status() {
            None => format!("{name} still runs"),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("{name} ended with code {code}"),
                (None, Some(signal)) => format!("{name} was ended by signal {signal}"),
                (None, None) => format!("{name} ended"),
            },
        }
    }

    /// The end of its log under the log's path, as a failure shows it.
    pub fn last_lines(&self, count: usize) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let short = |line: &&str| line.chars().take(300).collect::<String>();
        let tail: Vec<String> =
            lines[lines.len().saturating_sub(count)..].iter().map(short).collect();
        let tail = tail.join("\n    ");
        format!("  last lines of {}:\n    {tail}", self.inner.log.display())
    }
}

/// Tries `attempt` until it gives something or the deadline passes; the pauses grow from 2 to 50 ms.
pub fn poll<T>(deadline: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn raw_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// The same command behind `setpriv`, which ties its life to ours and drops the user's privileges where asked.
pub fn tied_to_us(command: &Command, user: Option<&User>) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        tied.args(user.setpriv_args());
    }
    tied.arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(key, value),
            None => tied.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

type Order = (Command, Sender<io::Result<process::Child>>);

/// Spawns on a thread that never ends before the process does.
pub fn spawn_from_lasting_thread(command: Command) -> io::Result<process::Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, answer) = channel();
    spawner.send((command, reply)).map_err(|_| io::Error::other("the spawning thread is gone"))?;
    answer.recv().map_err(|_| io::Error::other("the spawning thread is gone"))?
}
