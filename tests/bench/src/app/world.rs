//! A namespace, a main database, and the app's processes on them.
//!
//! In: the running parts. Out: apps that are ready, people with their databases, and the door to each of those. Each section of
//! the bench has a world of its own, so that none inherits what another left in memory.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::DeleteParams;
use sqlx::PgPool;
use stack::{App, Stack};
use tokio_postgres::Config;
use uuid::Uuid;

use super::person::{self, Person};
use crate::floor::{Server, Session};
use crate::parts::{Parts, until};
use crate::tenants::Tenants;

const PATIENCE: Duration = Duration::from_secs(60);
/// People who sign up, or databases that are filled, at the same time where there are many.
const AT_ONCE: usize = 8;

/// See above.
pub(super) struct World<'a> {
    stack: &'a Stack,
    namespaces: Api<Namespace>,
    namespace: String,
    database_url: String,
    pub(super) db: PgPool,
    pub(super) http: reqwest::Client,
    tenants: Tenants,
    secrets: Api<Secret>,
}

/// Somebody, and what is theirs.
#[derive(Debug, Clone)]
pub(super) struct Resident {
    pub(super) person: Person,
    pub(super) tenant: Uuid,
    pub(super) object: String,
}

impl<'a> World<'a> {
    pub(super) async fn start(parts: &Parts<'a>, label: &str) -> Result<Self> {
        let stack = parts.stack;
        let namespace = format!("bench-{label}-{}", stack::paths::random_hex(3)?);
        let database_url = tokio::task::block_in_place(|| stack.main_database("bench"))?;
        Ok(Self {
            stack,
            namespaces: Api::all(parts.client.clone()),
            db: PgPool::connect_lazy(&database_url)?,
            database_url,
            http: person::browsers()?,
            tenants: Tenants::watch(parts.client.clone(), &namespace).await?,
            secrets: Api::namespaced(parts.client.clone(), &namespace),
            namespace,
        })
    }

    /// The app with these settings, ready. Nobody is turned away for asking too often.
    pub(super) async fn app(&self, name: &str, settings: &[(&str, String)]) -> Result<App> {
        let app = tokio::task::block_in_place(|| {
            let mut command = self.stack.app_on(&self.namespace, &self.database_url)?;
            command.env("REQUESTS_PER_MINUTE", "100000");
            for (name, value) in settings {
                command.env(name, value);
            }
            self.stack.start_app(name, &command)
        })?;
        let url = format!("{}/readyz", app.admin_url);
        until("the app to be ready", async || {
            let answer = self.http.get(&url).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await?;
        Ok(app)
    }

    /// Somebody new, whose database is ready.
    pub(super) async fn resident(&mut self, app: &App, name: &str) -> Result<Resident> {
        let mut all = self.residents(app, &[name.to_owned()]).await?;
        all.pop().context("nobody signed up")
    }

    /// Many new people, a few at a time, whose databases are ready.
    pub(super) async fn residents(&mut self, app: &App, names: &[String]) -> Result<Vec<Resident>> {
        let this = &*self;
        let all = stream::iter(names).map(async |name| {
            let (person, _) = Person::sign_up(&this.http, &app.url, name).await?;
            this.of(person).await
        });
        let all: Vec<Resident> = all.buffered(AT_ONCE).try_collect().await?;
        let objects: Vec<String> = all.iter().map(|resident| resident.object.clone()).collect();
        self.tenants.ready(&objects).await?;
        Ok(all)
    }

    /// What is a person's.
    pub(super) async fn of(&self, person: Person) -> Result<Resident> {
        let found = sqlx::query_as(
            "select t.id, t.object_name from users u join members m on m.user_id = u.id
             join tenants t on t.id = m.tenant_id where u.subject = $1",
        );
        let (tenant, object) =
            found.bind(person.name.to_lowercase()).fetch_one(&self.db).await.context("tenant")?;
        Ok(Resident { person, tenant, object })
    }

    /// The moment at which somebody's database was ready.
    pub(super) async fn ready(&mut self, resident: &Resident) -> Result<std::time::Instant> {
        self.tenants.ready(std::slice::from_ref(&resident.object)).await
    }

    /// The way into somebody's database, by the Secret.
    pub(super) async fn door(&self, resident: &Resident) -> Result<Door> {
        let secret = self.secrets.get(&format!("{}-postgres", resident.object)).await?;
        let data = secret.data.unwrap_or_default();
        let uri = data.get("uri").context("the Secret has no uri")?;
        let uri = std::str::from_utf8(&uri.0)?;
        // What is checked is our own choice: everything.
        let who = Config::from_str(uri.split('?').next().unwrap_or_default())?;
        let server = Server::new(&who, &std::fs::read(self.stack.ca_file())?)?;
        Ok(Door { who, server })
    }

    /// Removes what somebody talked about, so that every repetition begins alike.
    pub(super) async fn forget_conversations(&self, resident: &Resident) -> Result<()> {
        let session = self.door(resident).await?.open().await?;
        session.run("truncate conversations cascade").await?;
        session.close().await
    }

    /// How many sessions the app has in tenants' databases.
    pub(super) async fn app_sessions(&self, admin: &Session) -> Result<i64> {
        let sql = "select count(*) from pg_stat_activity where application_name = 'tenantry-app' and datname <> $1";
        let main = self.database_url.rsplit('/').next().unwrap_or_default();
        let main = main.split('?').next().unwrap_or_default();
        Ok(admin.client().query_one(sql, &[&main]).await?.get(0))
    }

    /// The administrator's own session.
    pub(super) async fn admin(&self) -> Result<Session> {
        let who = Config::from_str(self.stack.postgres_url())?;
        Server::new(&who, &std::fs::read(self.stack.ca_file())?)?.log_in(&who).await
    }

    /// Waits until a document is searchable; answers its passages.
    pub(super) async fn searchable(&self, document: &str) -> Result<i64> {
        until("a document to be searchable", async || {
            let (stage, failure, passages): (String, Option<String>, Option<i32>) = sqlx::query_as(
                "select stage, failure, passages from documents where id = $1::uuid",
            )
            .bind(document)
            .fetch_one(&self.db)
            .await?;
            ensure!(stage != "failed", "a document failed: {failure:?}");
            Ok((stage == "ready").then_some(i64::from(passages.unwrap_or_default())))
        })
        .await
    }

    /// Lets the operator take everything away while the bench goes on.
    pub(super) async fn leave(self) -> Result<()> {
        self.db.close().await;
        self.namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// The way into a tenant's database.
pub(super) struct Door {
    who: Config,
    server: Server,
}

impl Door {
    /// A new connection, over TLS, as the server gives it to anybody.
    pub(super) async fn open_plain(&self) -> Result<Session> {
        self.server.log_in(&self.who).await
    }

    /// The same with the app's settings.
    pub(super) async fn open(&self) -> Result<Session> {
        let session = self.open_plain().await?;
        session.run(app::tenants::SESSION).await?;
        Ok(session)
    }
}

/// Does the same for many, a few at a time, in order.
pub(super) async fn each<I, T>(
    items: impl IntoIterator<Item = I>,
    work: impl AsyncFn(I) -> Result<T>,
) -> Result<Vec<T>> {
    let work = &work;
    stream::iter(items).map(|item| work(item)).buffered(AT_ONCE).try_collect().await
}

/// Ends an app and waits for its end.
pub(super) async fn end(app: App) -> Result<()> {
    app.process.terminate();
    let status = tokio::task::block_in_place(|| app.process.wait(PATIENCE))?;
    ensure!(status.success(), "{}", app.process.epitaph());
    Ok(())
}

/// One number of the app's metrics; 0 where it was not counted yet.
pub(super) async fn metric(http: &reqwest::Client, app: &App, series: &str) -> Result<f64> {
    let text = http.get(format!("{}/metrics", app.admin_url)).send().await?.text().await?;
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    Ok(value.map(str::parse).transpose()?.unwrap_or_default())
}
