//! What an app is started with. In: a name, flags. Out: an operator, a main database, and a process.

use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result};
use sqlx::PgPool;

use super::TestApp;
use crate::environment::Environment;
use crate::process::TestOperator;

/// What an app is started with.
pub struct AppSetup {
    pub(super) name: String,
    environment: Environment,
    idle: bool,
}

impl AppSetup {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), environment: Environment::default(), idle: false }
    }

    /// An environment variable: every flag has one.
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

    /// No process yet: `begin` starts one.
    #[must_use]
    pub fn idle(mut self) -> Self {
        self.idle = true;
        self
    }

    /// Starts all.
    pub async fn start(self) -> Result<TestApp> {
        let operator = TestOperator::start(&self.name).await?;
        let database = operator.world.stack().main_database("app")?;
        let command = self.command(&operator, &database)?;
        let db = PgPool::connect_lazy(&database).context("the main database")?;
        let idle = self.idle;
        let processes = Mutex::default();
        let app = TestApp { operator, db, setup: self, database, command, processes };
        if !idle {
            app.begin().await?;
        }
        Ok(app)
    }

    /// What starts a process; every call gives it another address.
    pub(super) fn command(&self, operator: &TestOperator, database: &str) -> Result<Command> {
        let mut command = operator.world.stack().app_on(&operator.namespace, database)?;
        command.env("FILES", operator.folder()?.join("files"));
        self.environment.apply(&mut command);
        Ok(command)
    }
}
