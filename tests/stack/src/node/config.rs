//! What the parts of the node read. Pure.
//!
//! In: folders, certificates. Out: text. Each setting that differs from the usual says what would go wrong without it.

use std::path::Path;

use serde_json::{Value, json};

use super::{ADDRESS, PODS, SOCKET};
use crate::certs::Certs;

/// The image that holds a pod's namespaces.
pub(super) const PAUSE: &str = "localhost/pause:1";

/// containerd's configuration.
pub(super) fn containerd(folder: &Path, network: &Path) -> String {
    let (root, network) = (folder.join("containerd"), network.display());
    format!(
        "version = 3\nroot = '{}'\nstate = '/run/containerd'\n\
         [grpc]\naddress = '{SOCKET}'\n\
         [plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = '{PAUSE}'\n\
         [plugins.'io.containerd.cri.v1.runtime']\n\
         # Without CAP_SYS_RESOURCE no container could have a lower score than we have.\n\
         restrict_oom_score_adj = true\n\
         cni = {{ bin_dirs = ['/usr/lib/cni'], conf_dir = '{network}' }}\n\
         [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n\
         runtime_type = 'io.containerd.runc.v2'\n\
         options = {{ BinaryName = '/usr/sbin/runc', SystemdCgroup = false }}\n",
        root.display()
    )
}

/// The network of pods: a bridge, addresses from a file.
pub(super) fn network() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS, "rangeStart": "10.88.1.1"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}

/// kube-proxy's flags; it may not set connection tracking's sysctls here.
pub(super) fn proxy_flags() -> Vec<String> {
    let zero = ["max-per-core", "tcp-timeout-established", "tcp-timeout-close-wait"];
    let mut flags: Vec<String> = zero.iter().map(|flag| format!("--conntrack-{flag}=0")).collect();
    flags.push("--proxy-mode=nftables".to_owned());
    flags.push(format!("--hostname-override={}", super::NAME));
    flags.push(format!("--cluster-cidr={PODS}"));
    flags
}

/// The kubelet's configuration.
pub(super) fn kubelet(certs: &Certs, folder: &Path, cgroup: &str) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": false},
            "x509": {"clientCAFile": certs.ca()},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": certs.cert("kubelet-server"),
        "tlsPrivateKeyFile": certs.key("kubelet-server"),
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "volumePluginDir": folder.join("volume-plugins"),
        "podLogsDir": folder.join("pod-logs"),
        // Nobody answers there: services are reached by address.
        "clusterDNS": ["10.0.0.10"],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "makeIPTablesUtilChains": false,
        "failSwapOn": false,
        "localStorageCapacityIsolation": false,
        "imageGCHighThresholdPercent": 100,
        // The machine's disk and memory are shared with everything else that runs here.
        "evictionHard": {
            "memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%",
            "nodefs.inodesFree": "0%", "imagefs.inodesFree": "0%",
        },
        // A pod that ends is noticed and replaced in seconds.
        "syncFrequency": "10s",
    })
}
