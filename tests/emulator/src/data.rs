//! The physical side: one role and one database in the shared Postgres for each role and database of a project. In:
//! physical names and passwords. Out: they exist, or are gone. It knows nothing about projects.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

use crate::args::Args;
use crate::proxy::Verifier;

/// The admin side of Postgres.
pub(crate) struct Data {
    pool: PgPool,
    strategy: String,
    /// `host:port` that the proxy forwards direct connections to.
    pub(crate) address: String,
}

impl Data {
    pub(crate) async fn connect(args: &Args) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(args.admin_connections)
            .test_before_acquire(false)
            .connect(&args.postgres_url)
            .await?;
        let url = url::Url::parse(&args.postgres_url)?;
        let address =
            format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(5432));
        let it = Self { pool, strategy: args.create_strategy.clone(), address };
        it.check_vector().await?;
        Ok(it)
    }

    /// On Neon a tenant may create the extension; here that needs `trusted = true` in its control file.
    async fn check_vector(&self) -> anyhow::Result<()> {
        let sql =
            "select bool_or(trusted) from pg_available_extension_versions where name = 'vector'";
        let trusted: Option<bool> = sqlx::query(sql).fetch_one(&self.pool).await?.get(0);
        match trusted {
            Some(true) => {}
            Some(false) => {
                tracing::warn!("extension vector is not trusted: tenants cannot create it")
            }
            None => tracing::warn!("this Postgres has no extension vector"),
        }
        Ok(())
    }

    async fn run(&self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await.map(|_| ())
    }

    pub(crate) async fn create_role(&self, role: &str, password: &str) -> Result<(), sqlx::Error> {
        let verifier = Verifier::new(password);
        self.run(format!("create role {} login password '{verifier}'", quoted(role))).await
    }

    pub(crate) async fn set_password(&self, role: &str, password: &str) -> Result<(), sqlx::Error> {
        let verifier = Verifier::new(password);
        self.run(format!("alter role {} password '{verifier}'", quoted(role))).await
    }

    pub(crate) async fn create_database(&self, name: &str, owner: &str) -> Result<(), sqlx::Error> {
        let (name, owner, strategy) = (quoted(name), quoted(owner), &self.strategy);
        // template0: nobody is ever connected to it, so creates never fail on "being accessed by other users".
        self.run(format!(
            "create database {name} owner {owner} template template0 strategy {strategy}"
        ))
        .await?;
        self.run(format!("revoke connect on database {name} from public")).await
    }

    pub(crate) async fn own_database(&self, name: &str, owner: &str) -> Result<(), sqlx::Error> {
        self.run(format!("alter database {} owner to {}", quoted(name), quoted(owner))).await
    }

    /// Lets one more role of the branch into a database.
    pub(crate) async fn allow(&self, database: &str, role: &str) -> Result<(), sqlx::Error> {
        self.run(format!("grant connect on database {} to {}", quoted(database), quoted(role)))
            .await
    }

    pub(crate) async fn drop_database(&self, name: &str) -> Result<(), sqlx::Error> {
        self.run(format!("drop database if exists {} with (force)", quoted(name))).await
    }

    pub(crate) async fn drop_role(&self, name: &str) -> Result<(), sqlx::Error> {
        self.run(format!("drop role if exists {}", quoted(name))).await
    }

    /// Takes from a role what it may do in databases that stay; what it owns in them still keeps it.
    pub(crate) async fn disown(&self, name: &str) -> Result<(), sqlx::Error> {
        self.run(format!("drop owned by {}", quoted(name))).await
    }

    /// Ends the sessions of a role, as a password reset does on Neon.
    pub(crate) async fn disconnect(&self, role: &str) -> Result<(), sqlx::Error> {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1";
        sqlx::query(sql).bind(role).execute(&self.pool).await.map(|_| ())
    }

    /// The SCRAM verifier that Postgres holds now: tenants may change their password in SQL.
    pub(crate) async fn verifier(&self, role: &str) -> Result<Option<Verifier>, sqlx::Error> {
        let sql = "select rolpassword from pg_authid where rolname = $1 and rolcanlogin";
        let row = sqlx::query(sql).bind(role).fetch_optional(&self.pool).await?;
        let text: Option<String> = row.and_then(|row| row.get(0));
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
