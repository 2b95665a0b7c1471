//! An operator's process with namespaces of its own.
//!
//! In: a name, flags. Out: [`TestOperator`], which starts, ends, kills and restarts the process, reads its log and its
//! admin pages, and is the [`Space`] of its first namespace. Only a few operators run at a time. Dropping it ends the
//! process and hands what is left to `cleaning`.

mod setup;

use std::ops::Deref;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::Child;
use tokio::sync::SemaphorePermit;

use crate::cleaning;
use crate::space::Space;
use crate::wait::PATIENCE;
use crate::world::World;

pub use setup::Setup;

/// An operator and its namespaces.
pub struct TestOperator {
    pub world: &'static World,
    setup: Mutex<Setup>,
    pub spaces: Vec<Space>,
    operators: Arc<Mutex<Vec<Child>>>,
    http: reqwest::Client,
    _slot: SemaphorePermit<'static>,
}

impl Deref for TestOperator {
    type Target = Space;

    fn deref(&self) -> &Space {
        &self.spaces[0]
    }
}

impl Drop for TestOperator {
    fn drop(&mut self) {
        self.operators().iter().for_each(Child::kill9);
        cleaning::leave(self.spaces.iter().map(|space| space.namespace.clone()).collect());
    }
}

impl TestOperator {
    /// An operator with one namespace and settings that suit a test: resync after 10 s, 2 s of grace.
    pub async fn start(name: &str) -> Result<Self> {
        Self::named(name).start().await
    }

    /// The same, to be set up further.
    #[must_use]
    pub fn named(name: &str) -> Setup {
        Setup::new(name).resync(10.0).create_grace(2.0)
    }

    fn setup(&self) -> MutexGuard<'_, Setup> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operators(&self) -> MutexGuard<'_, Vec<Child>> {
        self.operators.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next process gets this flag too; one that comes later wins.
    pub fn set_flag(&self, name: &str, value: impl AsRef<std::ffi::OsStr>) {
        let value = value.as_ref().to_string_lossy().into_owned();
        self.setup().push_flag(name, value);
    }

    /// The command line of this operator.
    pub fn command(&self) -> Result<std::process::Command> {
        let base = self.world.stack().operator()?;
        let namespaces: Vec<&str> = self.spaces.iter().map(|s| s.namespace.as_str()).collect();
        Ok(self.setup().command(&base, &namespaces))
    }

    /// Starts one more process and waits until it listens; a test may have several at once.
    pub async fn begin(&self) -> Result<Child> {
        let command = self.command()?;
        let name = format!("operator-{}", self.setup().name);
        let child = self.world.stack().spawn(&name, &command)?;
        self.operators().push(child.clone());
        let waiting = child.clone();
        blocking(move || waiting.wait_for_log("listening", PATIENCE)).await?;
        Ok(child)
    }

    /// The newest process.
    pub fn process(&self) -> Child {
        self.operators().last().cloned().expect("an operator was started")
    }

    /// SIGKILL, and nothing after it.
    pub fn kill9(&self) {
        self.process().kill9();
    }

    /// SIGTERM to the newest process; how it ended.
    pub async fn end(&self) -> Result<ExitStatus> {
        self.process().terminate();
        self.ended().await
    }

    /// Waits for the newest process to end by itself.
    pub async fn ended(&self) -> Result<ExitStatus> {
        let child = self.process();
        blocking(move || child.wait(PATIENCE)).await
    }

    /// SIGTERM, and a new process once the old one has ended.
    pub async fn restart(&self) -> Result<()> {
        let status = self.end().await?;
        ensure!(status.success(), "the operator ended with {status}");
        self.begin().await.map(drop)
    }

    /// Everything that all processes of this test have said.
    pub fn log_text(&self) -> String {
        self.operators().iter().map(Child::log_text).collect()
    }

    /// Paths of the logs of all processes of this test.
    pub fn log_files(&self) -> Vec<PathBuf> {
        self.operators().iter().map(|child| child.log().to_path_buf()).collect()
    }

    /// A page of the newest process: status and text.
    pub async fn page(&self, path: &str) -> Result<(u16, String)> {
        self.page_of(&self.process(), path).await
    }

    /// A page of one of several processes.
    pub async fn page_of(&self, process: &Child, path: &str) -> Result<(u16, String)> {
        let address = address(&process.log_text()).context("where the operator listens")?;
        let response = self.http.get(format!("http://{address}{path}")).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        let (status, text) = self.page("/metrics").await?;
        ensure!(status == 200, "/metrics answered {status}: {text}");
        Ok(text)
    }

    /// Value of the sample that the line begins with, such as `name{label="x"}`; 0 where there is none.
    pub async fn metric(&self, sample: &str) -> Result<f64> {
        let text = self.metrics().await?;
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(Ok(0.0), |value| Ok(value.trim().parse()?))
    }

    /// A folder of this test alone, gone with the stack.
    pub fn folder(&self) -> Result<PathBuf> {
        let folder = self.world.stack().scratch_dir()?.join(&self.namespace);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// The address in the line "listening", text or JSON.
fn address(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let rest = &line[line.find("127.0.0.1:")?..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    Some(rest[..end.unwrap_or(rest.len())].to_owned())
}

/// Waiting for a child blocks: not on the test's own thread, which may serve others meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let patient = PATIENCE + Duration::from_secs(10);
    tokio::time::timeout(patient, tokio::task::spawn_blocking(work)).await??
}
