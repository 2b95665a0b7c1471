//! What a crash, or an API server that was away, left undone: tenants whose object was never created.
//!
//! In: rows without an object. Out: their objects. It runs now and then in every replica; doing it twice does no harm.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use uuid::Uuid;

use super::{Error, ensure, remove};
use crate::state::App;

/// How often.
const EVERY: Duration = Duration::from_secs(30);

/// Heals until told to stop. It also forgets sessions and sign-ins that are over.
pub async fn heal(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "the periodic check failed");
        }
        app.limits.tidy();
        let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
    }
}

async fn once(app: &App) -> Result<(), Error> {
    sqlx::query("delete from sessions where expires_at < now()").execute(&app.db).await?;
    sqlx::query("delete from sign_ins where created_at < now() - interval '1 hour'")
        .execute(&app.db)
        .await?;
    // In no order: some that can never be made must not keep the others waiting.
    let waiting: Vec<(Uuid,)> = sqlx::query_as(
        "select id from tenants where object_uid is null and deleted_at is null order by random() limit 100",
    )
    .fetch_all(&app.db)
    .await?;
    for (tenant,) in waiting {
        if let Err(error) = ensure(&app.tenants, tenant).await {
            tracing::warn!(%tenant, %error, "a tenant's database could not be declared");
        }
    }
    bury(app).await
}

/// The last of accounts that were deleted a while ago: what was still on its way then (a request to Kubernetes, an upload) has
/// arrived by now, and goes too.
async fn bury(app: &App) -> Result<(), Error> {
    let deleted: Vec<(Uuid,)> = sqlx::query_as(
        "select id from tenants t where deleted_at < now() - interval '15 minutes'
         and not exists (select from jobs j where j.tenant_id = t.id) order by random() limit 100",
    )
    .fetch_all(&app.db)
    .await?;
    for (tenant,) in deleted {
        if let Err(error) = remove(app, tenant).await {
            tracing::warn!(%tenant, error, "what is left of a deleted account could not be removed");
            continue;
        }
        sqlx::query("delete from tenants where id = $1").bind(tenant).execute(&app.db).await?;
    }
    Ok(())
}
