//! Endpoints and operations: what serves a branch, and what Neon is doing to it.
//!
//! In: ids. Out: endpoints, operations. It must not start or suspend an endpoint: that is left to connections
//! and to Neon's own timeout.

use serde::Deserialize;
use serde_json::json;

use super::{
    Client, Endpoint, EndpointPatch, Error, Operation,
    route::{LIST_ENDPOINTS, LIST_OPERATIONS, UPDATE_ENDPOINT},
};

/// The newest operations are enough: a project in motion has a handful.
const OPERATIONS: &str = "100";

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct EndpointReply {
    endpoint: Endpoint,
    #[serde(default)]
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operations {
    operations: Vec<Operation>,
}

impl Client {
    /// The endpoints of a project, on all branches.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the project is gone.
    pub async fn endpoints(&self, project_id: &str) -> Result<Vec<Endpoint>, Error> {
        let reply: Endpoints = self.send(self.request(LIST_ENDPOINTS, &[project_id])?).await?;
        Ok(reply.endpoints)
    }

    /// Changes an endpoint. Doing it again changes nothing more.
    ///
    /// # Errors
    /// [`Error::Locked`] while other operations of the project run, for longer than the retries last.
    pub async fn update_endpoint(
        &self,
        project_id: &str,
        endpoint_id: &str,
        patch: &EndpointPatch,
    ) -> Result<(Endpoint, Vec<Operation>), Error> {
        let request = self
            .request(UPDATE_ENDPOINT, &[project_id, endpoint_id])?
            .json(&json!({ "endpoint": patch }))?;
        let EndpointReply { endpoint, operations } = self.send(request).await?;
        Ok((endpoint, operations))
    }

    /// The project's newest operations, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the project is gone.
    pub async fn operations(&self, project_id: &str) -> Result<Vec<Operation>, Error> {
        let request = self.request(LIST_OPERATIONS, &[project_id])?.query("limit", OPERATIONS);
        let reply: Operations = self.send(request).await?;
        Ok(reply.operations)
    }
}
