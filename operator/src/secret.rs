//! The connection Secret: what it holds, and whether one that is there is right.
//!
//! In: the connection as Neon gave it. Out: the Secret's keys in the form of the Service Binding specification, and
//! a revision that changes with them. Pure; values never reach a log: `Debug` shows keys only.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{
    ByteString, api::core::v1 as core, apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::api::ObjectMeta;
use secrecy::ExposeSecret;

use crate::{desired::Desired, naming::short_hash, neon::ConnectionUri};

/// Type of the Secret, after the Service Binding specification.
pub const TYPE: &str = "servicebinding.io/postgresql";

/// Tells a label that left the spec from one that somebody else put on.
const TEMPLATE_ANNOTATION: &str = "tenantry.dev/template";

/// Data, labels and annotations of a Secret, as far as they are ours to set.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    data: BTreeMap<String, Vec<u8>>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("keys", &self.data.keys()).finish_non_exhaustive()
    }
}

impl Content {
    /// What the Secret must hold: the keys type, provider, host, port, database, username, password, uri,
    /// pooler-host, pooler-port and pooled-uri.
    #[must_use]
    pub fn new(desired: &Desired, direct: &ConnectionUri, pooled: &ConnectionUri) -> Self {
        let password = direct.password().map(|p| p.expose_secret().to_owned()).unwrap_or_default();
        let data = [
            ("type", "postgresql".to_owned()),
            ("provider", "neon".to_owned()),
            ("host", direct.host().to_owned()),
            ("port", direct.port().to_string()),
            ("database", direct.database().to_owned()),
            ("username", direct.user().to_owned()),
            ("password", password),
            ("uri", direct.expose().to_owned()),
            ("pooler-host", pooled.host().to_owned()),
            ("pooler-port", pooled.port().to_string()),
            ("pooled-uri", pooled.expose().to_owned()),
        ];
        let mut labels = desired.secret_labels.clone();
        labels.insert(crds::MANAGED_BY_LABEL.to_owned(), crds::MANAGED_BY.to_owned());
        labels.insert(crds::TENANT_LABEL.to_owned(), desired.name.clone());
        let mut annotations = desired.secret_annotations.clone();
        let template = short_hash(format!("{labels:?}{annotations:?}").as_bytes(), 4);
        annotations.insert(TEMPLATE_ANNOTATION.to_owned(), template);
        let data = data.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes()));
        Self { data: data.collect(), labels, annotations }
    }

    /// What a Secret in the cluster holds.
    #[must_use]
    pub fn of(secret: &core::Secret) -> Self {
        let data = secret.data.iter().flatten();
        Self {
            data: data.map(|(key, value)| (key.clone(), value.0.clone())).collect(),
            labels: secret.metadata.labels.clone().unwrap_or_default(),
            annotations: secret.metadata.annotations.clone().unwrap_or_default(),
        }
    }

    /// Whether a Secret that holds `self` needs no write to hold `wanted`. Labels and annotations of others may
    /// stand beside ours; data may not, because a consumer reads every key.
    #[must_use]
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let within = |ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>| {
            ours.iter().all(|(key, value)| theirs.get(key) == Some(value))
        };
        self.data == wanted.data
            && within(&wanted.labels, &self.labels)
            && within(&wanted.annotations, &self.annotations)
    }

    /// Keys of the data that `wanted` does not have.
    #[must_use]
    pub fn keys_beside(&self, wanted: &Self) -> Vec<String> {
        self.data.keys().filter(|key| !wanted.data.contains_key(*key)).cloned().collect()
    }

    /// Changes whenever the data does, and tells nothing about it.
    #[must_use]
    pub fn revision(&self) -> String {
        let mut bytes = Vec::new();
        for (key, value) in &self.data {
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(value);
            bytes.push(0);
        }
        short_hash(&bytes, 8)
    }

    /// The text under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.data.get(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The object to apply.
    #[must_use]
    pub fn to_secret(&self, desired: &Desired, owner: OwnerReference) -> core::Secret {
        let data = self.data.iter().map(|(key, value)| (key.clone(), ByteString(value.clone())));
        core::Secret {
            metadata: ObjectMeta {
                name: Some(desired.secret_name.clone()),
                namespace: Some(desired.namespace.clone()),
                labels: Some(self.labels.clone()),
                annotations: Some(self.annotations.clone()),
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some(TYPE.to_owned()),
            data: Some(data.collect()),
            ..core::Secret::default()
        }
    }
}

/// Whether the Secret belongs to the object of that UID.
#[must_use]
pub fn is_owned_by(secret: &core::Secret, uid: &str) -> bool {
    secret.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::tests::desired;

    fn uri(host: &str, password: &str) -> ConnectionUri {
        let text = format!("postgresql://neondb_owner:{password}@{host}/neondb?sslmode=require");
        ConnectionUri::parse(&text).unwrap()
    }

    fn content(spec: &str, password: &str) -> Content {
        let (direct, pooled) =
            (uri("ep-1.neon.test", password), uri("ep-1-pooler.neon.test:6543", password));
        Content::new(&desired(spec).unwrap(), &direct, &pooled)
    }

    #[test]
    fn the_keys_are_those_of_a_service_binding_and_more() {
        let content = content("{}", "p%40ss");
        for (key, value) in [
            ("type", "postgresql"),
            ("provider", "neon"),
            ("host", "ep-1.neon.test"),
            ("port", "5432"),
            ("database", "neondb"),
            ("username", "neondb_owner"),
            ("password", "p@ss"),
            ("uri", "postgresql://neondb_owner:p%40ss@ep-1.neon.test/neondb?sslmode=require"),
            ("pooler-host", "ep-1-pooler.neon.test"),
            ("pooler-port", "6543"),
        ] {
            assert_eq!(content.get(key), Some(value), "{key}");
        }
        assert!(!format!("{content:?}").contains("p@ss"));
    }

    #[test]
    fn the_revision_follows_the_data_and_nothing_else() {
        let labelled = r#"{"secret": {"labels": {"team": "a"}}}"#;
        assert_eq!(content("{}", "a").revision(), content(labelled, "a").revision());
        assert_ne!(content("{}", "a").revision(), content("{}", "b").revision());
    }

    #[test]
    fn a_secret_that_was_edited_or_lags_behind_the_spec_is_written_again() {
        let desired = desired("{}").unwrap();
        let wanted = content("{}", "a");
        let owner = OwnerReference { uid: desired.uid.clone(), ..OwnerReference::default() };
        let written = wanted.to_secret(&desired, owner);
        assert!(is_owned_by(&written, &desired.uid) && !is_owned_by(&written, "another"));
        assert!(Content::of(&written).satisfies(&wanted));

        let mut labelled = written.clone();
        labelled.metadata.labels.as_mut().unwrap().insert("theirs".to_owned(), "x".to_owned());
        assert!(Content::of(&labelled).satisfies(&wanted), "other people's labels may stay");

        let mut edited = written.clone();
        edited.data.as_mut().unwrap().insert("extra".to_owned(), ByteString(vec![1]));
        assert!(!Content::of(&edited).satisfies(&wanted), "an added key misleads consumers");

        let before = content(r#"{"secret": {"labels": {"team": "a"}}}"#, "a");
        assert!(!before.satisfies(&wanted), "a label that left the spec must go");
    }
}
