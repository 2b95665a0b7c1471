//! The `VectorTenant` kind: spec, status, validation rules and printer columns.
//!
//! Doc comments here are what `kubectl explain` shows, so they speak to the person who writes the YAML. Each CEL
//! message says what to do. The operator re-checks the same limits in `desired.rs`, so that an older definition
//! in a cluster cannot hurt it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A tenant that gets its own vector database: a Neon project with Postgres and pgvector, the tenant schema
/// applied, and a connection Secret beside this object.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenantry.dev",
    version = "v1alpha1",
    kind = "VectorTenant",
    doc = "A tenant that gets its own vector database: a Neon project with Postgres and pgvector, the tenant schema applied, and a connection Secret beside this object.",
    namespaced,
    shortname = "vt",
    category = "tenantry",
    status = "VectorTenantStatus",
    derive = "PartialEq",
    derive = "Default",
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name must be 63 characters or fewer, because it is also a label value: choose a shorter name"),
    validation = Rule::new("!self.metadata.name.startsWith('tenantry-') && !self.metadata.name.startsWith('kube-')").message("metadata.name must not start with 'tenantry-' or 'kube-', which are reserved: choose another name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the database can be used now"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Reconciling\")].reason", description = "Where it stands, in one word: Settled when all is as declared, else what is done or waited for, or why a person must act"),
    printcolumn(name = "Schema", type_ = "integer", json_path = ".status.schemaVersion", description = "Newest tenant migration applied"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", description = "Neon region"),
    printcolumn(name = "Stalled", type_ = "string", json_path = ".status.conditions[?(@.type==\"Stalled\")].status", description = "Whether a person must act; a tenant may be Ready all the same", priority = "1"),
    printcolumn(name = "Project", type_ = "string", json_path = ".status.projectId", description = "Neon project id", priority = "1"),
    printcolumn(name = "Host", type_ = "string", json_path = ".status.host", description = "Host of the database", priority = "1"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.binding.name", description = "Secret that holds the connection", priority = "1"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct VectorTenantSpec {
    /// Neon region of the project, such as `aws-us-east-1` or `aws-eu-central-1`. Cannot be changed later: a
    /// database does not move between regions.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("region cannot be changed: create a new VectorTenant in the other region and move the data"))]
    #[serde(default = "defaults::region")]
    pub region: String,

    /// Major version of Postgres, 14 to 18. Cannot be changed later.
    #[schemars(range(min = 14, max = 18))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("postgresVersion cannot be changed: create a new VectorTenant with the other version and move the data"))]
    #[serde(default = "defaults::postgres_version")]
    pub postgres_version: i32,

    /// Size of the compute: it grows and shrinks between these two. Changes are applied to the live project.
    #[serde(default)]
    pub autoscaling: Autoscaling,

    /// Seconds without a query after which the compute is suspended: 60 to 604800, 0 for Neon's own default
    /// (300), -1 for never. Changes are applied to the live project.
    #[schemars(range(min = -1, max = 604_800))]
    #[x_kube(validation = Rule::new("self == -1 || self == 0 || self >= 60").message("suspendTimeoutSeconds must be -1 (never), 0 (Neon's default) or 60 to 604800"))]
    #[serde(default = "defaults::suspend_timeout_seconds")]
    pub suspend_timeout_seconds: i64,

    /// Seconds of history that Neon keeps for restores, 0 to 2592000 (30 days); your plan may allow less.
    /// Left out, the plan's own default stands. Changes are applied to the live project.
    #[schemars(range(min = 0, max = 2_592_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_retention_seconds: Option<i64>,

    /// The vectors that the database holds.
    #[serde(default)]
    pub vector: Vector,

    /// The Secret that receives the connection.
    #[serde(default)]
    pub secret: SecretTemplate,

    /// What happens to the Neon project when this object is deleted: `Delete` removes it with its data, `Retain`
    /// leaves it and names it in an Event.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Leave the project, the Secret and the schema as they are until this is false again. Deletion is carried
    /// out all the same.
    #[serde(default)]
    pub paused: bool,
}

impl Default for VectorTenantSpec {
    fn default() -> Self {
        Self {
            region: defaults::region(),
            postgres_version: defaults::postgres_version(),
            autoscaling: Autoscaling::default(),
            suspend_timeout_seconds: defaults::suspend_timeout_seconds(),
            history_retention_seconds: None,
            vector: Vector::default(),
            secret: SecretTemplate::default(),
            deletion_policy: DeletionPolicy::default(),
            paused: false,
        }
    }
}

/// Size of the compute, in compute units (1 CU is about 4 GB of memory).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("quantity(self.min).compareTo(quantity(self.max)) <= 0").message("autoscaling.min must not be greater than autoscaling.max"),
    validation = Rule::new("quantity(self.min).compareTo(quantity('250m')) >= 0").message("autoscaling.min must be at least \"0.25\", the smallest compute that Neon offers"),
    validation = Rule::new("quantity(self.max).compareTo(quantity('56')) <= 0").message("autoscaling.max must be at most \"56\", the largest compute that Neon offers"),
    validation = Rule::new("quantity(self.max).compareTo(quantity('16')) <= 0 || quantity(self.min).compareTo(quantity(self.max)) == 0").message("above 16 compute units Neon does not autoscale: set autoscaling.min equal to autoscaling.max")
)]
pub struct Autoscaling {
    /// Smallest size in compute units, as a quoted quantity: `"0.25"`, `"0.5"`, `"1"`, `"2"` and so on.
    #[schemars(length(min = 1, max = 8), regex(pattern = "^([0-9]+([.][0-9]{1,3})?|[0-9]+m)$"))]
    #[serde(default = "defaults::min")]
    pub min: String,
    /// Largest size in compute units, as a quoted quantity. Up to 16 when it differs from `min`, else up to 56.
    #[schemars(length(min = 1, max = 8), regex(pattern = "^([0-9]+([.][0-9]{1,3})?|[0-9]+m)$"))]
    #[serde(default = "defaults::max")]
    pub max: String,
}

/// The vectors that the database holds.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Vector {
    /// Number of dimensions of an embedding, 1 to 4000; it must be what your embedding model produces. Up to
    /// 2000 the index is over `vector`, above it over `halfvec` (pgvector's own limit). Cannot be changed later.
    #[schemars(range(min = 1, max = 4000))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("vector.dimensions cannot be changed: create a new VectorTenant and embed the documents anew"))]
    #[serde(default = "defaults::dimensions")]
    pub dimensions: i32,
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self { min: defaults::min(), max: defaults::max() }
    }
}

impl Default for Vector {
    fn default() -> Self {
        Self { dimensions: defaults::dimensions() }
    }
}

/// What a field is when it is left out; the generated schema carries the same values.
mod defaults {
    pub(super) fn region() -> String {
        "aws-us-east-1".to_owned()
    }

    pub(super) fn postgres_version() -> i32 {
        17
    }

    pub(super) fn suspend_timeout_seconds() -> i64 {
        300
    }

    pub(super) fn min() -> String {
        "0.25".to_owned()
    }

    pub(super) fn max() -> String {
        "2".to_owned()
    }

    pub(super) fn dimensions() -> i32 {
        1536
    }
}

/// The Secret that receives the connection.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.labels) || self.labels.all(k, !k.startsWith('tenantry.dev/') && k != 'app.kubernetes.io/managed-by')").message("secret.labels must not hold 'tenantry.dev/…' or 'app.kubernetes.io/managed-by', which the operator sets: remove them"),
    validation = Rule::new("!has(self.labels) || self.labels.all(k, !format.qualifiedName().validate(k).hasValue())").message("secret.labels has a key that Kubernetes does not take: write it like 'team' or 'example.com/team'"),
    validation = Rule::new("!has(self.annotations) || self.annotations.all(k, !format.qualifiedName().validate(k.lowerAscii()).hasValue())").message("secret.annotations has a key that Kubernetes does not take: write it like 'team' or 'example.com/team'"),
    validation = Rule::new("!has(self.annotations) || self.annotations.all(k, !k.startsWith('tenantry.dev/'))").message("secret.annotations must not hold 'tenantry.dev/…', which is reserved: remove them"),
    validation = Rule::new("!has(self.name) || (!self.name.startsWith('tenantry-') && !self.name.startsWith('kube-'))").message("secret.name must not start with 'tenantry-' or 'kube-', which are reserved: choose another name")
)]
pub struct SecretTemplate {
    /// Name of the Secret; left out, it is the tenant's name with `-postgres` behind it. Renaming writes the new
    /// one first and then removes the old one.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels for the Secret, at most 32, beside the operator's own.
    #[schemars(schema_with = "labels_schema")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations for the Secret, at most 32: for example those of a tool that mirrors Secrets.
    #[schemars(extend("maxProperties" = 32))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Label values have a form and a length: refused here, they never reach the Secret's write.
fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        },
    })
}

/// What happens to the Neon project when the tenant is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// The project is deleted with its data.
    #[default]
    Delete,
    /// The project stays in Neon, and an Event names it.
    Retain,
}

/// What the operator found and did. Everything here can be rebuilt from Neon, the cluster and the database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VectorTenantStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has looked at the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled in the kstatus sense, and ProjectReady, SchemaReady, SecretReady.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Id of the Neon project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Name of the Neon project: made from the cluster's and this object's UID, and the key by which it is found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    /// Id of the project's default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_id: Option<String>,
    /// Id of the branch's read-write endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// Host of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Name of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Version of the newest tenant migration that is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<i64>,
    /// The Secret that holds the connection, in the form of the Service Binding specification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// Settings of the live project, as Neon reports them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<LiveSettings>,
    /// Recorded before a project is asked for, so that a crash cannot lead to a second one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation: Option<CreationIntent>,
    /// When the tenant became Ready for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Time>,
}

/// A Service Binding: where the connection is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// Name of the Secret, in this namespace.
    pub name: String,
    /// Changes whenever the Secret's content does: put it into a pod template's annotation to restart on rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Settings of the live project, as Neon reports them.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct LiveSettings {
    /// Smallest size of the compute, in compute units.
    pub autoscaling_min: String,
    /// Largest size of the compute, in compute units.
    pub autoscaling_max: String,
    /// Seconds without a query after which the compute is suspended.
    pub suspend_timeout_seconds: i64,
    /// Seconds of history that Neon keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_retention_seconds: Option<i64>,
}

/// That a project was about to be asked for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CreationIntent {
    /// When the request was about to be sent.
    pub requested_at: Time,
}
