//! The floor: what Postgres itself asks for a tenant, on bare connections and nothing around it.
//!
//! In: the administrator's URL, the authority of the server's certificate, the migration files. Out: roles and databases
//! with the tenant schema, made (and dropped) by the statements that the emulator and the operator use, and how long each
//! part took. No API, no Kubernetes, no bookkeeping of migrations. A lane is one open administrator's connection; the log-in
//! as the tenant is new each time, over TLS with the certificate and host name checked, as the operator does it.

mod password;
mod session;

use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde::Serialize;
use tokio_postgres::Config;

pub(crate) use session::{Server, Session};

/// As `spec.vector.dimensions` has it when nothing is said.
const DIMENSIONS: i32 = 1536;
/// The emulator's `--create-strategy`.
const STRATEGY: &str = "file_copy";

/// How to reach Postgres, and the schema.
pub(crate) struct Floor {
    admin: Config,
    server: Server,
    migrations: Vec<String>,
}

/// Seconds of each part of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Parts {
    pub(crate) role: f64,
    pub(crate) database: f64,
    pub(crate) log_in: f64,
    pub(crate) schema: f64,
    pub(crate) close: f64,
}

impl Parts {
    pub(crate) fn named(&self) -> [(&'static str, f64); 5] {
        let Self { role, database, log_in, schema, close } = *self;
        [
            ("create role", role),
            ("create database", database),
            ("log in", log_in),
            ("schema", schema),
            ("close", close),
        ]
    }

    pub(crate) fn total(&self) -> f64 {
        self.named().iter().map(|(_, seconds)| seconds).sum()
    }
}

impl Floor {
    /// On a stack's Postgres, with the schema of the checkout.
    pub(crate) fn of(stack: &stack::Stack) -> Result<Self> {
        let migrations = stack::paths::checkout().join("tenant_migrations");
        Self::new(stack.postgres_url(), &stack.ca_file(), &migrations)
    }

    fn new(url: &str, authority: &Path, migrations: &Path) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(migrations)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|file| file.to_string_lossy().ends_with(".sql"));
        files.retain(|file| !file.to_string_lossy().ends_with(".down.sql"));
        files.sort();
        let texts = files.iter().map(std::fs::read_to_string);
        let admin = Config::from_str(url)?;
        let server = Server::new(&admin, &std::fs::read(authority)?)?;
        Ok(Self { admin, server, migrations: texts.collect::<Result<_, _>>()? })
    }

    /// An open administrator's connection.
    pub(crate) async fn lane(&self) -> Result<Lane<'_>> {
        let admin = self.server.log_in(&self.admin).await;
        let admin = admin.context("the administrator cannot log in")?;
        Ok(Lane { floor: self, admin })
    }

    /// Several.
    pub(crate) async fn lanes(&self, count: usize) -> Result<Vec<Lane<'_>>> {
        try_join_all((0..count).map(|_| self.lane())).await
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<Session> {
        let mut who = Config::new();
        who.user(name).dbname(name).password(password).application_name("floor");
        self.server.log_in(&who).await
    }

    async fn migrate(&self, session: &Session) -> Result<()> {
        session
            .run(&format!(
                "select set_config('tenantry.dimensions', '{DIMENSIONS}', false), \
                 set_config('lock_timeout', '3000ms', false)"
            ))
            .await?;
        for migration in &self.migrations {
            session.run("begin").await?;
            session.run(migration).await?;
            session.run("commit").await?;
        }
        Ok(())
    }
}

/// One administrator's connection, used for one tenant after the other.
pub(crate) struct Lane<'a> {
    floor: &'a Floor,
    admin: Session,
}

impl Lane<'_> {
    /// Everything that a tenant needs.
    pub(crate) async fn make(&self, name: &str) -> Result<Parts> {
        let mut clock = Clock::start();
        let mut parts = Parts::default();
        let password = stack::paths::random_hex(16)?;
        let verifier = password::verifier(&password)?;
        self.admin.run(&format!("create role \"{name}\" login password '{verifier}'")).await?;
        parts.role = clock.lap();
        self.admin
            .run(&format!(
                "create database \"{name}\" owner \"{name}\" template template0 strategy {STRATEGY}"
            ))
            .await?;
        self.admin.run(&format!("revoke connect on database \"{name}\" from public")).await?;
        parts.database = clock.lap();
        let session = self.floor.log_in(name, &password).await?;
        parts.log_in = clock.lap();
        self.floor.migrate(&session).await?;
        parts.schema = clock.lap();
        session.close().await?;
        parts.close = clock.lap();
        Ok(parts)
    }

    /// Takes it away again.
    pub(crate) async fn unmake(&self, name: &str) -> Result<()> {
        self.admin.run(&format!("drop database if exists \"{name}\" with (force)")).await?;
        self.admin.run(&format!("drop role if exists \"{name}\"")).await
    }

    /// Everything so far is on its way to the files, so that what is measured next begins with nothing left to write.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        self.admin.run("checkpoint").await
    }
}

/// Seconds since the last lap.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let lap = now - self.0;
        self.0 = now;
        lap.as_secs_f64()
    }
}

/// Shares names out to lanes, each of which takes the next one when it is done with the last. Answers the seconds of it all.
pub(crate) async fn share<T>(
    lanes: &mut [Lane<'_>],
    names: &[String],
    work: impl AsyncFn(&mut Lane<'_>, &str) -> Result<T>,
) -> Result<(f64, Vec<T>)> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let started = Instant::now();
    let runs = lanes.iter_mut().map(async |lane| {
        let mut done = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            done.push(work(lane, name).await?);
        }
        anyhow::Ok(done)
    });
    let done = try_join_all(runs).await?;
    Ok((started.elapsed().as_secs_f64(), done.into_iter().flatten().collect()))
}
