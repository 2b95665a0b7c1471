//! What the binary does: one function per command, none of them longer than its story.
//!
//! In: parsed flags. Out: text for a person, an exit code. They must use the same library calls as the tests.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::install::{self, Wanted};
use crate::options::{Cluster, Options};
use crate::{Stack, say, signals};

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Use the cluster of KUBECONFIG's current context instead of starting one.
    #[arg(long, global = true, env = "TENANTRY_USE_KUBECONFIG", value_parser = clap::builder::FalseyValueParser::new())]
    use_kubeconfig: bool,
    /// Use that cluster even when it does not look like a test cluster.
    #[arg(long = "i-know-this-is-a-test-cluster", global = true, env = "TENANTRY_I_KNOW_THIS_IS_A_TEST_CLUSTER", value_parser = clap::builder::FalseyValueParser::new())]
    trusted: bool,
    /// Use this Postgres 17 or 18 (with pgvector; an administrator's URL) instead of starting one.
    #[arg(
        long,
        global = true,
        env = "TENANTRY_POSTGRES_URL",
        hide_env_values = true
    )]
    postgres_url: Option<String>,
}

impl Common {
    fn options(&self) -> Options {
        let cluster = match self.use_kubeconfig {
            true => Cluster::Existing {
                trusted: self.trusted,
            },
            false => Cluster::Own,
        };
        Options {
            cluster,
            postgres_url: self.postgres_url.clone(),
            ..Options::default()
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted::for_options(&self.options())
    }
}

/// `stack install`
pub fn install(common: &Common) -> Result<ExitCode> {
    let installed = install::install(common.wanted())?;
    install::cargo_build()?;
    if let Err(reason) = &installed.pgbouncer {
        say::line(format!("no transaction pooler: {reason}"));
    }
    say::line("everything is installed");
    Ok(ExitCode::SUCCESS)
}

/// `stack up`
pub fn up(common: &Common) -> Result<ExitCode> {
    install::cargo_build()?;
    let stack = say::while_doing("starting the local stack", || {
        Stack::start(common.options())
    })?;
    println!("export KUBECONFIG={}", stack.kubeconfig().display());
    println!("export NEON_API_URL={}", stack.neon_api_url());
    println!("export NEON_API_KEY={}", stack.neon_api_key());
    println!(
        "# operator's kubeconfig  {}",
        stack.operator_kubeconfig().display()
    );
    println!("# emulator's control     {}", stack.neon_control_url());
    println!("# Postgres               {}", stack.postgres_url());
    println!("# certificate authority  {}", stack.ca_file().display());
    println!("# logs                   {}", stack.log_dir().display());
    say::line("Ctrl-C stops everything.");
    signals::wait()
}
