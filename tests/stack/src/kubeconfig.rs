//! kubeconfig files, written as JSON (which is YAML).
//!
//! In: a server, what proves it, who asks. Out: the file. Pure but for the write; it must not call a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::certs::{self, Certs};

/// Credentials of the one user in a kubeconfig.
#[derive(Debug)]
pub(crate) enum Who<'a> {
    /// A client certificate, by its name in `Certs`.
    Certificate(&'a Certs, &'a str),
    /// A bearer token.
    Token(&'a str),
}

impl Who<'_> {
    fn user(&self) -> Value {
        match self {
            Self::Certificate(certs, name) => {
                json!({"client-certificate": certs.cert(name), "client-key": certs.key(name)})
            }
            Self::Token(token) => json!({"token": token}),
        }
    }
}

/// The `cluster` part for our own API server.
pub(crate) fn own_cluster(port: u16, certs: &Certs) -> Value {
    json!({"server": format!("https://127.0.0.1:{port}"), "certificate-authority": certs.ca()})
}

/// The `cluster` part of an existing kubeconfig's current context (`kubectl config view --minify --flatten -o json`).
pub(crate) fn cluster_of(view: &Value) -> Result<Value> {
    view.pointer("/clusters/0/cluster").cloned().context("the kubeconfig has no cluster")
}

/// Writes a kubeconfig with one cluster, one user, one context named after the stack.
pub(crate) fn write(path: &Path, cluster: &Value, who: &Who<'_>) -> Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tenantry", "cluster": cluster}],
        "users": [{"name": "tenantry", "user": who.user()}],
        "contexts": [{"name": "tenantry", "context": {"cluster": "tenantry", "user": "tenantry"}}],
        "current-context": "tenantry",
    });
    certs::write(path, &format!("{config:#}\n"))?;
    Ok(path.to_path_buf())
}

/// Refuses what does not look like somebody's test cluster: its server must be on this machine, or its context named as the
/// usual tools name theirs.
pub(crate) fn looks_like_a_test_cluster(view: &Value) -> Result<(), String> {
    let text = |pointer: &str| view.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (server, context) = (text("/clusters/0/cluster/server"), text("/current-context"));
    let host = server.split("://").nth(1).unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let on_this_machine = host == "localhost"
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    let test_tool = ["kind-", "k3d-", "minikube"].iter().any(|prefix| context.starts_with(prefix));
    if on_this_machine || test_tool {
        return Ok(());
    }
    Err(format!(
        "the current context {context:?} with the server {server:?} does not look like a test cluster; \
         if it is one, say so with --i-know-this-is-a-test-cluster (or TENANTRY_I_KNOW_THIS_IS_A_TEST_CLUSTER=1)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(server: &str, context: &str) -> Value {
        json!({"current-context": context, "clusters": [{"cluster": {"server": server}}]})
    }

    #[test]
    fn only_test_clusters_are_taken_unasked() {
        assert!(looks_like_a_test_cluster(&view("https://127.0.0.1:6443", "default")).is_ok());
        assert!(looks_like_a_test_cluster(&view("https://[::1]:6443", "x")).is_ok());
        assert!(looks_like_a_test_cluster(&view("https://10.1.2.3:8443", "minikube")).is_ok());
        assert!(looks_like_a_test_cluster(&view("https://172.18.0.2:6443", "kind-tests")).is_ok());
        let refusal =
            looks_like_a_test_cluster(&view("https://1.2.3.4", "production")).unwrap_err();
        assert!(refusal.contains("production") && refusal.contains("--i-know"), "{refusal}");
        assert!(looks_like_a_test_cluster(&view("https://127.0.0.1.example.com", "x")).is_err());
        assert!(looks_like_a_test_cluster(&json!({})).is_err());
    }
}
