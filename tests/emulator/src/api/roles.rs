//! Roles of a branch: list, get, create, delete, reveal and reset the password. In: decoded calls. Out: replies, and the
//! physical role follows. A reset cuts the role's connections, as on Neon.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::databases::apply_config;
use super::{branch_of, existing, lifecycle, settled};
use crate::app::{Shared, now};
use crate::gate::Context;
use crate::ids;
use crate::reply::{ApiError, Reply, created, ok};
use crate::requests::{self, RoleFields};
use crate::wire;

type InBranch = Path<(String, String)>;
type OneOf = Path<(String, String, String)>;

fn missing() -> ApiError {
    ApiError::not_found("role")
}

pub(crate) async fn list(State(app): State<Shared>, Path((id, branch)): InBranch) -> Reply {
    let world = app.world();
    let branch = branch_of(existing(&world, &id)?, &branch)?;
    ok(
        json!({ "roles": branch.roles.iter().map(|r| wire::role(branch, r, false)).collect::<Value>() }),
    )
}

pub(crate) async fn get(State(app): State<Shared>, Path((id, branch, name)): OneOf) -> Reply {
    let world = app.world();
    let branch = branch_of(existing(&world, &id)?, &branch)?;
    ok(json!({ "role": wire::role(branch, branch.role(&name).ok_or_else(missing)?, false) }))
}

pub(crate) async fn create(
    State(app): State<Shared>,
    Path((id, branch_id)): InBranch,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: RoleFields = requests::inside(&bytes, "role")?;
    let name = wanted.name.ok_or_else(|| ApiError::body("role.name (field required)"))?;
    requests::identifier("role name", Some(&name))?;
    let databases: Vec<_> = {
        let mut world = app.world();
        let branch = branch_of(settled(&mut world, &id, now())?, &branch_id)?;
        if branch.role(&name).is_some() {
            return Err(ApiError::exists("role"));
        }
        branch.databases.iter().map(|d| d.physical.clone()).collect()
    };
    let role = lifecycle::new_role(&app, &branch_id, &name).await?;
    for database in &databases {
        app.data.allow(database, &role.physical).await?;
    }
    let mut world = app.world();
    let branch = world.live_mut(&id).and_then(|p| p.branch_mut(&branch_id));
    let branch = branch.ok_or_else(|| ApiError::not_found("branch"))?;
    let view = wire::role(branch, &role, true);
    branch.roles.push(role);
    created(
        json!({ "role": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }),
    )
}

pub(crate) async fn delete(
    State(app): State<Shared>,
    Path((id, branch_id, name)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    let role = {
        let mut world = app.world();
        let branch = branch_of(settled(&mut world, &id, now())?, &branch_id)?;
        if branch.databases.iter().any(|d| d.owner_name == name) {
            return Err(ApiError::refused("role owns databases and cannot be deleted"));
        }
        branch.role(&name).ok_or_else(missing)?.clone()
    };
    app.data.disown(&role.physical).await?;
    if let Err(error) = app.data.drop_role(&role.physical).await {
        let owner = error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("2BP01"));
        let refused = || ApiError::refused("role owns objects and cannot be deleted");
        return Err(if owner { refused() } else { error.into() });
    }
    let mut world = app.world();
    let branch = world.live_mut(&id).and_then(|p| p.branch_mut(&branch_id));
    let branch = branch.ok_or_else(|| ApiError::not_found("branch"))?;
    branch.roles.retain(|r| r.name != name);
    let view = wire::role(branch, &role, false);
    ok(json!({ "role": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }))
}

pub(crate) async fn reveal_password(
    State(app): State<Shared>,
    Path((id, branch, name)): OneOf,
) -> Reply {
    let world = app.world();
    let project = existing(&world, &id)?;
    let role = branch_of(project, &branch)?.role(&name).ok_or_else(missing)?;
    if !project.store_passwords {
        return Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "storing passwords is disabled",
        ));
    }
    ok(json!({ "password": role.password }))
}

pub(crate) async fn reset_password(
    State(app): State<Shared>,
    Path((id, branch_id, name)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    branch_of(settled(&mut app.world(), &id, now())?, &branch_id)?
        .role(&name)
        .ok_or_else(missing)?;
    set_new_password(&app, (&id, &branch_id, &name), Some(&context.request_id)).await?;
    let mut world = app.world();
    let branch = branch_of(existing(&world, &id)?, &branch_id)?;
    let view = wire::role(branch, branch.role(&name).ok_or_else(missing)?, true);
    ok(json!({ "role": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }))
}

/// Gives a role a new password; with operations that take time the old one counts until they end.
pub(crate) async fn set_new_password(
    app: &Shared,
    (id, branch_id, name): (&str, &str, &str),
    request_id: Option<&str>,
) -> Result<(), ApiError> {
    let password = ids::password();
    app.secrets.password(&password);
    let (physical, project, delay) = {
        let mut world = app.world();
        let delay = world.settings.operation_millis;
        let project = world.live_mut(id).ok_or_else(|| ApiError::not_found("project"))?;
        let project_name = project.name.clone();
        let role =
            project.branch_mut(branch_id).and_then(|b| b.role_mut(name)).ok_or_else(missing)?;
        (role.password, role.updated_at) = (password.clone(), now());
        (role.physical.clone(), project_name, delay)
    };
    app.ledger.commit("reset_password", (id, &project), request_id);
    if delay == 0 {
        app.data.set_password(&physical, &password).await?;
        return Ok(app.data.disconnect(&physical).await?);
    }
    let app = app.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(delay.unsigned_abs())).await;
        if let Err(error) = app.data.set_password(&physical, &password).await {
            tracing::error!(%error, "cannot set a password");
        }
        let _ = app.data.disconnect(&physical).await;
    });
    Ok(())
}
