//! Configuration: every flag, its environment name and its default. The only place that reads the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{ArgAction, ArgGroup, Args as ClapArgs, Parser};
use process::log::Format;
use secrecy::SecretString;
use url::Url;

use crate::tenant_db::SslMode;

/// Gives every tenant of an AI product its own vector database: watches `VectorTenant` objects and keeps a Neon
/// project, its schema and its connection Secret for each.
#[derive(Debug, Parser)]
#[command(name = "tenantry-operator", version, group(ArgGroup::new("key").required(true)))]
pub struct Args {
    /// Neon.
    #[command(flatten)]
    pub neon: NeonArgs,
    /// Kubernetes.
    #[command(flatten)]
    pub kube: KubeArgs,
    /// Tenant databases.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Several operators beside each other.
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// The process.
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// How to reach Neon.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Neon")]
pub struct NeonArgs {
    /// Root of the Neon API.
    #[arg(long, env, default_value = "https://console.neon.tech/api/v2")]
    pub neon_api_url: Url,

    /// Neon API key. Prefer --neon-api-key-file, or the environment, to the command line.
    #[arg(long, env, hide_env_values = true, group = "key")]
    pub neon_api_key: Option<SecretString>,

    /// File that holds the Neon API key, such as a mounted Secret.
    #[arg(long, env, group = "key")]
    pub neon_api_key_file: Option<PathBuf>,

    /// Neon organization that owns the projects; needed with a personal key that belongs to several.
    #[arg(long, env)]
    pub neon_org_id: Option<String>,

    /// Seconds that one attempt of a call to Neon may take.
    #[arg(long, env, default_value = "30", value_parser = seconds)]
    pub neon_timeout_seconds: Duration,

    /// Seconds after a request to create a project during which it may still take effect. Until then a tenant
    /// whose request has an unknown outcome is not asked for again. Keep it above --neon-timeout-seconds.
    #[arg(long, env, default_value = "60", value_parser = seconds)]
    pub create_grace_seconds: Duration,
}

/// Which objects to serve.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Kubernetes")]
pub struct KubeArgs {
    /// Kubeconfig; left out, the usual places and then the pod's own account.
    #[arg(long, env)]
    pub kubeconfig: Option<PathBuf>,

    /// Namespaces to serve, comma-separated; left out, all.
    #[arg(long, env = "TENANTRY_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Identity of the cluster in project names; left out, the UID of the namespace kube-system. Set it only to
    /// keep the projects of a cluster that was rebuilt.
    #[arg(long, env = "TENANTRY_CLUSTER_ID")]
    pub cluster_id: Option<String>,

    /// Tenants that are worked on at the same time.
    #[arg(long, env = "TENANTRY_CONCURRENCY", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// Seconds after which a settled tenant is compared with Neon again.
    #[arg(long, env = "TENANTRY_RESYNC_SECONDS", default_value = "600", value_parser = seconds)]
    pub resync_seconds: Duration,
}

/// How to reach tenant databases.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Tenant databases")]
pub struct DatabaseArgs {
    /// How the certificate of a tenant's database is checked.
    #[arg(long, env, value_enum, default_value = "verify-full")]
    pub tenant_db_ssl_mode: SslMode,

    /// PEM file of a certificate authority to trust beside the public ones.
    #[arg(long, env)]
    pub tenant_db_ca_file: Option<PathBuf>,

    /// Folder with tenant migrations that replaces the built-in ones.
    #[arg(long, env)]
    pub tenant_migrations: Option<PathBuf>,

    /// Seconds that a log-in may take, a compute's cold start included.
    #[arg(long, env, default_value = "30", value_parser = seconds)]
    pub tenant_db_connect_seconds: Duration,

    /// Seconds that a migration waits for a lock before the tenant's turn is over and it is tried again later.
    #[arg(long, env, default_value = "3", value_parser = seconds)]
    pub migration_lock_seconds: Duration,

    /// Seconds that all migrations of one tenant may take.
    #[arg(long, env, default_value = "600", value_parser = seconds)]
    pub migration_seconds: Duration,
}

/// Several operators beside each other: one works, the others stand by.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// Work only while holding a Lease, so that several operators may run beside each other.
    #[arg(long, env = "TENANTRY_LEADER_ELECTION", default_value = "false", action = ArgAction::Set)]
    pub leader_election: bool,

    /// Name of the Lease.
    #[arg(long, env = "TENANTRY_LEASE_NAME", default_value = "tenantry-operator")]
    pub lease_name: String,

    /// Namespace of the Lease; left out, the pod's own, or that of the kubeconfig.
    #[arg(long, env = "TENANTRY_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// Seconds after which a silent holder may be replaced. The holder itself gives up after two thirds of them.
    #[arg(long, env = "TENANTRY_LEASE_SECONDS", default_value = "15", value_parser = clap::value_parser!(u16).range(2..=600))]
    pub lease_seconds: u16,

    /// What this process calls itself in the Lease, beside a part that is made anew at each start; a pod's own name.
    #[arg(long, env = "HOSTNAME", default_value = "operator")]
    pub lease_identity: String,
}

/// The process.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Process")]
pub struct ProcessArgs {
    /// Address of /metrics, /livez and /readyz.
    #[arg(long, env = "TENANTRY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Form of the log lines.
    #[arg(long, env = "TENANTRY_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: Format,

    /// Which log lines, such as `info` or `info,operator::neon=debug`.
    #[arg(long, env = "TENANTRY_LOG_FILTER", default_value = "info,kube_runtime=warn,sqlx=warn")]
    pub log_filter: String,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e6 => Ok(Duration::from_secs_f64(value)),
        _ => Err("a number of seconds above 0 is needed, such as 30 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn verify_cli() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_key_is_needed_once_and_never_shown() {
        let neither = Args::try_parse_from(["tenantry-operator"]).unwrap_err().to_string();
        assert!(neither.contains("--neon-api-key <") && neither.contains("--neon-api-key-file <"));
        let both = ["tenantry-operator", "--neon-api-key", "k", "--neon-api-key-file", "f"];
        assert!(Args::try_parse_from(both).is_err());
        let args = Args::try_parse_from(["tenantry-operator", "--neon-api-key", "hush"]).unwrap();
        assert!(!format!("{args:?}").contains("hush"));
    }

    #[test]
    fn the_readme_lists_every_flag_with_its_environment_name_and_default() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        for arg in Args::command().get_arguments() {
            let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long))
            else {
                continue;
            };
            let name = arg.get_env().unwrap().to_string_lossy();
            let row = format!("| `--{long}` | `{name}` |");
            let line = readme.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("README.md has no row {row}"));
            if let [default] = arg.get_default_values() {
                let default = default.to_string_lossy();
                assert!(line.contains(&format!("| `{default}` |")), "{line}: default is {default}");
            }
        }
    }

    #[test]
    fn bad_values_name_the_flag_and_the_remedy() {
        let base = ["tenantry-operator", "--neon-api-key", "k"];
        for (flag, value) in [
            ("--resync-seconds", "0"),
            ("--resync-seconds", "soon"),
            ("--concurrency", "0"),
            ("--tenant-db-ssl-mode", "disable"),
        ] {
            let error = Args::try_parse_from(base.into_iter().chain([flag, value])).unwrap_err();
            assert!(error.to_string().contains(flag), "{error}");
        }
    }
}
