//! One project: look at it, change it, delete it.
//!
//! In: its id, and what is wanted. Out: the project, or the knowledge that it is gone. It must not take a
//! deleted project for one, nor a refusal or a proxy's 404 page for "gone".

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::json;

use super::{
    Client, Error, Operation, Project,
    route::{DELETE_PROJECT, GET_PROJECT, UPDATE_PROJECT},
};

/// Settings of an endpoint, or for new endpoints: what is absent stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct EndpointPatch {
    /// Fewest compute units.
    #[serde(rename = "autoscaling_limit_min_cu", skip_serializing_if = "Option::is_none")]
    pub autoscaling_min_cu: Option<f64>,
    /// Most compute units.
    #[serde(rename = "autoscaling_limit_max_cu", skip_serializing_if = "Option::is_none")]
    pub autoscaling_max_cu: Option<f64>,
    /// Idle seconds until it is suspended; 0 is Neon's default, -1 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend_timeout_seconds: Option<i64>,
}

/// A change to a project: what is absent stays as it is. Existing endpoints keep their settings; see
/// [`Client::update_endpoint`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ProjectPatch {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds of history to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_retention_seconds: Option<i64>,
    /// What new endpoints start with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_endpoint_settings: Option<EndpointPatch>,
}

/// What came of a wish to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// Neon took it on; look again for the proof.
    Accepted,
    /// There was nothing to delete.
    AlreadyGone,
}

#[derive(Deserialize)]
struct ProjectReply {
    project: Project,
    #[serde(default)]
    operations: Vec<Operation>,
}

impl Client {
    /// A project by its id; `None` where Neon says that it is gone.
    ///
    /// # Errors
    /// Everything else, a 404 included that is not Neon's own.
    pub async fn project(&self, id: &str) -> Result<Option<Project>, Error> {
        match self.send::<ProjectReply>(self.request(GET_PROJECT, &[id])?).await {
            Ok(reply) => Ok(Some(reply.project).filter(|project| project.deleted_at.is_none())),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renames a project.
    ///
    /// # Errors
    /// As [`Client::update_project`].
    pub async fn rename_project(
        &self,
        id: &str,
        name: &str,
    ) -> Result<(Project, Vec<Operation>), Error> {
        let patch = ProjectPatch { name: Some(name.to_owned()), ..ProjectPatch::default() };
        self.update_project(id, &patch).await
    }

    /// Changes a project. Doing it again changes nothing more.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the project is gone.
    pub async fn update_project(
        &self,
        id: &str,
        patch: &ProjectPatch,
    ) -> Result<(Project, Vec<Operation>), Error> {
        let request = self.request(UPDATE_PROJECT, &[id])?.json(&json!({ "project": patch }))?;
        let ProjectReply { project, operations } = self.send(request).await?;
        Ok((project, operations))
    }

    /// Deletes a project. Neon can bring it back for some days.
    ///
    /// # Errors
    /// [`Error::Refused`] (422) where a branch is protected: the project is still there.
    pub async fn delete_project(&self, id: &str) -> Result<Deletion, Error> {
        match self.send::<IgnoredAny>(self.request(DELETE_PROJECT, &[id])?).await {
            Ok(IgnoredAny) => Ok(Deletion::Accepted),
            Err(error) if error.is_gone() => Ok(Deletion::AlreadyGone),
            Err(error) => Err(error),
        }
    }
}
