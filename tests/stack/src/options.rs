//! What a stack is made of, and every environment variable that changes it.
//!
//! In: the environment (read here and nowhere else in this crate). Out: `Options`. It must not start or look for anything.

use std::path::PathBuf;

pub use crate::node::Wanted as Node;

/// Archives of images that pods may use, as PATH lists folders.
pub const IMAGES: &str = "TENANTRY_NODE_IMAGES";
/// Whether the walk through pods stops after the installation.
pub const STAY: &str = "TENANTRY_STAY";

/// The Kubernetes API that the stack stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// etcd, kube-apiserver and kube-controller-manager of our own.
    Own,
    /// The cluster of KUBECONFIG's current context; refused unless it looks like a test cluster or `trusted` is set.
    Existing {
        /// The caller knows that this is a test cluster.
        trusted: bool,
    },
    /// No Kubernetes at all.
    None,
}

/// How the Neon emulator behaves from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emulator {
    /// How long an operation runs.
    pub operation_millis: u64,
    /// How long a suspended endpoint takes to answer its first connection.
    pub cold_start_millis: u64,
    /// Further flags, as they are.
    pub extra_args: Vec<String>,
}

/// What to start. `Options::default()` is everything, with the overrides of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which Kubernetes.
    pub cluster: Cluster,
    /// An administrator's URL of an existing Postgres 17 or 18 with pgvector, instead of our own server.
    pub postgres_url: Option<String>,
    /// Without an emulator there is only a Postgres and, unless refused, a cluster.
    pub emulator: Option<Emulator>,
    /// Whether a transaction pooler stands beside Postgres.
    pub pooler: bool,
    /// Whether the CRD, the operator's ServiceAccount and its rights are applied.
    pub operator_rights: bool,
    /// Whether an embedding server with a small real model runs.
    pub models: bool,
    /// Whether a chat server with a small real model runs.
    pub chat: bool,
    /// A node that runs pods; only in the namespaces of `node::namespaces::enter`.
    pub node: Option<Node>,
}

impl Default for Options {
    fn default() -> Self {
        let cluster = if is_set("TENANTRY_USE_KUBECONFIG") {
            Cluster::Existing { trusted: is_set("TENANTRY_I_KNOW_THIS_IS_A_TEST_CLUSTER") }
        } else {
            Cluster::Own
        };
        Self {
            cluster,
            postgres_url: env("TENANTRY_POSTGRES_URL"),
            emulator: Some(Emulator::default()),
            pooler: !is_set("TENANTRY_NO_POOLER"),
            operator_rights: true,
            models: false,
            chat: false,
            node: crate::node::namespaces::inside().then(|| Node { images: images() }),
        }
    }
}

impl Options {
    /// Only a Postgres and its pooler: what the emulator's own tests need.
    pub fn postgres_only() -> Self {
        Self { cluster: Cluster::None, emulator: None, operator_rights: false, ..Self::default() }
    }

    /// Postgres, pooler and emulator, no Kubernetes: what a test of a Neon client needs.
    pub fn without_cluster() -> Self {
        Self { cluster: Cluster::None, operator_rights: false, ..Self::default() }
    }
}

/// Archives of images for a node, as `stack e2e-pods` hands them on.
fn images() -> Vec<PathBuf> {
    env(IMAGES).map(|list| std::env::split_paths(&list).collect()).unwrap_or_default()
}

/// An environment variable that is set and not empty.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A switch: set, and neither `0` nor `false`.
pub fn is_set(name: &str) -> bool {
    env(name).is_some_and(|value| value != "0" && value != "false")
}
