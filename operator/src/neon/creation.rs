//! Making a project.
//!
//! In: everything that the new project should have. Out: the project with its branch, endpoint and connection.
//! It must not send the request twice where the first may have been heard: Neon has no idempotency key.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{
    Client, ConnectionUri, Endpoint, EndpointKind, EndpointPatch, Error, Operation, Project,
    route::CREATE_PROJECT,
};

/// A project to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProject {
    /// The name.
    pub name: String,
    /// For example `aws-us-east-2`.
    pub region_id: String,
    /// The major version of Postgres.
    pub pg_version: i32,
    /// Seconds of history to keep; Neon's default where absent.
    pub history_retention_seconds: Option<i64>,
    /// Fewest compute units.
    pub autoscaling_min_cu: f64,
    /// Most compute units.
    pub autoscaling_max_cu: f64,
    /// Idle seconds until the compute is suspended; 0 is Neon's default, -1 is never.
    pub suspend_timeout_seconds: i64,
    /// Name of the default branch.
    pub branch_name: String,
    /// Name of the role that owns the database.
    pub role_name: String,
    /// Name of the database.
    pub database_name: String,
    /// Marks on the default branch; they commit together with the project.
    pub annotations: BTreeMap<String, String>,
}

/// What there is after a project was made.
#[derive(Debug, Clone)]
pub struct CreatedProject {
    /// The project.
    pub project: Project,
    /// Its default branch.
    pub branch_id: String,
    /// The endpoint that takes writes.
    pub endpoint: Endpoint,
    /// The direct connection, with the pooler's host.
    pub connection: ConnectionUri,
    /// What Neon still has to do before it can be used.
    pub operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct CreateReply {
    project: Project,
    branch: BranchId,
    endpoints: Vec<Endpoint>,
    connection_uris: Vec<ConnectionDetails>,
    #[serde(default)]
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct BranchId {
    id: String,
}

#[derive(Deserialize)]
struct ConnectionDetails {
    connection_uri: String,
    connection_parameters: ConnectionParameters,
}

#[derive(Deserialize)]
struct ConnectionParameters {
    #[serde(default)]
    pooler_host: Option<String>,
}

impl Client {
    /// Makes a project. Neon has no idempotency key and takes equal names: look with
    /// [`Client::find_projects`] before, and again after an error with `outcome_unknown()`.
    ///
    /// # Errors
    /// After [`Error::Decode`] the project exists in all likelihood.
    pub async fn create_project(&self, new: &NewProject) -> Result<CreatedProject, Error> {
        let request = self.request(CREATE_PROJECT, &[])?.json(&self.creation(new))?;
        let reply: CreateReply = self.send(request).await?;
        created(reply).map_err(|problem| Error::Decode {
            route: CREATE_PROJECT.name,
            mutation: true,
            status: 201,
            truncated: false,
            problem,
        })
    }

    /// The body of `POST /projects`.
    fn creation(&self, new: &NewProject) -> serde_json::Value {
        let NewProject {
            name,
            region_id,
            pg_version,
            history_retention_seconds,
            autoscaling_min_cu,
            autoscaling_max_cu,
            suspend_timeout_seconds,
            branch_name,
            role_name,
            database_name,
            annotations,
        } = new;
        let mut project = json!({
            "name": name,
            "region_id": region_id,
            "pg_version": pg_version,
            "default_endpoint_settings": EndpointPatch {
                autoscaling_min_cu: Some(*autoscaling_min_cu),
                autoscaling_max_cu: Some(*autoscaling_max_cu),
                suspend_timeout_seconds: Some(*suspend_timeout_seconds),
            },
            "branch": {
                "name": branch_name,
                "role_name": role_name,
                "database_name": database_name,
                "annotations": annotations,
            },
        });
        if let Some(seconds) = history_retention_seconds {
            project["history_retention_seconds"] = json!(seconds);
        }
        if let Some(org_id) = &self.inner.settings.org_id {
            project["org_id"] = json!(org_id);
        }
        json!({ "project": project })
    }
}

/// Picks what the operator works with; says what is missing.
fn created(reply: CreateReply) -> Result<CreatedProject, String> {
    let CreateReply { project, branch, endpoints, connection_uris, operations } = reply;
    let endpoint = endpoints
        .into_iter()
        .find(|endpoint| endpoint.kind == EndpointKind::ReadWrite)
        .ok_or("no endpoint takes writes")?;
    let details = connection_uris.into_iter().next().ok_or("no connection URI")?;
    let connection = ConnectionUri::parse(&details.connection_uri)
        .map_err(|bad| bad.to_string())?
        .with_pooler_host(details.connection_parameters.pooler_host);
    Ok(CreatedProject { project, branch_id: branch.id, endpoint, connection, operations })
}
