//! What an operator is started with. In: names, flags, environment. Out: namespaces and, unless told otherwise, a process.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use stack::Child;
use tokio::sync::Semaphore;

use super::TestOperator;
use crate::emulator::Emulator;
use crate::environment::Environment;
use crate::space::Space;
use crate::world::world;

/// So many tests have operators at a time. A test that wants a second one drops its first, or they wait for each other.
static SLOTS: Semaphore = Semaphore::const_new(4);

/// What an operator is started with.
pub struct Setup {
    pub(super) name: String,
    spaces: usize,
    /// Name and value; without a value, the flag is left out.
    flags: Vec<(String, Option<String>)>,
    environment: Environment,
    idle: bool,
}

impl Setup {
    pub(super) fn new(name: &str) -> Self {
        let (flags, environment) = (Vec::new(), Environment::default());
        Self { name: name.to_owned(), spaces: 1, flags, environment, idle: false }
    }

    /// So many namespaces.
    #[must_use]
    pub fn namespaces(mut self, count: usize) -> Self {
        self.spaces = count;
        self
    }

    /// A flag with its value; it wins over one that the harness or the stack sets.
    #[must_use]
    pub fn flag(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let value = value.as_ref().to_string_lossy().into_owned();
        self.flags.push((name.to_owned(), Some(value)));
        self
    }

    /// Without a flag that the harness or the stack sets.
    #[must_use]
    pub fn without_flag(mut self, name: &str) -> Self {
        self.flags.push((name.to_owned(), None));
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.set(name, value);
        self
    }

    /// Without an environment variable that the harness sets.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.leave_out(name);
        self
    }

    /// After so many seconds a settled tenant is compared with Neon again.
    #[must_use]
    pub fn resync(self, seconds: f64) -> Self {
        self.flag("--resync-seconds", seconds.to_string())
    }

    /// For so many seconds a lost request may still take effect.
    #[must_use]
    pub fn create_grace(self, seconds: f64) -> Self {
        self.flag("--create-grace-seconds", seconds.to_string())
    }

    /// Migrations from a folder instead of the built-in ones.
    #[must_use]
    pub fn migrations(self, folder: &Path) -> Self {
        self.flag("--tenant-migrations", folder)
    }

    /// No process yet: `begin` starts one.
    #[must_use]
    pub fn idle(mut self) -> Self {
        self.idle = true;
        self
    }

    /// Makes the namespaces and starts the process.
    pub async fn start(self) -> Result<TestOperator> {
        let idle = self.idle;
        let slot = SLOTS.acquire().await?;
        let world = world()?;
        let client = world.client().await?;
        let neon = Emulator::new(world.stack().neon_control_url())?;
        let operators = Arc::<Mutex<Vec<Child>>>::default();
        let tag = stack::paths::random_hex(3)?;
        let mut spaces = Vec::new();
        for number in 0..self.spaces.max(1) {
            let namespace = format!("{}-{number}-{tag}", self.name);
            let object = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
            let namespaces: Api<Namespace> = Api::all(client.clone());
            namespaces.create(&PostParams::default(), &object).await.context("namespace")?;
            spaces.push(Space::new(namespace, client.clone(), neon.clone(), operators.clone()));
        }
        let operator = TestOperator {
            world,
            setup: Mutex::new(self),
            spaces,
            operators,
            http: reqwest::Client::builder().no_proxy().build()?,
            _slot: slot,
        };
        if !idle {
            operator.begin().await?;
        }
        Ok(operator)
    }

    /// The next process gets this flag too.
    pub(super) fn push_flag(&mut self, name: &str, value: String) {
        self.flags.push((name.to_owned(), Some(value)));
    }

    /// The command line: the stack's, changed as this says. clap takes a flag once: of several, the last is kept.
    pub(super) fn command(&self, base: &Command, namespaces: &[&str]) -> Command {
        let own: Vec<_> = base.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let own = own.chunks_exact(2).map(|pair| (pair[0].clone(), Some(pair[1].clone())));
        let mut kept: Vec<(String, Option<String>)> = Vec::new();
        for (name, value) in own.chain(self.flags.iter().cloned()) {
            kept.retain(|(earlier, _)| *earlier != name);
            kept.push((name, value));
        }
        let mut command = Command::new(base.get_program());
        command.args(kept.into_iter().filter_map(|(name, value)| Some([name, value?])).flatten());
        command.args(["--namespaces", &namespaces.join(",")]);
        for (name, value) in base.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.environment.apply(&mut command);
        command
    }
}
