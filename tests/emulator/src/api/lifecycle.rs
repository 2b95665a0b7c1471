//! How a project comes and goes, data included; also used by the control routes ("out of band"). In: a checked wish.
//! Out: Postgres has the role and database (or not any more), the state and the ledger say so. No HTTP here.

use serde_json::{Map, Value, json};

use crate::app::{Shared, now};
use crate::gate::Context;
use crate::ids;
use crate::proxy;
use crate::reply::ApiError;
use crate::requests::ProjectCreate;
use crate::world::{Branch, Compute, Database, Endpoint, Project, Role};

/// Creates role, database, ports and state of a new project; returns its id.
pub(crate) async fn create_project(
    app: &Shared,
    wanted: ProjectCreate,
    context: &Context,
) -> Result<String, ApiError> {
    let branch_id = ids::branch_id();
    let database_name = wanted.branch.database_name.clone().unwrap_or_else(|| "neondb".to_owned());
    let role_name =
        wanted.branch.role_name.clone().unwrap_or_else(|| format!("{database_name}_owner"));
    let role = new_role(app, &branch_id, &role_name).await?;
    let database = new_database(app, &branch_id, &database_name, &role).await?;
    let branch = Branch {
        id: branch_id.clone(),
        name: wanted.branch.name.clone().unwrap_or_else(|| "main".to_owned()),
        parent_id: None,
        default: true,
        protected: false,
        annotations: wanted.branch.annotations.clone(),
        created_at: now(),
        updated_at: now(),
        roles: vec![role],
        databases: vec![database],
    };
    let mut project = blank(app, wanted, branch);
    let endpoint = new_endpoint(app, &project.id, &branch_id, &project.default_endpoint_settings)?;
    let (id, name, endpoint_id) = (project.id.clone(), project.name.clone(), endpoint.id.clone());
    project.endpoints.push(endpoint);
    let mut world = app.world();
    world.projects.insert(id.clone(), project);
    let actions = [
        ("create_timeline", branch_id.as_str(), None),
        ("start_compute", &branch_id, Some(endpoint_id.as_str())),
    ];
    world.operations(&id, now(), &actions, &context.effects.operations);
    app.ledger.commit("create", (&id, &name), Some(&context.request_id));
    Ok(id)
}

/// The state of a project that has no endpoint yet.
pub(crate) fn blank(app: &Shared, wanted: ProjectCreate, branch: Branch) -> Project {
    let id = ids::project_id();
    let mut defaults =
        endpoint_defaults(wanted.autoscaling_limit_min_cu, wanted.autoscaling_limit_max_cu);
    defaults.extend(wanted.default_endpoint_settings.unwrap_or_default());
    Project {
        name: wanted.name.unwrap_or_else(|| id.clone()),
        id,
        region_id: wanted.region_id.unwrap_or_else(|| "aws-us-east-2".to_owned()),
        pg_version: wanted.pg_version.unwrap_or(17),
        provisioner: wanted.provisioner.unwrap_or_else(|| "k8s-neonvm".to_owned()),
        org_id: wanted.org_id.or_else(|| app.world().settings.org_id.clone()),
        store_passwords: wanted.store_passwords.unwrap_or(true),
        history_retention_seconds: wanted.history_retention_seconds.unwrap_or(86_400),
        default_endpoint_settings: defaults,
        settings: project_settings(wanted.settings.unwrap_or_default()),
        created_at: branch.created_at,
        updated_at: branch.created_at,
        deleted_at: None,
        gone: None,
        soft_delete: None,
        recoverable: false,
        branches: vec![branch],
        endpoints: Vec::new(),
        operations: Vec::new(),
    }
}

fn endpoint_defaults(min: Option<f64>, max: Option<f64>) -> Map<String, Value> {
    let min = min.unwrap_or(0.25);
    let max = max.unwrap_or(min.max(0.25));
    let value = json!({
        "autoscaling_limit_min_cu": min,
        "autoscaling_limit_max_cu": max,
        "suspend_timeout_seconds": 0,
    });
    value.as_object().cloned().unwrap_or_default()
}

fn project_settings(wanted: Map<String, Value>) -> Map<String, Value> {
    let value = json!({
        "allowed_ips": { "ips": [], "protected_branches_only": false },
        "enable_logical_replication": false,
        "block_public_connections": false,
        "block_vpc_connections": false,
    });
    let mut settings = value.as_object().cloned().unwrap_or_default();
    settings.extend(wanted);
    settings
}

/// A role in Postgres, with a new password.
pub(crate) async fn new_role(app: &Shared, branch_id: &str, name: &str) -> Result<Role, ApiError> {
    let (physical, password) = (ids::physical(branch_id), ids::password());
    app.secrets.password(&password);
    app.data.create_role(&physical, &password).await?;
    Ok(Role { name: name.to_owned(), physical, password, created_at: now(), updated_at: now() })
}

/// A database in Postgres, owned by that role.
pub(crate) async fn new_database(
    app: &Shared,
    branch_id: &str,
    name: &str,
    owner: &Role,
) -> Result<Database, ApiError> {
    let physical = ids::physical(branch_id);
    if let Err(error) = app.data.create_database(&physical, &owner.physical).await {
        // Half a project is none: its role goes too, if nothing else stands on it.
        let _ = app.data.drop_database(&physical).await;
        let _ = app.data.drop_role(&owner.physical).await;
        return Err(error.into());
    }
    let id = app.world().next_database_id();
    let owner_name = owner.name.clone();
    Ok(Database {
        id,
        name: name.to_owned(),
        owner_name,
        physical,
        created_at: now(),
        updated_at: now(),
    })
}

/// An endpoint whose ports the proxy listens on from now.
pub(crate) fn new_endpoint(
    app: &Shared,
    project_id: &str,
    branch_id: &str,
    defaults: &Map<String, Value>,
) -> Result<Endpoint, ApiError> {
    let failed = |error| {
        tracing::error!(%error, "no free port");
        ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
    };
    let doors = proxy::bind(app.args.listen.ip()).map_err(failed)?;
    let mut endpoint = Endpoint::new(&ids::endpoint_id(), branch_id, doors.ports, now());
    let number = |key: &str| defaults.get(key).and_then(Value::as_f64);
    endpoint.min_cu = number("autoscaling_limit_min_cu").unwrap_or(0.25);
    endpoint.max_cu = number("autoscaling_limit_max_cu").unwrap_or(0.25);
    endpoint.suspend_timeout_seconds =
        defaults.get("suspend_timeout_seconds").and_then(Value::as_i64).unwrap_or(0);
    for key in ["pg_settings", "pgbouncer_settings"] {
        if let Some(value) = defaults.get(key) {
            endpoint.settings.insert(key.to_owned(), value.clone());
        }
    }
    doors.open(app, project_id, &endpoint);
    Ok(endpoint)
}

/// Deletes a project: it is gone for every read at once, then its data goes, then the ledger says so.
pub(crate) async fn delete_project(
    app: &Shared,
    id: &str,
    request_id: Option<&str>,
) -> Result<(), ApiError> {
    let (name, keep, roles, databases) = {
        let mut world = app.world();
        let generally = world.settings.soft_delete;
        let project = world.live_mut(id).ok_or_else(|| ApiError::not_found("project"))?;
        let keep = project.soft_delete.unwrap_or(generally);
        (project.deleted_at, project.recoverable, project.updated_at) = (Some(now()), keep, now());
        for endpoint in &mut project.endpoints {
            endpoint.door.send_modify(|door| door.listening = false);
            endpoint.change(Compute::Idle, now());
        }
        let (roles, databases) = physical(project);
        (project.name.clone(), keep, roles, databases)
    };
    if !keep && let Err(error) = drop_data(app, &roles, &databases).await {
        if let Some(project) = app.world().projects.get_mut(id) {
            project.deleted_at = None;
        }
        return Err(error);
    }
    if !keep {
        close(app, id);
    }
    app.ledger.commit("delete", (id, &name), request_id);
    Ok(())
}

fn physical(project: &Project) -> (Vec<String>, Vec<String>) {
    let roles =
        project.branches.iter().flat_map(|b| b.roles.iter().map(|r| r.physical.clone())).collect();
    let databases = project
        .branches
        .iter()
        .flat_map(|b| b.databases.iter().map(|d| d.physical.clone()))
        .collect();
    (roles, databases)
}

pub(crate) async fn drop_data(
    app: &Shared,
    roles: &[String],
    databases: &[String],
) -> Result<(), ApiError> {
    for database in databases {
        app.data.drop_database(database).await?;
    }
    for role in roles {
        app.data.drop_role(role).await?;
    }
    Ok(())
}

fn close(app: &Shared, id: &str) {
    if let Some(project) = app.world().projects.get(id) {
        project.endpoints.iter().for_each(Endpoint::close);
    }
}

/// Brings a soft-deleted project back, endpoints and passwords included.
pub(crate) async fn recover_project(
    app: &Shared,
    id: &str,
    request_id: Option<&str>,
) -> Result<(), ApiError> {
    let mut world = app.world();
    let project = world.projects.get_mut(id).ok_or_else(|| ApiError::not_found("project"))?;
    match (project.deleted_at, project.recoverable) {
        (None, _) => return Err(ApiError::refused("project is not deleted")),
        (Some(_), false) => return Err(ApiError::not_found("project")),
        (Some(_), true) => {}
    }
    (project.deleted_at, project.recoverable, project.updated_at) = (None, false, now());
    for endpoint in &mut project.endpoints {
        endpoint.door.send_modify(|door| door.listening = true);
    }
    app.ledger.commit("recover", (id, &project.name), request_id);
    Ok(())
}

/// Takes every role and database out of Postgres again: the server may outlive the emulator.
pub(crate) async fn drop_everything(app: &Shared) {
    let all: Vec<_> = {
        let world = app.world();
        let kept = world.projects.values().filter(|p| p.deleted_at.is_none() || p.recoverable);
        kept.map(physical).collect()
    };
    let drops = all.iter().map(|(roles, databases)| drop_data(app, roles, databases));
    let failed = futures::future::join_all(drops).await.into_iter().filter(Result::is_err).count();
    if failed > 0 {
        tracing::warn!(failed, "projects are left in Postgres");
    }
}

/// Ends the recovery window: the kept data goes.
pub(crate) async fn purge_project(app: &Shared, id: &str) -> Result<(), ApiError> {
    let (roles, databases) = {
        let mut world = app.world();
        let project =
            world.projects.get_mut(id).filter(|p| p.deleted_at.is_some() && p.recoverable);
        let project = project.ok_or_else(|| ApiError::not_found("recoverable project"))?;
        project.recoverable = false;
        physical(project)
    };
    drop_data(app, &roles, &databases).await?;
    close(app, id);
    Ok(())
}
