//! Configuration: every flag, its environment name and its default. The only place that reads the environment.

mod models;

pub use models::{ChatArgs, ModelArgs};

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand};
use ipnet::IpNet;
use process::log::Format;
use secrecy::SecretString;
use url::Url;

/// People sign up, get their own vector database, and search their PDFs in it.
#[derive(Debug, Parser)]
#[command(name = "tenantry-app", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the app.
    Serve(Box<Serve>),
    /// Bring the main database's schema up to date, and end.
    Migrate(DatabaseArgs),
    /// Read a PDF from standard input and write its pages as lines of JSON: what `serve` starts for each document.
    #[command(hide = true)]
    Extract(ExtractArgs),
}

/// `serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// The main database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Tenants.
    #[command(flatten)]
    pub tenants: TenantArgs,
    /// Sign-in.
    #[command(flatten)]
    pub sign_in: SignInArgs,
    /// Documents.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Chat.
    #[command(flatten)]
    pub chat: ChatArgs,
    /// The process.
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// The main database.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Main database")]
pub struct DatabaseArgs {
    /// Connection string of the main database: users, sessions, documents' names, jobs. Prefer the environment.
    #[arg(long, env, hide_env_values = true)]
    pub database_url: SecretString,

    /// Most connections to the main database.
    #[arg(long, env, default_value = "16", value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub database_connections: u32,
}

/// Tenants: objects in Kubernetes, databases behind them.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Tenants")]
pub struct TenantArgs {
    /// Kubeconfig; left out, the usual places and then the pod's own account.
    #[arg(long, env)]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace of the tenants' VectorTenant objects and Secrets. It should hold nothing else.
    #[arg(long, env = "TENANTRY_APP_NAMESPACE", default_value = "tenants")]
    pub namespace: String,

    /// Neon region of new tenants.
    #[arg(long, env, default_value = "aws-us-east-1")]
    pub tenant_region: String,

    /// Smallest compute of new tenants, in compute units.
    #[arg(long, env, default_value = "0.25")]
    pub tenant_min_cu: String,

    /// Largest compute of new tenants, in compute units.
    #[arg(long, env, default_value = "1")]
    pub tenant_max_cu: String,

    /// PEM file of a certificate authority to trust beside the public ones for tenant databases.
    #[arg(long, env)]
    pub tenant_db_ca_file: Option<PathBuf>,

    /// Tenants whose database connections are kept open at the same time; the least recently used are closed.
    #[arg(long, env, default_value = "200", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub tenant_pools: u64,

    /// Most connections to one tenant's database.
    #[arg(long, env, default_value = "4", value_parser = clap::value_parser!(u32).range(2..=100))]
    pub tenant_connections: u32,

    /// Seconds after which an unused connection is closed, so that the database can sleep.
    #[arg(long, env, default_value = "60", value_parser = seconds)]
    pub tenant_idle_seconds: Duration,

    /// Seconds that a request waits for a tenant's database, a cold start included.
    #[arg(long, env, default_value = "20", value_parser = seconds)]
    pub tenant_connect_seconds: Duration,
}

/// Who may sign in, and how.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Sign-in")]
pub struct SignInArgs {
    /// Address under which people reach the app, such as `https://chat.example.com`.
    #[arg(long, env, default_value = "http://127.0.0.1:8090")]
    pub public_url: Url,

    /// OpenID Connect issuer, such as `https://accounts.google.com`.
    #[arg(long, env, requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,

    /// Client id at the issuer.
    #[arg(long, env)]
    pub oidc_client_id: Option<String>,

    /// Client secret at the issuer; left out for a public client. Prefer the environment.
    #[arg(long, env, hide_env_values = true)]
    pub oidc_client_secret: Option<SecretString>,

    /// What the sign-in button calls the issuer.
    #[arg(long, env, default_value = "your organization")]
    pub oidc_name: String,

    /// Anyone may sign in under any name, without a password. For demonstrations on this machine only.
    #[arg(long, env)]
    pub demo_login: bool,

    /// Hours without a request after which a session ends.
    #[arg(long, env, default_value = "24", value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub session_idle_hours: u32,

    /// Hours after which a session ends in any case.
    #[arg(long, env, default_value = "168", value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub session_hours: u32,

    /// Addresses of proxies whose X-Forwarded-For is believed, comma-separated, such as 10.0.0.0/8.
    #[arg(long, env, value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
}

/// Documents and their limits.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Documents")]
pub struct DocumentArgs {
    /// Where files are kept: a folder, or `s3://bucket/prefix`.
    #[arg(long, env, default_value = "data/files")]
    pub files: String,

    /// Endpoint of an S3-compatible server; left out, that of Amazon.
    #[arg(long, env)]
    pub s3_endpoint: Option<Url>,

    /// Region of the bucket.
    #[arg(long, env, default_value = "us-east-1")]
    pub s3_region: String,

    /// Access key of the bucket.
    #[arg(long, env)]
    pub s3_access_key_id: Option<String>,

    /// Secret key of the bucket. Prefer the environment.
    #[arg(long, env, hide_env_values = true)]
    pub s3_secret_access_key: Option<SecretString>,

    /// Most documents of one tenant.
    #[arg(long, env, default_value = "3", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_documents: u32,

    /// Most bytes of one file, in megabytes of 1,048,576.
    #[arg(long, env, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_megabytes: u32,

    /// Most pages of one document.
    #[arg(long, env, default_value = "500", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_pages: u32,

    /// Documents that are read and embedded at the same time.
    #[arg(long, env, default_value = "2", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub ingest_workers: u32,

    /// Megabytes of memory that reading one PDF may take.
    #[arg(long, env, default_value = "512", value_parser = clap::value_parser!(u32).range(128..=65_536))]
    pub extract_megabytes: u32,

    /// Seconds that reading one PDF may take.
    #[arg(long, env, default_value = "120", value_parser = seconds)]
    pub extract_seconds: Duration,
}

/// The process.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Process")]
pub struct ProcessArgs {
    /// Address that people's browsers (or a proxy) connect to.
    #[arg(long, env = "TENANTRY_APP_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// Address of /metrics, /livez and /readyz.
    #[arg(long, env = "TENANTRY_APP_ADMIN_LISTEN", default_value = "127.0.0.1:8091")]
    pub admin_listen: SocketAddr,

    /// Requests per minute that one person may make to a costly route (upload, search, chat); others are ten times as many.
    #[arg(long, env, default_value = "60", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub requests_per_minute: u32,

    /// Seconds after the signal to end in which requests are still taken, so that whoever sends them learns that this process goes;
    /// each answer then closes its connection. Behind a load balancer, as long as that takes to notice.
    #[arg(long, env, default_value = "0", value_parser = seconds_or_none)]
    pub drain_seconds: Duration,

    /// Form of the log.
    #[arg(long, env = "TENANTRY_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: Format,

    /// Which log lines, after `tracing_subscriber::EnvFilter`.
    #[arg(long, env = "TENANTRY_LOG_FILTER", default_value = "info,kube_runtime=warn,sqlx=warn")]
    pub log_filter: String,
}

/// `extract`
#[derive(Debug, Clone, ClapArgs)]
pub struct ExtractArgs {
    /// Most pages.
    #[arg(long)]
    pub max_pages: u32,
    /// Megabytes of memory.
    #[arg(long)]
    pub megabytes: u32,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1e9 => Ok(Duration::from_secs_f64(value)),
        Ok(_) | Err(_) => Err("a number of seconds above 0 is needed".to_owned()),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=600.0).contains(&value) => Ok(Duration::from_secs_f64(value)),
        Ok(_) | Err(_) => Err("a number of seconds from 0 to 600 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_documentation_lists_every_flag_with_its_environment_name_and_default() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/app.md");
        let text = std::fs::read_to_string(path).unwrap();
        let command = Args::command();
        let serve = command.find_subcommand("serve").unwrap();
        for arg in serve.get_arguments() {
            let Some(long) = arg.get_long().filter(|long| *long != "help") else { continue };
            let name = arg.get_env().unwrap().to_string_lossy();
            let row = format!("| `--{long}` | `{name}` |");
            let line = text.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("docs/app.md has no row {row}"));
            if let [default] = arg.get_default_values() {
                let default = default.to_string_lossy();
                let is_flag = matches!(arg.get_action(), clap::ArgAction::SetTrue);
                assert!(
                    is_flag || line.contains(&format!("| `{default}` |")),
                    "{line}: default is {default}"
                );
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let flags = [
            "tenantry-app",
            "serve",
            "--database-url",
            "postgresql://u:hush@h/d",
            "--oidc-client-secret",
            "hush",
            "--embedding-key",
            "hush",
            "--s3-secret-access-key",
            "hush",
        ];
        let args = Args::try_parse_from(flags).unwrap();
        assert!(!format!("{args:?}").contains("hush"));
    }

    #[test]
    fn the_flags_are_consistent() {
        Args::command().debug_assert();
    }
}
