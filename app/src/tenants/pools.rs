//! Connections to tenants' databases: a small pool for each tenant that is active, none for the others.
//!
//! In: a tenant, and what the directory says of it. Out: a pool that lets us in. A pool belongs to one revision of the Secret;
//! when that changes, the next request opens another. A pool that nobody holds any more closes by itself, so whoever holds one that
//! was just dropped here goes on with it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::VectorTenant;
use k8s_openapi::api::core::v1::Secret;
use moka::{future::Cache, policy::EvictionPolicy};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;
use uuid::Uuid;

use super::{Database, Error, TenantState, Tenants, directory, within};
use crate::{args::TenantArgs, db};

/// What every session in a tenant's database begins with.
///
/// A filter on documents must not leave an index scan with too few rows. The planner counts a table's own pages, but not the vectors
/// and word lists that stand out of line and are read with each row: a page of an index must look ten times cheaper than one of
/// these, or it reads all vectors where the index takes a quarter of the time. Compiling a search takes longer than the search. A
/// query that nobody waits for any more must not keep its connection. Long values are compressed the quick way, on a server that was
/// built with it.
pub const SESSION: &str = "set hnsw.iterative_scan = strict_order; set random_page_cost = 0.1; set jit = off; set statement_timeout = '20s';
    do $$ begin set default_toast_compression = lz4; exception when invalid_parameter_value then null; end $$";

/// SQLSTATEs: the password, or the role, is not what it was.
const REFUSED: [&str; 2] = ["28P01", "28000"];

/// SQLSTATEs of a server that ended the session: it was stopped, or is waking up.
const ENDED: [&str; 3] = ["57P01", "57P02", "57P03"];

/// A tenant and the revision of its Secret.
type Key = (Uuid, String);

/// Pools by tenant.
#[derive(Clone)]
pub(super) struct Pools {
    cache: Cache<Key, Arc<PgPool>>,
    settings: Settings,
}

#[derive(Clone)]
struct Settings {
    root_ca: Option<Vec<u8>>,
    connections: u32,
    idle: Duration,
    patience: Duration,
}

impl Pools {
    pub(super) fn new(args: &TenantArgs, root_ca: Option<Vec<u8>>) -> Self {
        let cache = Cache::builder()
            .max_capacity(args.tenant_pools)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(args.tenant_idle_seconds * 2)
            .build();
        let settings = Settings {
            root_ca,
            connections: args.tenant_connections,
            idle: args.tenant_idle_seconds,
            patience: args.tenant_connect_seconds,
        };
        Self { cache, settings }
    }

    pub(super) async fn count(&self) -> u64 {
        self.cache.run_pending_tasks().await;
        self.cache.entry_count()
    }

    /// Unless somebody has opened another since.
    async fn forget(&self, key: &Key, pool: &Arc<PgPool>) {
        if self.cache.get(key).await.is_some_and(|now| Arc::ptr_eq(&now, pool)) {
            self.cache.invalidate(key).await;
        }
    }
}

impl Tenants {
    /// A pool of connections to the tenant's own database; at least one has just been proven to work.
    ///
    /// # Errors
    /// When there is no database yet or any more, or it does not let us in before the deadline.
    pub async fn database(&self, tenant: Uuid) -> Result<Database, Error> {
        let deadline = Instant::now() + self.patience;
        let mut changes = self.changes();
        let uid = self.uid_of(tenant).await?;
        loop {
            let object = self.object_of(tenant, uid.as_deref())?;
            let dimensions = match directory::state(&object) {
                TenantState::Ready { dimensions } => dimensions,
                TenantState::Preparing(_) | TenantState::Missing => return Err(Error::Preparing),
                TenantState::Upgrading => return Err(Error::Upgrading),
                TenantState::Deleting | TenantState::Gone => return Err(Error::Gone),
            };
            let binding = object.status.as_ref().and_then(|status| status.binding.clone());
            let binding = binding.ok_or(Error::Preparing)?;
            let key = (tenant, binding.revision.unwrap_or_default());
            let open = self.open(&binding.name);
            let pool = self.pools.cache.try_get_with(key.clone(), open).await.map_err(shared)?;
            match pool.acquire().await {
                Ok(_works) => return Ok(Database { pool: PgPool::clone(&pool), dimensions }),
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    // The Secret that we read is older, or newer, than the password: the next word on it is near.
                    self.pools.forget(&key, &pool).await;
                    let left = deadline.saturating_duration_since(Instant::now());
                    let pause = left.min(Duration::from_millis(250));
                    let _ = tokio::time::timeout(pause, changes.recv()).await;
                }
                Err(error) => return Err(Error::Unreachable(error.into())),
            }
        }
    }

    /// The tenant's object, if it is the one that was made for it: another of the same name holds other data, or none.
    fn object_of(&self, tenant: Uuid, uid: Option<&str>) -> Result<Arc<VectorTenant>, Error> {
        match (self.directory.get(tenant), uid) {
            (Some(object), Some(uid)) if object.metadata.uid.as_deref() != Some(uid) => {
                Err(Error::Gone)
            }
            (Some(object), _) => Ok(object),
            // Somebody removed it; it is not made anew.
            (None, Some(_)) if self.is_listed() => Err(Error::Gone),
            (None, _) => Err(Error::Preparing),
        }
    }

    async fn open(&self, secret: &str) -> Result<Arc<PgPool>, Error> {
        let secret = within(self.secrets().get(secret)).await?;
        let settings = &self.pools.settings;
        let options = connect_options(&secret, settings)?;
        let pool = db::trusting()
            .max_connections(settings.connections)
            .min_connections(0)
            .idle_timeout(settings.idle)
            .acquire_timeout(settings.patience)
            .after_connect(|session, _| {
                Box::pin(async move { sqlx::raw_sql(SESSION).execute(session).await.map(drop) })
            })
            .connect_lazy_with(options);
        Ok(Arc::new(pool))
    }
}

/// Whether asking [`Tenants::database`] once more may help: the session ended under us, the password became another, or the
/// pool was closed because it was idle.
#[must_use]
pub fn is_passing(error: &sqlx::Error) -> bool {
    let lost = matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolClosed);
    lost || has_code(error, &ENDED) || was_rotated(error)
}

fn was_rotated(error: &sqlx::Error) -> bool {
    has_code(error, &REFUSED)
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

/// An error that several requests met together.
fn shared(error: Arc<Error>) -> Error {
    Arc::try_unwrap(error).unwrap_or_else(|shared| match &*shared {
        Error::Preparing => Error::Preparing,
        Error::Upgrading => Error::Upgrading,
        Error::Gone => Error::Gone,
        Error::Unreachable(_) | Error::Kubernetes(_) | Error::Main(_) => {
            Error::Unreachable(shared.to_string().into())
        }
    })
}

/// From the Secret's own string. Its TLS parameters are not used: what is checked is this app's choice.
fn connect_options(secret: &Secret, settings: &Settings) -> Result<PgConnectOptions, Error> {
    let unreadable = || Error::Unreachable("the Secret holds no connection string".into());
    let data = secret.data.as_ref().and_then(|data| data.get("uri")).ok_or_else(unreadable)?;
    let text = std::str::from_utf8(&data.0).map_err(|_| unreadable())?;
    let url = Url::parse(text).map_err(|_| unreadable())?;
    let plain =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(url.host_str().unwrap_or_default())
        .port(url.port().unwrap_or(5432))
        .database(&plain(url.path().trim_start_matches('/')))
        .username(&plain(url.username()))
        .password(&plain(url.password().unwrap_or_default()))
        .application_name("tenantry-app")
        .ssl_mode(PgSslMode::VerifyFull);
    if let Some(pem) = &settings.root_ca {
        options = options.ssl_root_cert_from_pem(pem.clone());
    }
    Ok(options)
}
