//! The contract: what a platform team may declare, and what the operator answers.
//!
//! In: nothing. Out: the [`VectorTenant`] type, its generated `CustomResourceDefinition` and the names (labels,
//! annotations, finalizer, field manager) that the operator and the app agree on. This crate does no IO and
//! knows nothing of Neon.

mod conditions;
mod definition;
mod reference;
#[expect(unreachable_pub, reason = "KubeSchema repeats each struct inside a function")]
mod vector_tenant;

pub use conditions::{Attention, ConditionType, Reason, condition, find, is_true, set};
pub use definition::{custom_resource_definition, yaml};
pub use reference::reference;
pub use vector_tenant::{
    Autoscaling, Binding, CreationIntent, DeletionPolicy, LiveSettings, SecretTemplate, Vector,
    VectorTenant, VectorTenantSpec, VectorTenantStatus,
};

/// API group of everything that Tenantry defines.
pub const GROUP: &str = "tenantry.dev";

/// Prefix of labels and annotations that only the operator may set.
pub const RESERVED_PREFIX: &str = "tenantry.dev/";

/// Finalizer that keeps a tenant until its project is proven gone (or retained).
pub const FINALIZER: &str = "tenantry.dev/project";

/// Field manager of every server-side apply that the operator makes.
pub const FIELD_MANAGER: &str = "tenantry-operator";

/// Annotation on a tenant: take over this existing Neon project instead of creating one.
pub const ADOPT_ANNOTATION: &str = "tenantry.dev/adopt-project";

/// Label on a Secret: name of the tenant that it belongs to.
pub const TENANT_LABEL: &str = "tenantry.dev/tenant";

/// The well-known label that says which tool manages an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY_LABEL`] on what the operator writes.
pub const MANAGED_BY: &str = "tenantry";

/// Longest tenant name, in characters: it is also the value of [`TENANT_LABEL`].
pub const MAX_NAME_LENGTH: usize = 63;
