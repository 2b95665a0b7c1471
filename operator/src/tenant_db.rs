//! A tenant's database: the log-in and the migrations.
//!
//! In: the direct connection and the number of dimensions. Out: the version that the schema has afterwards. A session
//! is opened only to migrate and closed at once, so that a settled tenant's compute can sleep. Nothing here knows of
//! Kubernetes or of the Neon API; a password never reaches an error.

#[cfg(target_os = "linux")]
mod undelayed;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::neon::ConnectionUri;

/// The migrations that are built in.
static EMBEDDED: Migrator = sqlx::migrate!("../tenant_migrations");

/// SQLSTATE: a lock was not to be had within `lock_timeout`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SslMode {
    /// Encrypted; certificate and host name are checked.
    VerifyFull,
    /// Encrypted; the certificate is not checked.
    Require,
}

/// How to reach tenant databases.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Certificate check.
    pub ssl_mode: SslMode,
    /// PEM of a certificate authority that is trusted beside the public ones.
    pub root_ca: Option<Vec<u8>>,
    /// How long a log-in may take, a compute's cold start included.
    pub connect_timeout: Duration,
    /// How long a migration waits for a lock before the tenant's turn is over.
    pub lock_timeout: Duration,
    /// How long all migrations of one tenant may take.
    pub migrate_timeout: Duration,
}

/// An attempt that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No log-in within the time.
    #[error("the database did not answer within {0:?}")]
    Timeout(Duration),
    /// No log-in.
    #[error("the database cannot be reached or refuses the log-in: {0}")]
    Connect(sqlx::Error),
    /// The server's certificate is not trusted.
    #[error("the database's certificate is not trusted: {0}")]
    Certificate(sqlx::Error),
    /// Somebody else holds a lock that a migration needs.
    #[error("a migration waits for a lock that another session holds: {0}")]
    Locked(String),
    /// The database holds other migrations than the operator.
    #[error("the database's migrations differ from the operator's: {0}")]
    Mismatch(String),
    /// A migration's SQL failed.
    #[error("a migration failed: {0}")]
    Migration(String),
    /// The connection broke in the middle.
    #[error("the connection broke while migrating: {0}")]
    Interrupted(String),
}

/// Why a folder of migrations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unloadable {
    /// A file that is no migration, or no folder.
    #[error(transparent)]
    Unreadable(#[from] MigrateError),
    /// Nothing in it is a migration.
    #[error("{0} holds no migration: files are named like 0001_embeddings.sql")]
    Empty(PathBuf),
    /// A file that would be passed over in silence.
    #[error(
        "{0} is named like no migration: name it <number>_<words>.sql, such as 1000_orders.sql"
    )]
    Misnamed(PathBuf),
    /// Two files of one number, of which each database would get one or both.
    #[error("two migrations have the number {0}: give each its own")]
    Twice(i64),
}

/// SQL that the library takes for no migration.
fn misnamed(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_sql = |name: &str| name.to_lowercase().ends_with(".sql");
    let is_passed_over = |name: &str| !name.contains('_') || !name.ends_with(".sql");
    let mut paths = files.map(|file| file.path());
    paths.find(|path| is_sql(&name(path)) && is_passed_over(&name(path)))
}

/// The migrations that tenants get.
pub struct Migrations {
    folder: Option<Migrator>,
}

impl Migrations {
    /// The embedded ones, or those in a folder.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds a file that is no migration.
    pub async fn load(folder: Option<&Path>) -> Result<Self, Unloadable> {
        let Some(path) = folder else { return Ok(Self { folder: None }) };
        let loaded = Self { folder: Some(Migrator::new(path).await?) };
        // A wrong mount or misnamed files; tenants without a schema would be the result.
        let Some(_) = loaded.newest() else { return Err(Unloadable::Empty(path.to_owned())) };
        if let Some(file) = misnamed(path) {
            return Err(Unloadable::Misnamed(file));
        }
        let mut numbers = BTreeSet::new();
        let twice = loaded.versions().find(|number| !numbers.insert(*number));
        match twice {
            Some(number) => Err(Unloadable::Twice(number)),
            None => Ok(loaded),
        }
    }

    fn migrator(&self) -> &Migrator {
        self.folder.as_ref().unwrap_or(&EMBEDDED)
    }

    /// Versions of those that go forward.
    fn versions(&self) -> impl Iterator<Item = i64> {
        let ups = self.migrator().iter().filter(|m| !m.migration_type.is_down_migration());
        ups.map(|migration| migration.version)
    }

    /// Version of the newest one.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.versions().max()
    }

    /// Applies what is missing and answers the version that the database has then.
    ///
    /// sqlx takes an advisory lock first, so that several operators never apply one migration twice.
    ///
    /// # Errors
    /// [`Error`]; the session is closed in every case, which also gives its locks back.
    pub async fn apply(
        &self,
        uri: &ConnectionUri,
        dimensions: i32,
        settings: &Settings,
    ) -> Result<Option<i64>, Error> {
        let mut session = connect(uri, dimensions, settings).await?;
        // `run` borrows in a way that keeps the future from moving between threads; this is the same without.
        let run = self.migrator().run_direct(None, &mut session, false);
        let result = tokio::time::timeout(settings.migrate_timeout, run).await;
        let version = match result {
            Ok(Ok(())) => Ok(self.newest()),
            Ok(Err(error)) => Err(classify(error)),
            Err(_) => Err(Error::Timeout(settings.migrate_timeout)),
        };
        // A server that is gone already needs no good-bye; a good-bye must not hold the tenant up.
        let _ = tokio::time::timeout(Duration::from_secs(1), session.close()).await;
        version
    }
}

/// Logs in and makes the session's settings.
async fn connect(
    uri: &ConnectionUri,
    dimensions: i32,
    settings: &Settings,
) -> Result<PgConnection, Error> {
    let options = options(uri, settings);
    let login = async {
        #[cfg(target_os = "linux")]
        let options = options.socket(undelayed::open(uri.host(), uri.port()).await?);
        let mut session = options.connect().await?;
        // Settings of the session, not of the start-up packet, which a proxy in between may refuse.
        sqlx::query(
            "select set_config('tenantry.dimensions', $1, false), set_config('lock_timeout', $2, false)",
        )
        .bind(dimensions.to_string())
        .bind(format!("{}ms", settings.lock_timeout.as_millis()))
        .execute(&mut session)
        .await?;
        Ok(session)
    };
    match tokio::time::timeout(settings.connect_timeout, login).await {
        Ok(result) => result.map_err(|error: sqlx::Error| {
            let untrusted = error.to_string().contains("invalid peer certificate");
            if untrusted { Error::Certificate(error) } else { Error::Connect(error) }
        }),
        Err(_) => Err(Error::Timeout(settings.connect_timeout)),
    }
}

/// The URI's own TLS parameters are not used: what is checked is the operator's choice.
fn options(uri: &ConnectionUri, settings: &Settings) -> PgConnectOptions {
    let password = uri.password().map(|p| p.expose_secret().to_owned()).unwrap_or_default();
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(uri.host())
        .port(uri.port())
        .database(uri.database())
        .username(uri.user())
        .password(&password)
        .application_name("tenantry-operator")
        .ssl_mode(match settings.ssl_mode {
            SslMode::VerifyFull => PgSslMode::VerifyFull,
            SslMode::Require => PgSslMode::Require,
        })
        .disable_statement_logging();
    if let Some(pem) = &settings.root_ca {
        options = options.ssl_root_cert_from_pem(pem.clone());
    }
    options
}

fn classify(error: MigrateError) -> Error {
    let (database, file) = match &error {
        MigrateError::ExecuteMigration(source, version) => {
            (source, format!("migration {version}: "))
        }
        MigrateError::Execute(source) => (source, String::new()),
        MigrateError::VersionMismatch(_)
        | MigrateError::VersionMissing(_)
        | MigrateError::Dirty(_)
        | MigrateError::VersionTooOld(_, _)
        | MigrateError::VersionTooNew(_, _) => return Error::Mismatch(error.to_string()),
        _ => return Error::Migration(error.to_string()),
    };
    let sqlx::Error::Database(refusal) = database else {
        return Error::Interrupted(format!("{file}{database}"));
    };
    // The server's own words: sqlx would add a line number of the server's source code.
    let code = refusal.code().unwrap_or_default();
    let words = format!("{file}{} (SQLSTATE {code})", refusal.message());
    if code == LOCK_NOT_AVAILABLE { Error::Locked(words) } else { Error::Migration(words) }
}
