//! The app's process, with an operator, a main database and files of its own.
//!
//! In: a name, flags. Out: [`TestApp`], which starts, kills and restarts the process, knows what stands in its database, and
//! lets people in: a [`Person`] is a browser without a screen. Dropping it ends the process.

mod person;
mod setup;
mod talk;

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use sqlx::PgPool;
use stack::{App, Child};

use crate::process::{TestOperator, blocking};
use crate::wait::{PATIENCE, wait_until};

pub use person::{Answer, Person};
pub use setup::AppSetup;
pub use talk::{Stream, Turn, harmless, numbers, question, question_about, text_of};

/// An app and everything that it needs.
pub struct TestApp {
    /// The operator, and the namespace that both serve.
    pub operator: TestOperator,
    /// The main database.
    pub db: PgPool,
    setup: AppSetup,
    database: String,
    command: std::process::Command,
    processes: Mutex<Vec<Child>>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.processes().iter().for_each(Child::kill9);
    }
}

impl TestApp {
    /// An app with an operator.
    pub async fn start(name: &str) -> Result<Self> {
        Self::named(name).start().await
    }

    /// The same, to be set up further.
    #[must_use]
    pub fn named(name: &str) -> AppSetup {
        AppSetup::new(name)
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Child>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one more process and waits until it is ready.
    pub async fn begin(&self) -> Result<()> {
        self.begin_unready().await?;
        wait_until("the app is ready", PATIENCE, async || {
            let (status, text) = self.admin("/readyz").await?;
            ensure!(status == 200, "{status}: {text}");
            Ok(())
        })
        .await
    }

    /// Starts one more process and waits until it listens.
    pub async fn begin_unready(&self) -> Result<()> {
        let name = format!("app-{}", self.setup.name);
        let child = self.operator.world.stack().spawn(&name, &self.command)?;
        self.processes().push(child.clone());
        blocking(move || App::of(child)).await.map(drop)
    }

    /// Starts a second process beside the first, on the same databases and files but at an address of its own; where it serves people.
    pub async fn begin_beside(&self) -> Result<String> {
        let command = self.setup.command(&self.operator, &self.database)?;
        let name = format!("app-{}", self.setup.name);
        let child = self.operator.world.stack().spawn(&name, &command)?;
        self.processes().insert(0, child.clone());
        Ok(blocking(move || App::of(child)).await?.url)
    }

    /// The newest process.
    pub fn process(&self) -> Child {
        self.processes().last().cloned().expect("an app was started")
    }

    /// SIGKILL to the newest process, and a new one.
    pub async fn kill_and_begin(&self) -> Result<()> {
        self.process().kill9();
        self.begin().await
    }

    /// SIGTERM to the newest process; how it ended.
    pub async fn end(&self) -> Result<ExitStatus> {
        let child = self.process();
        child.terminate();
        blocking(move || child.wait(PATIENCE)).await
    }

    /// Everything that all processes of this test have said.
    pub fn log_text(&self) -> String {
        self.processes().iter().map(Child::log_text).collect()
    }

    /// Where the newest process serves people.
    pub fn url(&self) -> Result<String> {
        Ok(App::of(self.process())?.url)
    }

    /// A page of the admin address: status and text.
    pub async fn admin(&self, path: &str) -> Result<(u16, String)> {
        let response =
            reqwest::get(format!("{}{path}", App::of(self.process())?.admin_url)).await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Result<Person> {
        Person::new(&self.url()?)
    }

    /// Somebody who has signed in with the demo login.
    pub async fn person(&self, name: &str) -> Result<Person> {
        let person = self.stranger()?;
        person.sign_in(name).await?;
        Ok(person)
    }

    /// The same, once their database is ready.
    pub async fn ready_person(&self, name: &str) -> Result<Person> {
        let person = self.person(name).await?;
        self.wait_database(name).await?;
        Ok(person)
    }

    /// The tenant of somebody who signed in with the demo login: its id and its object's name.
    pub async fn tenant_of(&self, name: &str) -> Result<(String, String)> {
        let found: (String, String) = sqlx::query_as(
            "select t.id::text, t.object_name from users u join members m on m.user_id = u.id
             join tenants t on t.id = m.tenant_id and t.deleted_at is null where u.subject = $1",
        )
        .bind(name.to_lowercase())
        .fetch_one(&self.db)
        .await
        .with_context(|| format!("the tenant of {name}"))?;
        Ok(found)
    }

    /// Waits until the operator calls somebody's database ready.
    pub async fn wait_database(&self, name: &str) -> Result<()> {
        let (_, object) = self.tenant_of(name).await?;
        self.operator.wait_ready(&object).await.map(drop)
    }

    /// Waits until a document has a stage.
    pub async fn wait_stage(&self, document: &str, stage: &str) -> Result<()> {
        wait_until(&format!("document {document} is {stage}"), PATIENCE, async || {
            let (now, failure): (String, Option<String>) =
                sqlx::query_as("select stage, failure from documents where id = $1::uuid")
                    .bind(document)
                    .fetch_one(&self.db)
                    .await?;
            ensure!(now == stage, "it is {now} ({failure:?})");
            Ok(())
        })
        .await
    }

    /// One number from the main database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        let (count,): (i64,) = sqlx::query_as(sql).fetch_one(&self.db).await?;
        Ok(count)
    }

    /// One number from somebody's own database.
    pub async fn tenant_count(&self, name: &str, sql: &'static str) -> Result<i64> {
        let (_, object) = self.tenant_of(name).await?;
        let mut session = self.operator.binding(&object).await?.connect().await?;
        let (count,): (i64,) = sqlx::query_as(sql).fetch_one(&mut session).await?;
        Ok(count)
    }
}
