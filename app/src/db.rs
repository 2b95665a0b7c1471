//! The main database: its pool, its migrations, and what it tells without being asked.
//!
//! In: a connection string. Out: a pool; a broadcast of changes, by LISTEN. After a broken connection everybody is told that
//! anything may have changed, so nobody waits for news that came in between.

use std::{str::FromStr, time::Duration};

use secrecy::ExposeSecret;
use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions},
};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::args::DatabaseArgs;

/// A session that was idle for longer is asked whether it still stands, before it is used.
const TRUSTED: Duration = Duration::from_secs(1);

/// The migrations, built in.
pub static MIGRATIONS: Migrator = Migrator {
    // During an update, or after a step back, a process meets migrations that are newer than itself.
    ignore_missing: true,
    ..sqlx::migrate!("../migrations")
};

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long without news the connection is tried.
const SILENCE: Duration = Duration::from_secs(30);
/// Pause before a broken listener begins anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Documents of a tenant.
    Documents(Uuid),
    /// There is work.
    Jobs,
    /// Anything: news may have been missed.
    Anything,
}

/// Changes as they happen.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Changes {
    /// From now on. Whoever lags behind is told so by the channel, and takes it for [`Change::Anything`].
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    /// Tells everybody.
    pub fn tell(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.0.send(change);
    }
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The connection string cannot be read. It holds a password, so it is not shown.
    #[error(
        "--database-url cannot be read: it looks like postgresql://user:password@host/database"
    )]
    Url,
    /// No connection.
    #[error("the main database (--database-url) cannot be reached: {0}")]
    Unreachable(#[source] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the main database's migrations failed: {0}")]
    Migrations(#[from] sqlx::migrate::MigrateError),
}

/// Connects and brings the schema up to date; several processes may do so at the same time.
///
/// # Errors
/// [`Unusable`].
pub async fn open(args: &DatabaseArgs) -> Result<PgPool, Unusable> {
    let options = PgConnectOptions::from_str(args.database_url.expose_secret())
        .map_err(|_| Unusable::Url)?
        .application_name("tenantry-app");
    let mut migrations =
        PgConnection::connect_with(&options).await.map_err(Unusable::Unreachable)?;
    MIGRATIONS.run_direct(None, &mut migrations, false).await?;
    // A request that waits for a lock, or a session that was left in a transaction, must not keep its connection for ever.
    let options = options.options([
        ("lock_timeout", "5s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ]);
    let pool = trusting()
        .max_connections(args.database_connections)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .map_err(Unusable::Unreachable)?;
    Ok(pool)
}

/// Options of a pool that believes in sessions that were used a moment ago.
///
/// Asking each time costs a round trip for every statement. A session that ended within that moment fails one request; a
/// tenant's is then asked again.
#[must_use]
pub fn trusting() -> PgPoolOptions {
    PgPoolOptions::new().test_before_acquire(false).before_acquire(|session, about| {
        Box::pin(async move {
            if about.idle_for > TRUSTED {
                session.ping().await?;
            }
            Ok(true)
        })
    })
}

/// Passes on what the database tells, until the process ends.
pub async fn listen(pool: PgPool, changes: Changes) {
    loop {
        if let Err(error) = listen_once(&pool, &changes).await {
            tracing::warn!(%error, "news from the main database broke off");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The next news; an error where the connection is dead, which a listener alone would never notice.
async fn next(listener: &mut PgListener) -> Result<Option<PgNotification>, sqlx::Error> {
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(news) => return news,
            Err(_) => {
                let probe = sqlx::query("select 1").execute(&mut *listener);
                tokio::time::timeout(PATIENCE, probe)
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}

async fn listen_once(pool: &PgPool, changes: &Changes) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all(["documents", "jobs"]).await?;
    loop {
        changes.tell(Change::Anything);
        while let Some(news) = next(&mut listener).await? {
            changes.tell(match (news.channel(), Uuid::from_str(news.payload())) {
                ("documents", Ok(tenant)) => Change::Documents(tenant),
                ("jobs", _) => Change::Jobs,
                _ => Change::Anything,
            });
        }
    }
}
