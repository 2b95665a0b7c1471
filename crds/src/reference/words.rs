//! The prose between the tables.
//!
//! In: the definition's names, this crate's constants. Out: Markdown. What a field or a reason means stands with it, not here.

use serde_json::Value;

use crate::{
    ADOPT_ANNOTATION, FIELD_MANAGER, FINALIZER, MANAGED_BY, MANAGED_BY_LABEL, RESERVED_PREFIX,
    TENANT_LABEL,
};

/// What the kind is called.
pub(super) fn head(definition: &Value) -> String {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, version) = (text(&spec["group"]), text(&spec["versions"][0]["name"]));
    let names = &spec["names"];
    let description = text(&spec["versions"][0]["schema"]["openAPIV3Schema"]["description"]);
    format!(
        "<!-- Generated from crds/src by `make generate`: change it there. -->\n\
         # {kind}\n\n\
         {description}\n\n\
         | | |\n|---|---|\n\
         | API version | `{group}/{version}` |\n\
         | kind | `{kind}`, plural `{plural}`, short `{short}` |\n\
         | scope | {scope} |\n\
         | category | `kubectl get {category}` |\n\n\
         Everything in `spec` has a default: a tenant needs no more than a name. `kubectl explain {short}.spec` shows the same \
         descriptions. How to run the operator is in [operations.md](operations.md).\n",
        kind = text(&names["kind"]),
        plural = text(&names["plural"]),
        short = text(&names["shortNames"][0]),
        scope = text(&spec["scope"]).to_lowercase(),
        category = text(&names["categories"][0]),
    )
}

pub(super) const STATUS: &str = "Written by the operator alone. Until it has looked at an object, the API server itself says \
    `observedGeneration: -1`, so that GitOps tools do not take a tenant that nobody has seen for a healthy one.";

pub(super) const CONDITIONS: &str = "All six are there from the operator's first look, `True` or `False`, never `Unknown`. \
    `Ready`, `Reconciling` and `Stalled` follow kstatus, which Flux and others read:\n\n\
    - `Ready` speaks of the database: True means that the Secret's connection works now, also while something else is still being \
    changed. `kubectl wait --for=condition=Ready vt/acme` waits for it.\n\
    - `Reconciling` and `Stalled` speak of the object as it is declared: at most one of them is True, and none when all is as \
    declared (or `spec.paused` asks to leave it alone).\n\
    - The other three are the parts, in the order in which they come about. The first that is not done carries the reason, those \
    behind it are `Pending`. Only `SecretConflict` stands with the Secret whatever comes before; and as long as the operator could not \
    look at all, each has the same reason.\n\n\
    Messages say what to do. Tools should go by type, status and reason; messages may change.";

pub(super) const REASONS: &str = "The set is closed: reasons are metric labels too.";

pub(super) const EXAMPLES: &str = concat!(
    "## Examples\n\n",
    "The smallest:\n\n```yaml\n",
    "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata:\n  name: acme\nspec: {}\n```\n\n",
    "With what is most often set:\n\n```yaml\n",
    include_str!("../../sample-tenant.yaml"),
    "```\n\n",
    "In Europe, for an embedding model with 3072 dimensions, never suspended, its project kept when the object goes:\n\n```yaml\n",
    "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata:\n  name: acme-eu\nspec:\n",
    "  region: aws-eu-central-1\n  suspendTimeoutSeconds: -1\n  vector:\n    dimensions: 3072\n  deletionPolicy: Retain\n```\n\n",
    "A Secret of another name, with labels for a tool that mirrors it:\n\n```yaml\n",
    "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata:\n  name: acme-mirrored\nspec:\n  secret:\n",
    "    name: acme-database\n    labels:\n      mirror: \"true\"\n```\n\n",
    "A tenant that takes over a project that is there already:\n\n```yaml\n",
    "apiVersion: tenantry.dev/v1alpha1\nkind: VectorTenant\nmetadata:\n  name: acme-restored\n  annotations:\n",
    "    tenantry.dev/adopt-project: cool-forest-12345678\nspec: {}\n```\n",
);

/// Names that the kind comes with.
pub(super) fn names() -> String {
    format!(
        "## Annotations, labels, finalizer\n\n\
         | name | on | set by | meaning |\n|---|---|---|---|\n\
         | `{ADOPT_ANNOTATION}` | tenant | you | Take over this Neon project instead of creating one. Its region and Postgres version must be those of the spec, and \
         it must have the database `neondb`, owned by `neondb_owner`. |\n\
         | `{FINALIZER}` (finalizer) | tenant | operator | Keeps the object until its project is proven gone, or retained. Removing \
         it by hand leaves the project in Neon. |\n\
         | `{TENANT_LABEL}` | Secret | operator | Name of the tenant that it belongs to. |\n\
         | `{MANAGED_BY_LABEL}: {MANAGED_BY}` | Secret | operator | Who writes it. |\n\
         | `{RESERVED_PREFIX}…` | both | operator | Reserved, but for the annotation above. |\n\n\
         The operator's field manager is `{FIELD_MANAGER}`.\n\n\
         ## The Secret\n\n\
         In the tenant's namespace, of type `servicebinding.io/postgresql`, owned by the tenant. Keys: `type` (`postgresql`), \
         `provider` (`neon`), `host`, `port`, `database`, `username`, `password`, `uri`, and for connections through the pooler \
         `pooler-host`, `pooler-port`, `pooled-uri`. `status.binding.revision` changes whenever one of them does.\n"
    )
}
