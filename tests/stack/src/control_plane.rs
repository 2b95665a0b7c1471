//! A Kubernetes control plane of our own: etcd, kube-apiserver with RBAC, kube-controller-manager. No nodes, no scheduler.
//!
//! In: the installed programs, a run. Out: an administrator's kubeconfig for a server that is ready. A port that somebody took in
//! between is another try. The flags are plain functions, so that a test can read them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::certs::Certs;
use crate::child::{Child, poll};
use crate::install::KubeTools;
use crate::kubeconfig::{self, Who};
use crate::run::{Run, Stop};
use crate::{node, ports};

const PATIENCE: Duration = Duration::from_secs(90);
/// Name of the audit log in the run's folder, where there is a node.
pub(crate) const AUDIT_LOG: &str = "audit.jsonl";

/// How much the heaps of etcd and the API server grow before Go collects garbage, in percent. Here they share two cores with
/// everything that is tested and measured; on a cluster of its own a control plane has processors to itself.
pub const GOGC: &str = "400";

/// The garbage collector, the namespace controller and what ServiceAccounts need: enough for custom resources.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
serviceaccount-token-controller,clusterrole-aggregation-controller,root-ca-certificate-publisher-controller";

/// etcd and the API server, ready.
#[derive(Debug)]
pub(crate) struct Api {
    /// The administrator's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    /// The `cluster` part of kubeconfigs.
    pub(crate) cluster: Value,
    parts: [Child; 2],
    has_node: bool,
}

/// Starts etcd and the API server and waits until it is ready.
pub(crate) fn start_api(
    run: &Run,
    tools: &KubeTools,
    certs: &Certs,
    has_node: bool,
) -> Result<Api> {
    let audit = has_node.then(|| audit_flags(run)).transpose()?.unwrap_or_default();
    ports::until_free(|| {
        let (clients, peers, secure) = (ports::free()?, ports::free()?, ports::free()?);
        let data = run.subfolder(&format!("etcd-{clients}"))?;
        std::fs::set_permissions(&data, Permissions::from_mode(0o700))?;
        let mut etcd = Command::new(&tools.etcd);
        etcd.arg("--data-dir").arg(data).args(etcd_flags(clients, peers)).env("GOGC", GOGC);
        let etcd = run.spawn("etcd", &etcd, None, Stop::Kill)?;
        let mut server = Command::new(&tools.apiserver);
        server.args(apiserver_flags(clients, secure, certs)).args(&audit).env("GOGC", GOGC);
        server.args(if has_node { node_flags(certs) } else { no_node_flags() });
        let server = run.spawn("kube-apiserver", &server, None, Stop::Kill)?;

        let cluster = kubeconfig::own_cluster(secure, certs);
        let who = Who::Certificate(certs, "admin");
        let kubeconfig = kubeconfig::write(&run.folder().join("admin.kubeconfig"), &cluster, &who)?;
        let parts = [etcd, server];
        await_ok(&parts, || {
            let mut kubectl = Command::new(&tools.kubectl);
            kubectl.arg("--kubeconfig").arg(&kubeconfig).args(["get", "--raw", "/readyz"]);
            kubectl
        })?;
        Ok(Api { kubeconfig, cluster, parts, has_node })
    })
}

/// Starts the controller manager and waits until it is healthy. Its garbage collector looks for new kinds of objects only every 30
/// seconds, so this comes after the CRD.
pub(crate) fn start_manager(run: &Run, tools: &KubeTools, certs: &Certs, api: &Api) -> Result<()> {
    let who = Who::Certificate(certs, "kcm");
    let config = kubeconfig::write(&run.folder().join("kcm.kubeconfig"), &api.cluster, &who)?;
    ports::until_free(|| {
        let port = ports::free()?;
        let mut manager = Command::new(&tools.controller_manager);
        for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
            manager.arg(flag).arg(&config);
        }
        manager.args(manager_flags(port, certs));
        if api.has_node {
            let plugins = run.folder().join("volume-plugins").display().to_string();
            manager.args(["--flex-volume-plugin-dir", &plugins]);
        } else {
            manager.arg(format!("--controllers={CONTROLLERS}"));
        }
        let manager = run.spawn("kube-controller-manager", &manager, None, Stop::Kill)?;
        let [etcd, server] = api.parts.clone();
        await_ok(&[etcd, server, manager], || {
            let mut kubectl = Command::new(&tools.kubectl);
            kubectl.arg("--kubeconfig").arg(&api.kubeconfig).args(["get", "--raw", "/healthz"]);
            kubectl.arg(format!("--server=https://127.0.0.1:{port}"));
            kubectl
        })
    })
}

/// Waits until the question is answered with success; an error when a part ends first or it takes too long.
fn await_ok(parts: &[Child], question: impl Fn() -> Command) -> Result<()> {
    let answered = poll(PATIENCE, || {
        if let Some(dead) = parts.iter().find(|part| !part.is_running()) {
            return Some(Err(anyhow::anyhow!("{}\n{}", dead.epitaph(), dead.last_lines(20))));
        }
        question().output().is_ok_and(|output| output.status.success()).then_some(Ok(()))
    });
    match answered {
        Some(result) => result,
        None => {
            let logs: Vec<String> = parts.iter().map(|part| part.last_lines(20)).collect();
            bail!("the control plane was not ready within {PATIENCE:?}\n{}", logs.join("\n"))
        }
    }
}

fn etcd_flags(clients: u16, peers: u16) -> Vec<String> {
    vec![
        format!("--listen-client-urls=http://127.0.0.1:{clients}"),
        format!("--advertise-client-urls=http://127.0.0.1:{clients}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peers}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

fn apiserver_flags(etcd: u16, secure: u16, certs: &Certs) -> Vec<String> {
    let file = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={secure}"),
        file("tls-cert-file", certs.cert("api")),
        file("tls-private-key-file", certs.key("api")),
        file("client-ca-file", certs.ca()),
        // Nobody has a certificate of that name; without the file the controller manager keeps asking for it.
        file("requestheader-client-ca-file", certs.ca()),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        file("service-account-key-file", certs.file("tokens.pub")),
        file("service-account-signing-key-file", certs.key("tokens")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=RBAC,Node".to_owned(),
        "--max-requests-inflight=4000".to_owned(),
        "--max-mutating-requests-inflight=2000".to_owned(),
    ]
}

/// Nobody but this machine asks, and no pod needs the service `kubernetes`.
fn no_node_flags() -> Vec<String> {
    ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]
        .map(ToOwned::to_owned)
        .to_vec()
}

/// Pods ask at the node's address, inside its network namespace; logs and exec go to its kubelet.
fn node_flags(certs: &Certs) -> Vec<String> {
    vec![
        "--bind-address=0.0.0.0".to_owned(),
        format!("--advertise-address={}", node::ADDRESS),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        format!("--kubelet-client-certificate={}", certs.cert("admin").display()),
        format!("--kubelet-client-key={}", certs.key("admin").display()),
        format!("--kubelet-certificate-authority={}", certs.ca().display()),
    ]
}

/// Who asked for what, and what was answered: a line of JSON for each request, in the run's folder.
fn audit_flags(run: &Run) -> Result<Vec<String>> {
    let policy = run.folder().join("audit-policy.json");
    let everything = serde_json::json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"], "rules": [{"level": "Metadata"}],
    });
    std::fs::write(&policy, everything.to_string())?;
    Ok(vec![
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", run.folder().join(AUDIT_LOG).display()),
    ])
}

fn manager_flags(port: u16, certs: &Certs) -> Vec<String> {
    vec![
        format!("--service-account-private-key-file={}", certs.key("tokens").display()),
        format!("--root-ca-file={}", certs.ca().display()),
        format!("--tls-cert-file={}", certs.cert("api").display()),
        format!("--tls-private-key-file={}", certs.key("api").display()),
        "--use-service-account-credentials".to_owned(),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        // A namespace or an owner's children should not wait for the defaults of a big cluster.
        "--concurrent-namespace-syncs=20".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_enforced_and_everything_listens_on_loopback_only() {
        let folder = std::env::temp_dir();
        let certs = Certs::at(&folder);
        let flags = apiserver_flags(1, 2, &certs).join(" ");
        assert!(flags.contains("--authorization-mode=RBAC,Node"));
        assert!(no_node_flags().contains(&"--bind-address=127.0.0.1".to_owned()));
        assert!(manager_flags(3, &certs).join(" ").contains("--bind-address=127.0.0.1"));
        assert!(
            etcd_flags(1, 2)
                .iter()
                .filter(|flag| flag.contains("http"))
                .all(|flag| flag.contains("127.0.0.1"))
        );
    }
}
