//! PgBouncer in transaction mode in front of every tenant's database.
//!
//! In: a running Postgres. Out: the pooler's port. It asks Postgres for each user's SCRAM verifier, so a tenant's
//! password works here as soon as it works there, and it has a small pool per database, because there are hundreds of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::certs;
use crate::child::poll;
use crate::database::Database;
use crate::install::PgBouncer;
use crate::ports;
use crate::run::{Run, Stop};
use crate::user::{User, give_to};

const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the pooler and waits until it accepts connections.
pub(crate) fn start(run: &Run, program: &PgBouncer, database: &Database) -> Result<u16> {
    let user = User::unprivileged()?;
    let folder = run.subfolder("pgbouncer")?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    give_to(user.as_ref(), &folder)?;
    ports::until_free(|| serve(run, program, database, &folder, user.as_ref()))
}

fn serve(
    run: &Run,
    program: &PgBouncer,
    database: &Database,
    folder: &Path,
    user: Option<&User>,
) -> Result<u16> {
    let port = ports::free()?;
    let (config, users) = (folder.join("pgbouncer.ini"), folder.join("users.txt"));
    certs::write(&users, &format!("{} {}\n", quoted(&database.user), quoted(&database.password)))?;
    certs::write(&config, &settings(port, database, &users))?;
    give_to(user, &users)?;
    give_to(user, &config)?;
    let mut command = program.command();
    command.arg(&config).current_dir("/");
    let pooler = run.spawn("pgbouncer", &command, user, Stop::Kill)?;
    let up = poll(PATIENCE, || {
        (!pooler.is_running() || ports::answers(port)).then(|| pooler.is_running())
    });
    match up {
        Some(true) => Ok(port),
        Some(false) => bail!("{}\n{}", pooler.epitaph(), pooler.last_lines(20)),
        None => bail!("pgbouncer did not answer within {PATIENCE:?}\n{}", pooler.last_lines(20)),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn settings(port: u16, database: &Database, users: &Path) -> String {
    let Database { host, port: server, user, .. } = database;
    format!(
        "[databases]\n* = host={host} port={server}\n\n[pgbouncer]\n\
         listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         pool_mode = transaction\nmax_client_conn = 2000\ndefault_pool_size = 3\nserver_idle_timeout = 5\n\
         query_wait_timeout = 30\nserver_login_retry = 1\nserver_round_robin = 0\n\
         auth_type = scram-sha-256\nauth_file = {}\nauth_user = {user}\n\
         auth_query = select usename, passwd from pg_catalog.pg_shadow where usename = $1\n\
         admin_users = {user}\nignore_startup_parameters = extra_float_digits,options,search_path\n\
         server_tls_sslmode = prefer\nlog_connections = 0\nlog_disconnections = 0\n",
        users.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pools_transactions_and_asks_postgres_for_passwords() {
        let database =
            Database::from_url("postgresql://postgres:pw@127.0.0.1:5432/postgres").unwrap();
        let text = settings(6432, &database, Path::new("/x/users.txt"));
        for line in
            ["pool_mode = transaction", "auth_type = scram-sha-256", "* = host=127.0.0.1 port=5432"]
        {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
