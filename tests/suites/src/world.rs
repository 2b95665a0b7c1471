//! The stack of this test process, and who may enter it.
//!
//! In: nothing. Out: one [`World`], started by the first test that needs it and shared by all; its parts die with the
//! process. A Kubernetes client belongs to the runtime that made it, so each test takes its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use operator::naming::{self, ClusterId};
use stack::{Options, Stack};

use crate::space::run;
use crate::wait::{PATIENCE, wait_until};

/// Real parts, and what names in them are made of.
pub struct World {
    stack: Stack,
    cluster: ClusterId,
    kubectl_cache: PathBuf,
}

/// The world of this process; the first call starts it.
///
/// # Errors
/// When it did not start; every later call then says the same.
pub fn world() -> Result<&'static World> {
    static WORLD: OnceLock<Result<World, String>> = OnceLock::new();
    // A thread of its own: starting blocks, and needs a runtime that is not the test's.
    let start = || {
        let started = std::thread::spawn(World::start).join();
        started.unwrap_or_else(|_| Err(anyhow!("starting panicked"))).map_err(|e| format!("{e:#}"))
    };
    WORLD.get_or_init(start).as_ref().map_err(|error| anyhow!("no world: {error}"))
}

impl World {
    fn start() -> Result<Self> {
        // One provider in the whole process; whoever comes second finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Where pods are tested, Helm brings the definition and the rights.
        let for_pods = stack::node::namespaces::inside();
        let stack = Stack::start(Options {
            models: true,
            chat: for_pods,
            operator_rights: !for_pods,
            ..Options::default()
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cluster = runtime.block_on(cluster_id(stack.kubeconfig()))?;
        let kubectl_cache = stack.scratch_dir()?.join("kubectl");
        let world = Self { stack, cluster, kubectl_cache };
        // The API server serves a new kind a moment before kubectl finds it by its short name.
        if !for_pods {
            let explain = async || run(world.explaining()).await?.success();
            runtime.block_on(wait_until("kubectl knows tenants", PATIENCE, explain))?;
        }
        Ok(world)
    }

    fn explaining(&self) -> Command {
        let mut command = self.kubectl();
        command.args(["explain", "vt.spec"]);
        command
    }

    /// The parts themselves.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// kubectl as the administrator; what it remembers of the cluster goes with it.
    pub fn kubectl(&self) -> Command {
        let mut command = self.stack.kubectl();
        command.arg("--cache-dir").arg(&self.kubectl_cache);
        command
    }

    /// A client with all rights, for the runtime that calls.
    pub async fn client(&self) -> Result<Client> {
        client(self.stack.kubeconfig()).await
    }

    /// Name of the Neon project that belongs to the tenant with this UID.
    pub fn project_name(&self, uid: &str) -> String {
        naming::project_name(&self.cluster, uid)
    }
}

/// A client with the rights of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

async fn cluster_id(kubeconfig: &Path) -> Result<ClusterId> {
    let namespaces: Api<Namespace> = Api::all(client(kubeconfig).await?);
    let system = namespaces.get("kube-system").await.context("the namespace kube-system")?;
    Ok(ClusterId::new(&system.metadata.uid.context("its UID")?))
}
