//! Names that are made from identities, so that they can be made again after a crash.
//!
//! In: the cluster's id and an object's UID. Out: the Neon project's name, which is the key of every look-up. Status
//! only caches what these names find.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Every project of Tenantry starts with this.
const PREFIX: &str = "tenantry-";

/// Identity of the cluster: two clusters may share one Neon account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterId(String);

impl ClusterId {
    /// From the UID of the `kube-system` namespace, or from whatever the operator's flag says.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self(short_hash(source.as_bytes(), 6))
    }
}

/// Name of the tenant's project, 58 characters (Neon's console shows 64): `tenantry-<cluster, 12 hex>-<UID>`.
#[must_use]
pub fn project_name(cluster: &ClusterId, uid: &str) -> String {
    format!("{PREFIX}{}-{uid}", cluster.0)
}

/// The UID in a project's name, where the name is one of Tenantry's (of any cluster).
#[must_use]
pub fn tenant_uid(project_name: &str) -> Option<&str> {
    let (cluster, uid) = project_name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_ours = cluster.len() == 12 && cluster.bytes().all(|b| b.is_ascii_hexdigit());
    (is_ours && uid.len() == 36).then_some(uid)
}

/// The first `bytes` bytes of the SHA-256, as hex.
#[must_use]
pub fn short_hash(content: &[u8], bytes: usize) -> String {
    Sha256::digest(content).iter().take(bytes).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "58465dbd-da17-43d9-b78e-025564f98896";

    #[test]
    fn a_name_is_stable_fits_the_console_and_gives_the_uid_back() {
        let name = project_name(&ClusterId::new("kube-system-uid"), UID);
        assert_eq!(name, project_name(&ClusterId::new("kube-system-uid"), UID));
        assert_eq!(name.len(), 58);
        assert_eq!(tenant_uid(&name), Some(UID));
    }

    #[test]
    fn clusters_and_tenants_never_share_a_name() {
        let (a, b) = (ClusterId::new("a"), ClusterId::new("b"));
        assert_ne!(project_name(&a, UID), project_name(&b, UID));
        assert_ne!(project_name(&a, UID), project_name(&a, &UID.replace('5', "6")));
    }

    #[test]
    fn foreign_names_have_no_uid() {
        for name in ["", "tenantry-", "tenantry-demo-x", "my-project", "tenantry-zzzzzzzzzzzz-1"] {
            assert_eq!(tenant_uid(name), None, "{name}");
        }
    }
}
