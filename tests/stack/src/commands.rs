//! What the binary does: one function per command, none of them longer than its story.
//!
//! In: parsed flags. Out: text for a person, an exit code. They must use the same library calls as the tests.

mod bench;
mod ci;
mod demo;
mod generate;
pub mod images;
mod narrator;
mod pods;
mod release;
mod results;
mod test;

use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow};
use clap::Args;

use crate::install::{self, Installed, Wanted};
use crate::options::{Cluster, Options};
use crate::{Stack, say};

pub use bench::bench;
pub use ci::ci;
pub use demo::demo;
pub use generate::generate;
pub use images::images;
pub use pods::{Flags as PodsFlags, pods};
pub use release::release;
pub use test::test;

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
    #[arg(long, global = true, env = "TENANTRY_POSTGRES_URL", hide_env_values = true)]
    postgres_url: Option<String>,
    /// Take the programs as they were built last.
    #[arg(long, global = true)]
    no_build: bool,
}

impl Common {
    fn options(&self) -> Options {
        let cluster = match self.use_kubeconfig {
            true => Cluster::Existing { trusted: self.trusted },
            false => Cluster::Own,
        };
        Options { cluster, postgres_url: self.postgres_url.clone(), ..Options::default() }
    }

    /// The same choices for a program that reads them from its environment.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let switch = |name, on: bool| on.then(|| (name, "1".to_owned()));
        let url = self.postgres_url.clone().map(|url| ("TENANTRY_POSTGRES_URL", url));
        let kubeconfig = switch("TENANTRY_USE_KUBECONFIG", self.use_kubeconfig);
        let trusted = switch("TENANTRY_I_KNOW_THIS_IS_A_TEST_CLUSTER", self.trusted);
        [kubeconfig, trusted, url].into_iter().flatten().collect()
    }
}

/// Installs what a stack with these flags needs.
fn install_parts(common: &Common) -> Result<Installed> {
    install::install(Wanted::for_options(&common.options()))
}

fn build(common: &Common) -> Result<()> {
    if common.no_build { Ok(()) } else { install::cargo_build() }
}

/// Installs what is missing while cargo builds.
fn prepare(common: &Common) -> Result<Installed> {
    thread::scope(|scope| {
        let build = scope.spawn(|| build(common));
        let installed = install_parts(common);
        build.join().map_err(|_| anyhow!("the build panicked"))??;
        installed
    })
}

/// `stack install`
pub fn install(common: &Common) -> Result<ExitCode> {
    if let Err(reason) = prepare(common)?.pgbouncer {
        say::line(format!("no transaction pooler: {reason}"));
    }
    say::line("everything is installed");
    Ok(ExitCode::SUCCESS)
}

/// What `stack up` leaves out.
#[derive(Debug, Clone, Copy, Args)]
pub struct Without {
    /// Without the Neon emulator.
    #[arg(long)]
    no_emulator: bool,
    /// Without Kubernetes.
    #[arg(long)]
    no_cluster: bool,
}

/// `stack up`
pub fn up(common: &Common, without: Without) -> Result<ExitCode> {
    build(common)?;
    let mut options = common.options();
    if without.no_emulator {
        options.emulator = None;
    }
    if without.no_cluster {
        options = Options { cluster: Cluster::None, operator_rights: false, ..options };
    }
    let (has_neon, has_cluster) = (options.emulator.is_some(), options.cluster != Cluster::None);
    let stack = say::while_doing("starting the local stack", || Stack::start(options))?;
    if has_cluster {
        println!("export KUBECONFIG={}", stack.kubeconfig().display());
        println!("# operator's kubeconfig  {}", stack.operator_kubeconfig().display());
    }
    if has_neon {
        println!("export NEON_API_URL={}", stack.neon_api_url());
        println!("export NEON_API_KEY={}", stack.neon_api_key());
        println!("# emulator's control     {}", stack.neon_control_url());
    }
    println!("# Postgres               {}", stack.postgres_url());
    println!(
        "# pooler                 {}",
        stack.pooler().unwrap_or_else(|reason| format!("none: {reason}"))
    );
    println!("# logs                   {}", stack.log_dir().display());
    println!("# certificate authority  {}", stack.ca_file().display());
    say::line("Ctrl-C stops everything.");
    match stack.stay()? {}
}
