//! The floor: what Postgres itself asks for a tenant, on bare connections and nothing around it.
//!
//! In: the administrator's URL, the authority of the server's certificate, the migration files. Out: roles and databases
//! with the tenant schema, made (and dropped) by the statements that the emulator and the operator use, and how long each
//! part took. No API, no Kubernetes, no bookkeeping of migrations. A lane is one open administrator's connection; the log-in
//! as the tenant is new each time, over TLS with the certificate and host name checked, as the operator does it.

mod password;

use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// As `spec.vector.dimensions` has it when nothing is said.
const DIMENSIONS: i32 = 1536;
/// The emulator's `--create-strategy`.
const STRATEGY: &str = "file_copy";

/// How to reach Postgres, and the schema.
pub(crate) struct Floor {
    admin: PgConnectOptions,
    authority: Vec<u8>,
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
    pub(crate) fn new(url: &str, authority: &Path, migrations: &Path) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(migrations)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|file| file.to_string_lossy().ends_with(".sql"));
        files.retain(|file| !file.to_string_lossy().ends_with(".down.sql"));
        files.sort();
        let texts = files.iter().map(std::fs::read_to_string);
        Ok(Self {
            admin: PgConnectOptions::from_str(url)?.disable_statement_logging(),
            authority: std::fs::read(authority)?,
            migrations: texts.collect::<Result<_, _>>()?,
        })
    }

    /// An open administrator's connection.
    pub(crate) async fn lane(&self) -> Result<Lane<'_>> {
        let admin = self.admin.connect().await.context("the administrator cannot log in")?;
        Ok(Lane { floor: self, admin })
    }

    /// Several.
    pub(crate) async fn lanes(&self, count: usize) -> Result<Vec<Lane<'_>>> {
        try_join_all((0..count).map(|_| self.lane())).await
    }

    /// What a tenant's own session needs to be opened.
    fn tenant(&self, name: &str, password: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(self.admin.get_host())
            .port(self.admin.get_port())
            .database(name)
            .username(name)
            .password(password)
            .application_name("floor")
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert_from_pem(self.authority.clone())
            .disable_statement_logging()
    }

    async fn migrate(&self, session: &mut PgConnection) -> Result<()> {
        sqlx::query("select set_config('tenantry.dimensions', $1, false), set_config('lock_timeout', $2, false)")
            .bind(DIMENSIONS.to_string())
            .bind("3000ms")
            .execute(&mut *session)
            .await?;
        for migration in &self.migrations {
            let mut transaction = session.begin().await?;
            run(&mut transaction, migration.clone()).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// One administrator's connection, used for one tenant after the other.
pub(crate) struct Lane<'a> {
    floor: &'a Floor,
    admin: PgConnection,
}

impl Lane<'_> {
    /// Everything that a tenant needs.
    pub(crate) async fn make(&mut self, name: &str) -> Result<Parts> {
        let mut clock = Clock::start();
        let mut parts = Parts::default();
        let password = stack::paths::random_hex(16)?;
        let verifier = password::verifier(&password)?;
        self.run(format!("create role \"{name}\" login password '{verifier}'")).await?;
        parts.role = clock.lap();
        self.run(format!(
            "create database \"{name}\" owner \"{name}\" template template0 strategy {STRATEGY}"
        ))
        .await?;
        self.run(format!("revoke connect on database \"{name}\" from public")).await?;
        parts.database = clock.lap();
        let mut session = self.floor.tenant(name, &password).connect().await?;
        parts.log_in = clock.lap();
        self.floor.migrate(&mut session).await?;
        parts.schema = clock.lap();
        session.close().await?;
        parts.close = clock.lap();
        Ok(parts)
    }

    /// Takes it away again.
    pub(crate) async fn unmake(&mut self, name: &str) -> Result<()> {
        self.run(format!("drop database if exists \"{name}\" with (force)")).await?;
        self.run(format!("drop role if exists \"{name}\"")).await
    }

    /// Everything so far is on its way to the files, so that what is measured next begins with nothing left to write.
    pub(crate) async fn checkpoint(&mut self) -> Result<()> {
        self.run("checkpoint".to_owned()).await
    }

    async fn run(&mut self, sql: String) -> Result<()> {
        run(&mut self.admin, sql).await
    }
}

async fn run(session: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session).await?;
    Ok(())
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
