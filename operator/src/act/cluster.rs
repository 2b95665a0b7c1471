//! Steps on the cluster: the finalizer, the recorded intent, the Secret. All by server-side apply.
//!
//! Each apply carries the object's UID: an object that was deleted and made anew in the meantime is refused by the
//! API server instead of being changed, or brought back, by a pass that knew its predecessor.

use std::collections::BTreeMap;

use crds::{CreationIntent, FIELD_MANAGER, FINALIZER, VectorTenant};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::Subject;
use crate::{
    context::Context,
    error::Error,
    observe,
    observed::{Connection, Observed, Outcome, Secret},
    secret::{Content, is_owned_by},
    status,
};

pub(super) async fn add_finalizer(ctx: &Context, subject: &Subject<'_>) -> Result<Outcome, Error> {
    apply_finalizers(ctx, subject, &[FINALIZER]).await?;
    Ok(Outcome::FinalizerAdded)
}

/// An object that is gone already has been let go.
pub(super) async fn remove_finalizer(
    ctx: &Context,
    subject: &Subject<'_>,
) -> Result<Outcome, Error> {
    let kept = subject.tenant.finalizers().iter().filter(|name| *name != FINALIZER);
    let patch = json!({"metadata": {
        "finalizers": kept.collect::<Vec<_>>(),
        "resourceVersion": subject.tenant.resource_version(),
    }});
    let tenants = ctx.tenants(&subject.tenant.namespace().unwrap_or_default());
    // A merge and not an apply: the finalizer must go whoever put it on.
    match tenants
        .patch(&subject.tenant.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        Ok(_) => Ok(Outcome::Released),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Outcome::Released),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            release_newest(ctx, subject.tenant).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The object changed since it was read: read it again, and take the finalizer off that.
async fn release_newest(ctx: &Context, tenant: &VectorTenant) -> Result<Outcome, Error> {
    let tenants = ctx.tenants(&tenant.namespace().unwrap_or_default());
    let newest = tenants.get_opt(&tenant.name_any()).await?;
    let Some(newest) = newest.filter(|newest| newest.uid() == tenant.uid()) else {
        return Ok(Outcome::Released);
    };
    let kept = newest.finalizers().iter().filter(|name| *name != FINALIZER);
    let patch = json!({"metadata": {
        "finalizers": kept.collect::<Vec<_>>(),
        "resourceVersion": newest.resource_version(),
    }});
    tenants.patch(&tenant.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(Outcome::Released)
}

async fn apply_finalizers(
    ctx: &Context,
    subject: &Subject<'_>,
    finalizers: &[&str],
) -> Result<(), Error> {
    let patch = json!({
        "apiVersion": VectorTenant::api_version(&()),
        "kind": VectorTenant::kind(&()),
        "metadata": {"uid": subject.uid, "finalizers": finalizers},
    });
    let tenants = ctx.tenants(&subject.tenant.namespace().unwrap_or_default());
    let params = PatchParams::apply(FIELD_MANAGER);
    let applied = tenants.patch(&subject.tenant.name_any(), &params, &Patch::Apply(&patch)).await?;
    subject.known.saw(&applied)
}

/// The status that says so is written before the request is sent. The search that must come before the request, too, is made
/// meanwhile: the write builds on a status without an intent, so nobody can have sent a request that the search is too early for.
pub(super) async fn record_intent(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let now = Timestamp::now();
    let mut new = status::creating(subject.tenant, observed, now);
    new.creation = Some(CreationIntent { requested_at: Time(now) });
    new.project_name = Some(subject.project_name.clone());
    let (written, found) = tokio::join!(
        status::write(ctx, subject.tenant, &subject.known, &new),
        observe::look_up(ctx, &subject.project_name),
    );
    written?;
    Ok(Outcome::IntentRecorded(now, found?))
}

pub(super) async fn write_secret(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &Observed,
) -> Result<Outcome, Error> {
    let desired = subject.desired()?;
    let Connection::Known { direct, pooled } = &observed.connection else {
        return Err(Error::Incomplete("the connection is not known".to_owned()));
    };
    let Some(owner) = subject.tenant.controller_owner_ref(&()) else {
        return Err(Error::Incomplete("the object has no UID".to_owned()));
    };
    let content = Content::new(desired, direct, pooled);
    let secret = content.to_secret(desired, owner);
    let params = PatchParams::apply(FIELD_MANAGER);
    // What somebody else wrote into our Secret is taken back; a Secret that somebody else made in this very
    // moment is not: then the apply meets a conflict, and the next pass sees whose it is.
    let params = match &observed.secret {
        Secret::Ours { content: _, intact: _, version: _ } => params.force(),
        Secret::Missing | Secret::Foreign => params,
    };
    let secrets = ctx.secrets(&desired.namespace);
    let mut written = secrets.patch(&desired.secret_name, &params, &Patch::Apply(&secret)).await?;
    // An apply leaves keys that somebody else put in; a consumer that mounts the Secret would read them.
    let strange = Content::of(&written).keys_beside(&content);
    if !strange.is_empty() {
        let without =
            strange.into_iter().map(|key| (key, None)).collect::<BTreeMap<_, Option<()>>>();
        let patch = json!({"metadata": {"uid": written.uid()}, "data": without});
        let params = PatchParams::default();
        written = secrets.patch(&desired.secret_name, &params, &Patch::Merge(&patch)).await?;
    }
    Ok(Outcome::SecretWritten(content, written.resource_version()))
}

pub(super) async fn remove_secret(
    ctx: &Context,
    subject: &Subject<'_>,
    name: &str,
) -> Result<Outcome, Error> {
    let secrets = ctx.secrets(&subject.tenant.namespace().unwrap_or_default());
    if let Some(old) = secrets.get_opt(name).await?.filter(|old| is_owned_by(old, &subject.uid)) {
        let preconditions = Preconditions { uid: old.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match secrets.delete(name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Outcome::OldSecretRemoved)
}
