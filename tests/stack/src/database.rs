//! The Postgres server of a run: one cluster that holds every tenant's database.
//!
//! In: the installed tree, a run, certificates. Out: a server that answers, and its administrator's URL. Its data is thrown
//! away with the run, so nothing is synced to disk; logins are SCRAM and TLS is offered, as on Neon.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::certs::{self, Certs};
use crate::install::PgTree;
use crate::run::{Run, Stop};
use crate::user::{User, give_to};
use crate::{node, paths, ports};

const PATIENCE: Duration = Duration::from_secs(30);

/// How to reach a Postgres as its administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    /// Host of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// The administrator's name.
    pub user: String,
    /// The administrator's password.
    pub password: String,
    /// `postgresql://…/postgres`
    pub url: String,
}

impl Database {
    /// Reads an administrator's URL: `postgresql://user:password@host:port/database`.
    pub(crate) fn from_url(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"))?;
        let (login, rest) = rest.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        let address = rest.split(['/', '?']).next()?;
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (address, 5432),
        };
        Some(Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            password: percent_decoded(password)?,
            url: url.to_owned(),
        })
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Creates the cluster and starts the server, which then admits pods, too.
pub(crate) fn start(run: &Run, tree: &PgTree, certs: &Certs, for_pods: bool) -> Result<Database> {
    let user = User::unprivileged()?;
    let folder = run.subfolder("postgres")?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    let password = paths::random_hex(16)?;
    let password_file = folder.join("password");
    certs::write(&password_file, &password)?;
    give_to(user.as_ref(), &password_file)?;
    give_to(user.as_ref(), &folder)?;
    let data = folder.join("data");
    tree.initdb(&data, &password_file, user.as_ref())?;
    if for_pods {
        let mut rules = fs::OpenOptions::new().append(true).open(data.join("pg_hba.conf"))?;
        writeln!(rules, "host all all {} scram-sha-256", node::PODS)?;
    }
    for (name, source) in
        [("server.crt", certs.cert("postgres")), ("server.key", certs.key("postgres"))]
    {
        let copy = data.join(name);
        certs::write(&copy, &fs::read_to_string(source)?)?;
        give_to(user.as_ref(), &copy)?;
    }
    ports::until_free(|| serve(run, tree, &data, user.as_ref(), &password))
}

fn serve(
    run: &Run,
    tree: &PgTree,
    data: &Path,
    user: Option<&User>,
    password: &str,
) -> Result<Database> {
    let port = ports::free()?;
    let config = data.join("postgresql.auto.conf");
    fs::write(&config, settings(port, tree.tls))?;
    give_to(user, &config)?;
    let mut postgres = tree.command("postgres");
    postgres.arg("-D").arg(data);
    let server = run.spawn("postgres", &postgres, user, Stop::Quit)?;
    server.wait_for_log("database system is ready to accept connections", PATIENCE)?;
    Ok(Database {
        host: "127.0.0.1".to_owned(),
        port,
        user: "postgres".to_owned(),
        password: password.to_owned(),
        url: format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres"),
    })
}

/// The server's settings. Shared memory lies in the data folder, so that a killed server leaves nothing in /dev/shm.
fn settings(port: u16, tls: bool) -> String {
    let tls = if tls {
        "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n"
    } else {
        "ssl = off\n"
    };
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n{tls}\
         max_connections = 600\nshared_buffers = 256MB\ndynamic_shared_memory_type = mmap\n\
         password_encryption = 'scram-sha-256'\nio_method = 'sync'\njit = off\n\
         fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n\
         max_wal_size = 512MB\ncheckpoint_timeout = 30min\nautovacuum_naptime = 10min\n\
         log_line_prefix = '%m [%p] %q%u@%d '\nlog_timezone = 'UTC'\ntimezone = 'UTC'\nlc_messages = 'C'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrators_url_is_taken_apart() {
        let database =
            Database::from_url("postgresql://admin:p%40ss@db.local:5433/postgres?sslmode=require")
                .unwrap();
        assert_eq!((database.host.as_str(), database.port), ("db.local", 5433));
        assert_eq!((database.user.as_str(), database.password.as_str()), ("admin", "p@ss"));
        assert_eq!(Database::from_url("postgres://a:b@h/x").unwrap().port, 5432);
        assert_eq!(Database::from_url("mysql://a:b@h/x"), None);
    }

    #[test]
    fn the_server_listens_on_loopback_and_leaves_no_shared_memory() {
        let text = settings(5432, true);
        for line in
            ["listen_addresses = '127.0.0.1'", "ssl = on", "dynamic_shared_memory_type = mmap"]
        {
            assert!(text.lines().any(|other| other == line), "{line}");
        }
        assert!(settings(1, false).contains("ssl = off"));
    }
}
