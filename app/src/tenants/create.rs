//! The object that declares a tenant's database: created once, recognised again after a crash.
//!
//! In: a tenant's row. Out: its object exists, and the row knows its UID. An object of that name that is not ours is not touched.

use crds::VectorTenant;
use kube::{ResourceExt, api::PostParams};
use serde_json::json;
use uuid::Uuid;

use super::{Error, Tenants, is_of, labels, object_name, within};

/// Makes sure that a tenant has its object, unless it had one before: a database that somebody removed is not made anew,
/// because its documents would be gone without a word.
///
/// # Errors
/// When the main database or Kubernetes does not answer, or an object of that name is somebody else's.
pub async fn ensure(tenants: &Tenants, tenant: Uuid) -> Result<(), Error> {
    let db = &tenants.db;
    let known: Option<(Option<String>,)> =
        sqlx::query_as("select object_uid from tenants where id = $1 and deleted_at is null")
            .bind(tenant)
            .fetch_optional(db)
            .await?;
    let Some((None,)) = known else {
        return Ok(());
    };
    let (api, object) = (tenants.objects(), tenants.object(tenant)?);
    let uid = match within(api.create(&PostParams::default(), &object)).await {
        Ok(created) => created.uid(),
        Err(Error::Kubernetes(error)) if already_exists(&error) => found(tenants, tenant).await?,
        Err(error) => return Err(error),
    };
    // An account that was deleted in between keeps its row for a while, so that what this made is found and removed.
    sqlx::query("update tenants set object_uid = $2 where id = $1 and object_uid is null")
        .bind(tenant)
        .bind(uid)
        .execute(db)
        .await?;
    tracing::info!(%tenant, "declared the tenant's database");
    Ok(())
}

fn already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}

/// The UID of the object that an earlier attempt left.
async fn found(tenants: &Tenants, tenant: Uuid) -> Result<Option<String>, Error> {
    let object = within(tenants.objects().get(&object_name(tenant))).await?;
    if is_of(&object, tenant) {
        Ok(object.uid())
    } else {
        tracing::error!(name = object_name(tenant), "an object of that name is not ours");
        Err(Error::Gone)
    }
}

impl Tenants {
    fn object(&self, tenant: Uuid) -> Result<VectorTenant, Error> {
        let template = &self.template;
        let object = json!({
            "apiVersion": "tenantry.dev/v1alpha1",
            "kind": "VectorTenant",
            "metadata": {"name": object_name(tenant), "labels": labels(tenant)},
            "spec": {
                "region": template.region,
                "autoscaling": {"min": template.min, "max": template.max},
                "vector": {"dimensions": template.dimensions},
            },
        });
        serde_json::from_value(object).map_err(|error| kube::Error::SerdeError(error).into())
    }
}
