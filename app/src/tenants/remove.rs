//! The end of a tenant: its object, its files, its rows, in an order that a crash can interrupt anywhere.
//!
//! In: a tenant whose account was deleted. Out: nothing of it is left here; the operator unmakes the database.

use kube::{
    ResourceExt,
    api::{DeleteParams, Preconditions},
};
use uuid::Uuid;

use super::{Error, Tenants, is_of, object_name, within};
use crate::{documents, state::App};

/// Whatever kept the removal from being finished: it is tried again.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Removes what is left of a tenant.
///
/// # Errors
/// When something that holds a part of it does not answer; what was removed stays removed.
pub async fn remove(app: &App, tenant: Uuid) -> Result<(), Failure> {
    let known: Option<(Option<String>,)> =
        sqlx::query_as("select object_uid from tenants where id = $1 and deleted_at is not null")
            .bind(tenant)
            .fetch_optional(&app.db)
            .await?;
    let Some((uid,)) = known else {
        return Ok(());
    };
    remove_object(&app.tenants, tenant, uid).await?;
    app.files.delete_prefix(&documents::prefix(tenant)).await?;
    // The row stays for a while, for what may still be on its way (`heal` takes it away then); whose it was, it does not say.
    sqlx::query("delete from documents where tenant_id = $1").bind(tenant).execute(&app.db).await?;
    sqlx::query("delete from jobs where tenant_id = $1").bind(tenant).execute(&app.db).await?;
    tracing::info!(%tenant, "removed the tenant");
    Ok(())
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

async fn remove_object(tenants: &Tenants, tenant: Uuid, uid: Option<String>) -> Result<(), Error> {
    let (api, name) = (tenants.objects(), object_name(tenant));
    let Some(object) = within(api.get_opt(&name)).await? else {
        return Ok(());
    };
    let ours = is_of(&object, tenant) && uid.is_none_or(|uid| object.uid().as_ref() == Some(&uid));
    if !ours {
        tracing::warn!(name, "an object of that name is not ours: it is left alone");
        return Ok(());
    }
    let preconditions = Preconditions { uid: object.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match within(api.delete(&name, &params)).await {
        Ok(_) => Ok(()),
        Err(Error::Kubernetes(error)) if is_gone(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
