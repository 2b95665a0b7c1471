//! A cluster seen as its administrator: our own or an existing one, and what the operator and the app need in it.
//!
//! In: a kubeconfig. Out: the CRD established, ServiceAccounts with their rights, kubeconfigs with their tokens. In a cluster
//! that was there before us, what we made is removed at the end; in our own, everything goes anyway.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::kubeconfig::{self, Who};
use crate::run::Run;
use crate::{install, paths, tool};

const OPERATORS_RIGHTS: &str = include_str!("../operator-rbac.yaml");
const APPS_RIGHTS: &str = include_str!("../app-rbac.yaml");
const CRD: &str = "crd/vectortenants.tenantry.dev";
/// What is made in a cluster.
const OURS: [&str; 5] = [
    "namespace/tenants",
    "clusterrolebinding/tenantry-operator",
    "clusterrole/tenantry-operator",
    "namespace/tenantry-system",
    CRD,
];

/// An administrator's access.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// What to delete from a cluster that is not ours: what was not there before us.
    borrowed: Option<Vec<&'static str>>,
}

impl Cluster {
    /// Our own control plane.
    pub(crate) fn own(kubectl: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { kubectl, kubeconfig, borrowed: None }
    }

    /// The cluster of the current context; refused unless it looks like a test cluster or the caller says that it is one.
    pub(crate) fn existing(run: &Run, trusted: bool) -> Result<Self> {
        let kubectl = install::require("kubectl", "see https://kubernetes.io/docs/tasks/tools/")?;
        let mut view = Command::new(&kubectl);
        let text = tool::output(view.args([
            "config",
            "view",
            "--minify",
            "--raw",
            "--flatten",
            "-o",
            "json",
        ]))?;
        let parsed: Value = serde_json::from_str(&text)?;
        if !trusted {
            kubeconfig::looks_like_a_test_cluster(&parsed).map_err(|refusal| anyhow!(refusal))?;
        }
        let copy = run.folder().join("admin.kubeconfig");
        crate::certs::write(&copy, &text)?;
        let mut cluster = Self { kubectl, kubeconfig: copy, borrowed: None };
        let is_there = |object: &&str| {
            cluster.kubectl().args(["get", object]).output().is_ok_and(|out| out.status.success())
        };
        cluster.borrowed = Some(OURS.into_iter().filter(|object| !is_there(object)).collect());
        Ok(cluster)
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl as the administrator.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        // What the caller's shell holds must not matter.
        command.env_remove("KUBECONFIG");
        command
    }

    /// Applies CRD and rights; gives the kubeconfig of the operator's ServiceAccount.
    pub(crate) fn admit_operator(&self, run: &Run) -> Result<PathBuf> {
        let crd = paths::checkout().join("crds/vectortenants.yaml");
        let rights = run.folder().join("operator-rbac.yaml");
        crate::certs::write(&rights, OPERATORS_RIGHTS)?;
        self.apply(&[&rights, &crd])?;
        tool::output(self.kubectl().args([
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            CRD,
        ]))?;
        self.account(run, "tenantry-system", "tenantry-operator", "operator.kubeconfig")
    }

    /// Applies the app's rights in a namespace; gives the kubeconfig of its ServiceAccount there.
    pub(crate) fn admit_app(&self, run: &Run, namespace: &str) -> Result<PathBuf> {
        let rights = run.folder().join(format!("app-rbac-{namespace}.yaml"));
        let of_namespace = APPS_RIGHTS.replace(": tenants\n", &format!(": {namespace}\n"));
        crate::certs::write(&rights, &of_namespace)?;
        self.apply(&[&rights])?;
        self.account(run, namespace, "tenantry-app", &format!("app-{namespace}.kubeconfig"))
    }

    fn apply(&self, files: &[&Path]) -> Result<()> {
        let mut apply = self.kubectl();
        apply.args(["apply", "--server-side", "--force-conflicts"]);
        for file in files {
            apply.arg("-f").arg(file);
        }
        tool::output(&mut apply).with_context(|| format!("cannot apply {files:?}")).map(drop)
    }

    /// A kubeconfig with a token of a ServiceAccount.
    fn account(&self, run: &Run, namespace: &str, name: &str, file: &str) -> Result<PathBuf> {
        let mut create = self.kubectl();
        create.args(["--namespace", namespace, "create", "token", name, "--duration=24h"]);
        let token = tool::output(&mut create)?;
        let view = tool::output(self.kubectl().args([
            "config",
            "view",
            "--minify",
            "--raw",
            "--flatten",
            "-o",
            "json",
        ]))?;
        let cluster = kubeconfig::cluster_of(&serde_json::from_str(&view)?)?;
        kubeconfig::write(&run.folder().join(file), &cluster, &Who::Token(token.trim()))
    }

    /// Removes what we made in a cluster that is not ours.
    pub(crate) fn leave(&self) {
        if let Some(made) = self.borrowed.as_ref().filter(|made| !made.is_empty()) {
            let _ = self
                .kubectl()
                .args(["delete", "--ignore-not-found", "--timeout=60s"])
                .args(made)
                .output();
        }
    }
}
