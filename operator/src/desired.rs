//! What is declared: the only place that reads a spec.
//!
//! In: the object as the API server gave it, and the cluster's id. Out: [`Desired`], with every default and limit
//! applied, or [`Invalid`], which names the field and the remedy. The same limits stand in the definition's CEL
//! rules; they are checked again here because a cluster may still serve an older definition. No IO.

use std::collections::BTreeMap;

use crds::{DeletionPolicy, VectorTenant};
use kube::ResourceExt;

use crate::naming::{self, ClusterId};

/// Branch, database and role of every tenant: Neon's own defaults, asked for by name.
pub const BRANCH: &str = "main";
/// The tenant's database.
pub const DATABASE: &str = "neondb";
/// The role that owns the tenant's database.
pub const ROLE: &str = "neondb_owner";
/// Key of the annotation on the project's branch that says whose it is.
pub const OWNER_ANNOTATION: &str = "tenantry.dev/tenant-uid";

/// A size in thousandths of a compute unit: whole numbers compare exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComputeUnits(u32);

impl ComputeUnits {
    /// From what Neon's API reports.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    pub fn from_api(units: f64) -> Self {
        Self((units * 1000.0).round().clamp(0.0, 1e6) as u32)
    }

    /// As Neon's API wants it.
    #[must_use]
    pub fn to_api(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// From a Kubernetes quantity such as `0.25`, `2` or `250m`.
    fn parse(text: &str) -> Option<Self> {
        if let Some(milli) = text.strip_suffix('m') {
            return milli.parse().ok().map(Self);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            (1..=3).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
        let fraction: u32 = format!("{fraction:0<3}").parse().ok().filter(|_| digits)?;
        whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(fraction).map(Self)
    }
}

impl std::fmt::Display for ComputeUnits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.to_api())
    }
}

/// The settings that may change while the project lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Smallest compute.
    pub min: ComputeUnits,
    /// Largest compute.
    pub max: ComputeUnits,
    /// Seconds until the idle compute is suspended; 0 is Neon's default, -1 never.
    pub suspend_timeout_seconds: i64,
    /// Seconds of history; `None` leaves the plan's default.
    pub history_retention_seconds: Option<i64>,
}

/// A tenant as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object and of its Secret.
    pub namespace: String,
    /// UID of the object: the tenant's identity.
    pub uid: String,
    /// Name of the Neon project, made from the cluster's id and the UID.
    pub project_name: String,
    /// Neon region.
    pub region: String,
    /// Major version of Postgres.
    pub postgres_version: i32,
    /// Settings that may change.
    pub settings: Settings,
    /// Dimensions of the embeddings.
    pub dimensions: i32,
    /// Name of the Secret.
    pub secret_name: String,
    /// Labels that the spec wants on the Secret.
    pub secret_labels: BTreeMap<String, String>,
    /// Annotations that the spec wants on the Secret.
    pub secret_annotations: BTreeMap<String, String>,
    /// Leave everything alone.
    pub paused: bool,
    /// Take over this project.
    pub adopt: Option<String>,
}

/// A value that cannot be carried out; the text names the field and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

fn ensure(holds: bool, otherwise: &str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid(otherwise.to_owned())) }
}

impl Desired {
    /// Reads the spec.
    ///
    /// # Errors
    /// [`Invalid`] where a value is outside what Neon, Postgres or Kubernetes can carry out.
    pub fn new(tenant: &VectorTenant, cluster: &ClusterId) -> Result<Self, Invalid> {
        let spec = &tenant.spec;
        let name = tenant.name_any();
        ensure(
            name.len() <= crds::MAX_NAME_LENGTH,
            "metadata.name must be 63 characters or fewer: choose a shorter name",
        )?;
        ensure(
            (14..=18).contains(&spec.postgres_version),
            "spec.postgresVersion must be 14 to 18",
        )?;
        ensure(
            (1..=4000).contains(&spec.vector.dimensions),
            "spec.vector.dimensions must be 1 to 4000",
        )?;
        ensure(!spec.region.is_empty(), "spec.region must name a Neon region")?;
        let secret_name = spec.secret.name.clone().unwrap_or_else(|| format!("{name}-postgres"));
        check_secret(&secret_name, &spec.secret.labels, &spec.secret.annotations)?;
        let uid = tenant.uid().unwrap_or_default();
        Ok(Self {
            project_name: naming::project_name(cluster, &uid),
            namespace: tenant.namespace().unwrap_or_default(),
            name,
            uid,
            region: spec.region.clone(),
            postgres_version: spec.postgres_version,
            settings: settings(spec)?,
            dimensions: spec.vector.dimensions,
            secret_name,
            secret_labels: spec.secret.labels.clone(),
            secret_annotations: spec.secret.annotations.clone(),
            paused: spec.paused,
            adopt: adopt(tenant)?,
        })
    }
}

/// The deletion policy: all that deletion reads of a spec.
#[must_use]
pub fn deletion_policy(tenant: &VectorTenant) -> DeletionPolicy {
    tenant.spec.deletion_policy
}

fn settings(spec: &crds::VectorTenantSpec) -> Result<Settings, Invalid> {
    let units = |field: &str, text: &str| {
        ComputeUnits::parse(text).ok_or_else(|| {
            Invalid(format!("spec.autoscaling.{field} is no quantity: write it like \"0.25\""))
        })
    };
    let (min, max) = (units("min", &spec.autoscaling.min)?, units("max", &spec.autoscaling.max)?);
    ensure(min <= max, "spec.autoscaling.min must not be greater than spec.autoscaling.max")?;
    ensure(min >= ComputeUnits(250), "spec.autoscaling.min must be at least \"0.25\"")?;
    ensure(max <= ComputeUnits(56_000), "spec.autoscaling.max must be at most \"56\"")?;
    ensure(
        max <= ComputeUnits(16_000) || min == max,
        "spec.autoscaling.min must equal spec.autoscaling.max above 16 compute units",
    )?;
    let suspend = spec.suspend_timeout_seconds;
    ensure(
        suspend == -1 || suspend == 0 || (60..=604_800).contains(&suspend),
        "spec.suspendTimeoutSeconds must be -1 (never), 0 (Neon's default) or 60 to 604800",
    )?;
    let history = spec.history_retention_seconds;
    ensure(
        history.is_none_or(|seconds| (0..=2_592_000).contains(&seconds)),
        "spec.historyRetentionSeconds must be 0 to 2592000",
    )?;
    Ok(Settings { min, max, suspend_timeout_seconds: suspend, history_retention_seconds: history })
}

fn check_secret(
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Invalid> {
    ensure(
        name.len() <= 253 && !name.starts_with("tenantry-") && !name.starts_with("kube-"),
        "spec.secret.name must be 253 characters or fewer and not start with 'tenantry-' or 'kube-'",
    )?;
    let reserved =
        |key: &&String| key.starts_with(crds::RESERVED_PREFIX) || *key == crds::MANAGED_BY_LABEL;
    if let Some(key) = labels.keys().chain(annotations.keys()).find(reserved) {
        return Err(Invalid(format!(
            "spec.secret must not set '{key}', which the operator sets: remove it"
        )));
    }
    // Without this, objects from before the definition judged keys would fail at the Secret's write, when all else is done.
    let strange_label = labels.keys().find(|key| !is_qualified_name(key));
    let strange_annotation = || {
        // Kubernetes lets the prefix of an annotation have capitals.
        annotations.keys().find(|key| !is_qualified_name(&key.to_ascii_lowercase()))
    };
    match strange_label.or_else(strange_annotation) {
        Some(key) => Err(Invalid(format!(
            "spec.secret has the label or annotation '{key}', which Kubernetes does not take: write it like 'team' or 'example.com/team'"
        ))),
        None => Ok(()),
    }
}

/// Whether Kubernetes takes it as the key of a label or an annotation.
fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let bounded = |text: &str, most: usize, inner: &[u8]| {
        let ends = |end: Option<u8>| end.is_some_and(|b| b.is_ascii_alphanumeric());
        let (first, last) = (text.bytes().next(), text.bytes().next_back());
        let all = text.bytes().all(|b| b.is_ascii_alphanumeric() || inner.contains(&b));
        text.len() <= most && ends(first) && ends(last) && all
    };
    let label =
        |part: &str| bounded(part, 253, b"-") && !part.bytes().any(|b| b.is_ascii_uppercase());
    bounded(name, 63, b"-_.")
        && prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(label))
}

fn adopt(tenant: &VectorTenant) -> Result<Option<String>, Invalid> {
    let Some(id) = tenant.annotations().get(crds::ADOPT_ANNOTATION) else {
        return Ok(None);
    };
    let is_id = (1..=60).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    ensure(
        is_id,
        &format!(
            "annotation {} is '{id}', which is no id of a Neon project: give one like 'long-forest-06846227'",
            crds::ADOPT_ANNOTATION
        ),
    )?;
    Ok(Some(id.clone()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tenant(yaml: &str) -> VectorTenant {
        let mut tenant: VectorTenant = serde_json::from_value(serde_json::json!({
            "apiVersion": "tenantry.dev/v1alpha1", "kind": "VectorTenant", "spec": {},
            "metadata": {"name": "acme", "namespace": "team", "generation": 1,
                "uid": "58465dbd-da17-43d9-b78e-025564f98896"},
        }))
        .unwrap();
        tenant.spec = serde_json::from_str(yaml).unwrap();
        tenant
    }

    pub(crate) fn desired(yaml: &str) -> Result<Desired, Invalid> {
        Desired::new(&tenant(yaml), &ClusterId::new("test"))
    }

    #[test]
    fn an_empty_spec_is_a_whole_tenant() {
        let desired = desired("{}").unwrap();
        assert_eq!(desired.region, "aws-us-east-1");
        assert_eq!(desired.secret_name, "acme-postgres");
        assert_eq!((desired.settings.min, desired.dimensions), (ComputeUnits(250), 1536));
        assert_eq!(naming::tenant_uid(&desired.project_name), Some(desired.uid.as_str()));
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, milli) in [("0.25", 250), ("250m", 250), ("1", 1000), ("2.5", 2500)] {
            assert_eq!(ComputeUnits::parse(text), Some(ComputeUnits(milli)), "{text}");
        }
        for text in ["", "x", "-1", "1.2345", "1e3", "1.", "0.2x", "99999999"] {
            assert_eq!(ComputeUnits::parse(text), None, "{text}");
        }
        assert_eq!(ComputeUnits::from_api(0.25), ComputeUnits(250));
        assert_eq!(ComputeUnits(250).to_string(), "0.25");
    }

    #[test]
    fn keys_are_judged_as_kubernetes_judges_them() {
        for key in ["team", "a.b/c", "A_b.c-D", "x-1.example/T", "0"] {
            assert!(is_qualified_name(key), "{key}");
        }
        let long = "x".repeat(64);
        for key in ["", "not a key", "UP/key", "a/b/c", "/x", "x/", "-x", "x.", "a..b/c", &long] {
            assert!(!is_qualified_name(key), "{key}");
        }
    }

    #[test]
    fn what_an_old_definition_lets_through_is_refused_by_field() {
        for (spec, field) in [
            (r#"{"postgresVersion": 13}"#, "postgresVersion"),
            (r#"{"vector": {"dimensions": 4001}}"#, "vector.dimensions"),
            (r#"{"region": ""}"#, "region"),
            (r#"{"autoscaling": {"min": "2", "max": "1"}}"#, "autoscaling.min"),
            (r#"{"autoscaling": {"min": "0.1"}}"#, "autoscaling.min"),
            (r#"{"autoscaling": {"max": "57"}}"#, "autoscaling.max"),
            (r#"{"autoscaling": {"min": "2", "max": "20"}}"#, "autoscaling.min"),
            (r#"{"autoscaling": {"max": "lots"}}"#, "autoscaling.max"),
            (r#"{"suspendTimeoutSeconds": 5}"#, "suspendTimeoutSeconds"),
            (r#"{"historyRetentionSeconds": -1}"#, "historyRetentionSeconds"),
            (r#"{"secret": {"name": "tenantry-neon-key"}}"#, "secret.name"),
            (r#"{"secret": {"labels": {"tenantry.dev/x": "y"}}}"#, "tenantry.dev/x"),
        ] {
            let error = desired(spec).unwrap_err().to_string();
            assert!(error.contains(field), "{spec}: {error}");
        }
    }

    #[test]
    fn an_adoption_annotation_must_be_an_id() {
        let mut tenant = tenant("{}");
        for (id, valid) in [("long-forest-06846227", true), ("../x", false), ("", false)] {
            tenant.annotations_mut().insert(crds::ADOPT_ANNOTATION.to_owned(), id.to_owned());
            assert_eq!(Desired::new(&tenant, &ClusterId::new("t")).is_ok(), valid, "{id}");
        }
    }
}
