//! What the client makes of a recorded reply, held against the reply's own JSON.
//!
//! In: the client (which gets the reply to its next requests), the route and the reply. Out: an error that names
//! the difference. Only what the operator uses is compared.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use operator::neon::{Client, Deletion, NewProject, ProjectPatch};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::Answered;

/// Makes the client's call for the route and compares what it gives with the JSON.
pub(super) async fn reply(
    client: &Client,
    route: &str,
    ids: &[String],
    answered: &Answered,
) -> Result<()> {
    let json: Value = serde_json::from_str(&answered.body.string)?;
    let id = |index: usize| ids.get(index).map(String::as_str).unwrap_or_default();
    match route {
        "GET /projects" => list(client, &json).await?,
        "POST /projects" => create(client, &json, answered.status.code).await?,
        "GET /projects/{}" => {
            let project = client.project(id(0)).await?.context("a live project")?;
            same(&json["project"]["name"], &project.name)?;
            same(&json["project"]["created_at"], &project.created_at.to_string())?;
            ensure!(project.default_endpoint_settings.is_some() && project.store_passwords);
        }
        "PATCH /projects/{}" => {
            let (project, operations) =
                client.update_project(id(0), &ProjectPatch::default()).await?;
            same(&json["project"]["name"], &project.name)?;
            ensure!(operations.len() == count(&json["operations"]));
        }
        "DELETE /projects/{}" => {
            ensure!(client.delete_project(id(0)).await? == Deletion::Accepted);
        }
        "GET /projects/{}/connection_uri" => {
            let uri = client.connection_uri(id(0), "br-1", "neondb", "neondb_owner", true).await?;
            same(&json["uri"], uri.expose())?;
            ensure!(uri.host().contains("-pooler.") && uri.port() == 5432);
            ensure!(uri.password().is_some_and(|password| password.expose_secret().len() == 12));
        }
        _ => inside(client, route, id(0), id(1), &json).await?,
    }
    Ok(())
}

/// The calls about what is inside a project.
async fn inside(
    client: &Client,
    route: &str,
    project: &str,
    branch: &str,
    json: &Value,
) -> Result<()> {
    match route {
        "GET /projects/{}/branches" => {
            let branches = client.branches(project).await?;
            ensure!(branches.len() == count(&json["branches"]));
            same(&json["branches"][0]["id"], &branches[0].id)?;
            ensure!(branches[0].default && branches[0].annotations.is_empty());
        }
        "GET /projects/{}/branches/{}/databases" => {
            let databases = client.databases(project, branch).await?;
            same(&json["databases"][0]["owner_name"], &databases[0].owner_name)?;
        }
        "GET /projects/{}/branches/{}/roles" => {
            let roles = client.roles(project, branch).await?;
            same(&json["roles"][0]["name"], &roles[0].name)?;
        }
        "GET /projects/{}/endpoints" => {
            let endpoints = client.endpoints(project).await?;
            ensure!(endpoints.len() == count(&json["endpoints"]));
            same(&json["endpoints"][0]["host"], &endpoints[0].host)?;
            same(&json["endpoints"][0]["current_state"], &endpoints[0].state.to_string())?;
        }
        "GET /projects/{}/operations" => {
            let operations = client.operations(project).await?;
            ensure!(operations.len() == count(&json["operations"]));
            same(&json["operations"][0]["action"], &operations[0].action)?;
            ensure!(operations.iter().all(|operation| !operation.is_failed()));
        }
        other => bail!("{other} is neither ours nor known not to be"),
    }
    Ok(())
}

/// Each listed project is found by its name.
async fn list(client: &Client, json: &Value) -> Result<()> {
    ensure!(client.find_projects("no such name").await?.projects.is_empty());
    for listed in json["projects"].as_array().context("projects")? {
        let name = listed["name"].as_str().context("name")?;
        let search = client.find_projects(name).await?;
        ensure!(search.complete, "nothing was said to be unavailable");
        let found = search.projects.iter().find(|found| listed["id"] == found.id.as_str());
        let found = found.with_context(|| format!("{name} is not found"))?;
        same(&listed["created_at"], &found.created_at.to_string())?;
        ensure!(listed["pg_version"] == found.pg_version);
    }
    Ok(())
}

async fn create(client: &Client, json: &Value, status: u16) -> Result<()> {
    let answer = client.create_project(&new_project()).await;
    if status != 201 {
        let error = answer.err().context("a refusal")?;
        ensure!(error.category() == "refused" && error.status() == Some(status), "{error}");
        let message = json["message"].as_str().context("message")?;
        ensure!(error.to_string().contains(message) && !error.outcome_unknown(), "{error}");
        return Ok(());
    }
    let created = answer?;
    let details = &json["connection_uris"][0];
    let parameters = &details["connection_parameters"];
    same(&json["project"]["id"], &created.project.id)?;
    same(&json["branch"]["id"], &created.branch_id)?;
    same(&json["endpoints"][0]["id"], &created.endpoint.id)?;
    same(&details["connection_uri"], created.connection.expose())?;
    same(&parameters["host"], created.connection.host())?;
    same(&parameters["pooler_host"], created.connection.pooler_host().unwrap_or_default())?;
    same(&parameters["role"], created.connection.user())?;
    same(&parameters["database"], created.connection.database())?;
    let password = created.connection.password().context("password")?;
    same(&parameters["password"], password.expose_secret())?;
    ensure!(created.operations.len() == 2 && created.operations.iter().all(|o| o.is_pending()));
    Ok(())
}

fn same(json: &Value, ours: &str) -> Result<()> {
    ensure!(json.as_str() == Some(ours), "{json} came, {ours} was understood");
    Ok(())
}

fn count(json: &Value) -> usize {
    json.as_array().map_or(0, Vec::len)
}

fn new_project() -> NewProject {
    NewProject {
        name: "recorded".to_owned(),
        region_id: "aws-us-east-2".to_owned(),
        pg_version: 17,
        history_retention_seconds: None,
        autoscaling_min_cu: 0.25,
        autoscaling_max_cu: 0.25,
        suspend_timeout_seconds: 0,
        branch_name: "main".to_owned(),
        role_name: "neondb_owner".to_owned(),
        database_name: "neondb".to_owned(),
        annotations: BTreeMap::new(),
    }
}
