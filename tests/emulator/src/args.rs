//! Flags of `neon-emulator`, each with its help text. In: command line and environment. Out: [`Args`].
//! What a test changes while the emulator runs is in `world/settings.rs`, not here.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A Neon API v2 server over a real Postgres, for tests, demos and benches.
#[derive(Debug, Clone, clap::Parser)]
#[command(version)]
pub struct Args {
    /// Address of the API and of the control routes; port 0 picks a free one. Tenant databases listen at the same host.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Superuser URL of the Postgres that holds every project's database.
    #[arg(long, env = "NEON_EMULATOR_POSTGRES_URL")]
    pub postgres_url: String,
    /// PEM chain that tenant connections are served with.
    #[arg(long)]
    pub tls_cert: PathBuf,
    /// PEM key of `--tls-cert`.
    #[arg(long)]
    pub tls_key: PathBuf,
    /// Transaction pooler (`PgBouncer` with `auth_query`); without it pooled connections are refused.
    #[arg(long)]
    pub pooler: Option<SocketAddr>,
    /// The API key that is accepted.
    #[arg(
        long,
        env = "NEON_EMULATOR_API_KEY",
        default_value = "napi_emulator",
        hide_env_values = true
    )]
    pub api_key: String,
    /// How long the operations of one call take together; 0: done at the next read.
    #[arg(long, default_value_t = 0)]
    pub operation_millis: u64,
    /// How long a suspended endpoint takes to wake.
    #[arg(long, default_value_t = 0)]
    pub cold_start_millis: u64,
    /// The organization that the key belongs to or can see.
    #[arg(long)]
    pub org_id: Option<String>,
    /// Write every API exchange to this file, one JSON object a line.
    #[arg(long)]
    pub record: Option<PathBuf>,
    /// How `CREATE DATABASE` copies its template: `file_copy` is the quicker one where fsync is off.
    #[arg(long, default_value = "file_copy", value_parser = ["file_copy", "wal_log"])]
    pub create_strategy: String,
    /// Connections to Postgres used for creating and dropping.
    #[arg(long, default_value_t = 8)]
    pub admin_connections: u32,
}
