//! Tenants: the object that declares a person's database, what the operator says of it, and the way in.
//!
//! In: a tenant's id. Out: its state as the cluster tells it, or a pool of connections to its database. The object is
//! created once and deleted once, never changed; the Secret is read when a pool is opened. Neon is not known here.

mod ask;
mod create;
mod directory;
mod heal;
mod pools;
mod remove;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::VectorTenant;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{Api, Client, ResourceExt};
use sqlx::PgPool;
use uuid::Uuid;

use crate::args::TenantArgs;

pub use create::ensure;
pub use directory::follow;
pub use heal::heal;
pub use pools::{SESSION, is_passing};
pub use remove::remove;

/// The schema that this app's queries need; a database that is older is being upgraded by the operator.
pub const LEAST_SCHEMA: i64 = 2;

/// How long one request to Kubernetes may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Marks the objects that this app created.
const MANAGED_BY: &str = "tenantry-app";
/// Names the tenant on its object.
const TENANT_LABEL: &str = "tenantry-app/tenant";

/// Why a tenant's database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is being made.
    #[error("the database is being prepared")]
    Preparing,
    /// Its schema is older than what this app needs.
    #[error("the database is being upgraded")]
    Upgrading,
    /// There is no such tenant, or its object is gone.
    #[error("the tenant is gone")]
    Gone,
    /// It does not let us in.
    #[error("the tenant's database does not answer: {0}")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Kubernetes does not answer.
    #[error("the Kubernetes API does not answer, or refuses: {0}")]
    Kubernetes(#[source] Box<kube::Error>),
    /// The main database does not answer.
    #[error(transparent)]
    Main(#[from] sqlx::Error),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// What is known of a tenant's database.
#[derive(Clone, Debug, PartialEq)]
pub enum TenantState {
    /// It is being made; the operator's conditions say how far it is.
    Preparing(Vec<Condition>),
    /// Its schema is older than what this app needs.
    Upgrading,
    /// It can be used.
    Ready {
        /// Dimensions of its vectors.
        dimensions: i32,
    },
    /// There is no object yet.
    Missing,
    /// Somebody removed the object, and with it the database.
    Gone,
    /// It is being removed.
    Deleting,
}

/// The way into a tenant's database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Connections, opened when needed and closed when idle.
    pub pool: PgPool,
    /// Dimensions of its vectors.
    pub dimensions: i32,
}

/// All tenants of this app.
#[derive(Clone)]
pub struct Tenants {
    db: PgPool,
    client: Client,
    /// UIDs of objects, once they are known.
    uids: Arc<Mutex<HashMap<Uuid, String>>>,
    namespace: String,
    template: Template,
    directory: directory::Directory,
    pools: pools::Pools,
    patience: Duration,
}

/// What a new tenant's object declares.
#[derive(Clone, Debug)]
struct Template {
    region: String,
    min: String,
    max: String,
    dimensions: i32,
}

impl Tenants {
    /// Reads the configuration; nothing is asked yet.
    ///
    /// # Errors
    /// When the certificate authority cannot be read; the text names the flag.
    pub fn new(
        db: PgPool,
        client: Client,
        args: &TenantArgs,
        dimensions: i32,
    ) -> Result<Self, String> {
        check(args)?;
        let root_ca = args.tenant_db_ca_file.as_deref().map(read_ca).transpose()?;
        let template = Template {
            region: args.tenant_region.clone(),
            min: args.tenant_min_cu.clone(),
            max: args.tenant_max_cu.clone(),
            dimensions,
        };
        Ok(Self {
            db,
            client,
            uids: Arc::default(),
            namespace: args.namespace.clone(),
            template,
            directory: directory::Directory::new(&args.namespace),
            pools: pools::Pools::new(args, root_ca),
            patience: args.tenant_connect_seconds,
        })
    }

    fn objects(&self) -> Api<VectorTenant> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What the cluster says of the tenant's database, as of now.
    #[must_use]
    pub fn state(&self, tenant: Uuid) -> TenantState {
        match self.directory.get(tenant) {
            Some(object) => directory::state(&object),
            None if self.is_listed() && self.uids().contains_key(&tenant) => TenantState::Gone,
            None => TenantState::Missing,
        }
    }

    /// How many tenants are in which phase, as the cluster tells it.
    #[must_use]
    pub fn phases(&self) -> [(&'static str, i64); 4] {
        let (mut ready, mut preparing, mut upgrading, mut deleting) = (0, 0, 0, 0);
        for object in self.directory.all().iter().filter(|object| tenant_of(object).is_some()) {
            match directory::state(object) {
                TenantState::Ready { dimensions: _ } => ready += 1,
                TenantState::Preparing(_) | TenantState::Missing => preparing += 1,
                TenantState::Upgrading => upgrading += 1,
                TenantState::Deleting | TenantState::Gone => deleting += 1,
            }
        }
        [
            ("ready", ready),
            ("preparing", preparing),
            ("upgrading", upgrading),
            ("deleting", deleting),
        ]
    }

    fn uids(&self) -> MutexGuard<'_, HashMap<Uuid, String>> {
        self.uids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The UID of the object that was made for a tenant, as somebody has just read it from its row.
    pub fn learn_uid(&self, tenant: Uuid, uid: Option<String>) {
        match uid {
            Some(uid) => self.uids().insert(tenant, uid),
            None => self.uids().remove(&tenant),
        };
    }

    /// What a person may know of where their data is: label and value.
    #[must_use]
    pub fn facts(&self, tenant: Uuid) -> Vec<(&'static str, String)> {
        let Some(object) = self.directory.get(tenant) else {
            return Vec::new();
        };
        let status = object.status.clone().unwrap_or_default();
        let mut facts = vec![("Region", object.spec.region.clone())];
        facts.extend(status.project_id.map(|id| ("Neon project", id)));
        facts.extend(status.schema_version.map(|version| ("Schema", version.to_string())));
        facts
    }

    /// Tenants whose state may have changed, as it happens.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Uuid> {
        self.directory.changes()
    }

    /// Whether the list of tenants has been read since the start.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.directory.is_listed()
    }

    /// Tenants whose databases this process has a pool for.
    #[must_use]
    pub async fn open_pools(&self) -> u64 {
        self.pools.count().await
    }

    /// The UID of the object that was made for the tenant, once there is one.
    async fn uid_of(&self, tenant: Uuid) -> Result<Option<String>, sqlx::Error> {
        let known = self.uids().get(&tenant).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let uid: Option<Option<String>> =
            sqlx::query_scalar("select object_uid from tenants where id = $1")
                .bind(tenant)
                .fetch_optional(&self.db)
                .await?;
        let uid = uid.flatten();
        self.learn_uid(tenant, uid.clone());
        Ok(uid)
    }
}

/// One request to Kubernetes, which may be there and not answer.
async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(answer) => Ok(answer?),
        Err(late) => Err(Error::Unreachable(format!("the Kubernetes API: {late}").into())),
    }
}

/// Name of a tenant's object. It comes from the id alone: nothing of a person is in it.
#[must_use]
pub fn object_name(tenant: Uuid) -> String {
    format!("t-{}", tenant.simple())
}

fn labels(tenant: Uuid) -> BTreeMap<String, String> {
    let label = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        label("app.kubernetes.io/managed-by", MANAGED_BY.to_owned()),
        label(TENANT_LABEL, tenant.to_string()),
    ])
}

/// The tenant that an object is of, if it is one of ours.
fn tenant_of(object: &VectorTenant) -> Option<Uuid> {
    let label = object.metadata.labels.as_ref()?.get(TENANT_LABEL)?;
    let tenant = Uuid::from_str(label).ok()?;
    (object.metadata.name.as_deref() == Some(object_name(tenant).as_str())).then_some(tenant)
}

/// Whether an object of the tenant's name was made for it by this app.
fn is_of(object: &VectorTenant, tenant: Uuid) -> bool {
    object.labels().get(TENANT_LABEL) == Some(&tenant.to_string())
}

/// What a new tenant's object would be refused for, told at the start and not to the first person who signs up.
fn check(args: &TenantArgs) -> Result<(), String> {
    let size = |flag: &str, text: &str| match text.parse::<f64>() {
        Ok(size) if (0.25..=56.0).contains(&size) => Ok(size),
        Ok(_) | Err(_) => Err(format!(
            "{flag} '{text}': compute units are a number from 0.25 to 56, such as 0.25 or 2"
        )),
    };
    let smallest = size("--tenant-min-cu", &args.tenant_min_cu)?;
    if smallest > size("--tenant-max-cu", &args.tenant_max_cu)? {
        return Err("--tenant-min-cu must not be greater than --tenant-max-cu".to_owned());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = |flag: &str, text: &str| {
        if text.is_empty() || text.len() > 63 || !text.chars().all(plain) {
            return Err(format!(
                "{flag} '{text}': lower-case letters, digits and hyphens are needed"
            ));
        }
        Ok(())
    };
    name("--tenant-region", &args.tenant_region)?;
    name("--namespace", &args.namespace)
}

fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path)
        .map_err(|error| format!("--tenant-db-ca-file {}: {error}", path.display()))?;
    if String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE") {
        Ok(pem)
    } else {
        Err("--tenant-db-ca-file holds no certificate in PEM form".to_owned())
    }
}
