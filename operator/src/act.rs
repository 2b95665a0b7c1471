//! Carries out one step and answers what it brought.
//!
//! In: a step and what is known. Out: an [`Outcome`]. Each step may have been done already by a process that was
//! killed before it could say so; doing it again brings the same. Nothing is decided here.

mod cluster;
mod connection;
mod known;
mod project;

pub use known::Known;

use crds::VectorTenant;

use crate::{
    context::Context,
    desired::{Desired, Invalid},
    error::Error,
    observe,
    observed::{Observed, Outcome},
    plan::Step,
};

/// Whom a step is for.
pub struct Subject<'a> {
    /// The object.
    pub tenant: &'a VectorTenant,
    /// What this pass knows of it by now.
    pub known: Known,
    /// The object's UID.
    pub uid: String,
    /// Name of its project.
    pub project_name: String,
    /// What it declares; deletion does not ask.
    pub desired: Result<Desired, Invalid>,
}

impl Subject<'_> {
    fn desired(&self) -> Result<&Desired, Error> {
        self.desired.as_ref().map_err(|invalid| invalid.clone().into())
    }
}

/// Carries out one step.
///
/// # Errors
/// When the attempt failed; it can be made again.
pub async fn act(
    ctx: &Context,
    subject: &Subject<'_>,
    observed: &Observed,
    step: &Step,
) -> Result<Outcome, Error> {
    match step {
        Step::AddFinalizer => cluster::add_finalizer(ctx, subject).await,
        Step::RecordIntent => cluster::record_intent(ctx, subject, observed).await,
        Step::LookUp => Ok(Outcome::Found(observe::look_up(ctx, &subject.project_name).await?)),
        Step::CreateProject => project::create(ctx, subject.desired()?).await,
        Step::Bind { project } => project::bind(ctx, &subject.uid, project).await,
        Step::Adopt { project } => project::adopt(ctx, subject.desired()?, project).await,
        Step::RestoreName => project::restore_name(ctx, subject.desired()?, observed).await,
        Step::CheckOperations => project::check_operations(ctx, observed).await,
        Step::FetchConnection => connection::fetch(ctx, observed).await,
        Step::ResetPassword => connection::reset_password(ctx, observed).await,
        Step::ApplySettings => project::apply_settings(ctx, subject.desired()?, observed).await,
        Step::Migrate => connection::migrate(ctx, subject.desired()?, observed).await,
        Step::WriteSecret => cluster::write_secret(ctx, subject, observed).await,
        Step::RemoveSecret { name } => cluster::remove_secret(ctx, subject, name).await,
        Step::RemoveDuplicate { project } | Step::DeleteProject { project } => {
            project::delete(ctx, subject.tenant, project).await
        }
        Step::ConfirmGone { project } => project::confirm_gone(ctx, project).await,
        Step::RemoveFinalizer { retained: _ } => cluster::remove_finalizer(ctx, subject).await,
    }
}
