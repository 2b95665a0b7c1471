//! Databases of a branch: list, get, create, rename or give away, delete. In: decoded calls. Out: replies, and the
//! physical database follows.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{branch_of, existing, lifecycle, settled};
use crate::app::{Shared, now};
use crate::gate::Context;
use crate::reply::{ApiError, Reply, created, ok};
use crate::requests::{self, DatabaseFields};
use crate::wire;
use crate::world::{Database, World};

type InBranch = Path<(String, String)>;
type OneOf = Path<(String, String, String)>;

pub(crate) async fn list(State(app): State<Shared>, Path((id, branch)): InBranch) -> Reply {
    let world = app.world();
    let branch = branch_of(existing(&world, &id)?, &branch)?;
    ok(
        json!({ "databases": branch.databases.iter().map(|d| wire::database(branch, d)).collect::<Value>() }),
    )
}

pub(crate) async fn get(State(app): State<Shared>, Path((id, branch, name)): OneOf) -> Reply {
    let world = app.world();
    let branch = branch_of(existing(&world, &id)?, &branch)?;
    let database = branch.database(&name).ok_or_else(|| ApiError::not_found("database"))?;
    ok(json!({ "database": wire::database(branch, database) }))
}

pub(crate) async fn create(
    State(app): State<Shared>,
    Path((id, branch_id)): InBranch,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: DatabaseFields = requests::inside(&bytes, "database")?;
    let name = wanted.name.ok_or_else(|| ApiError::body("database.name (field required)"))?;
    let owner =
        wanted.owner_name.ok_or_else(|| ApiError::body("database.owner_name (field required)"))?;
    requests::identifier("database name", Some(&name))?;
    let (owner, others) = {
        let mut world = app.world();
        let branch = branch_of(settled(&mut world, &id, now())?, &branch_id)?;
        if branch.database(&name).is_some() {
            return Err(ApiError::exists("database"));
        }
        let owner = branch.role(&owner).ok_or_else(|| ApiError::not_found("role"))?.clone();
        let others: Vec<_> = branch.roles.iter().map(|r| r.physical.clone()).collect();
        (owner, others)
    };
    let database = lifecycle::new_database(&app, &branch_id, &name, &owner).await?;
    for role in others.iter().filter(|r| **r != owner.physical) {
        app.data.allow(&database.physical, role).await?;
    }
    let mut world = app.world();
    let branch = world.live_mut(&id).and_then(|p| p.branch_mut(&branch_id));
    let branch = branch.ok_or_else(|| ApiError::not_found("branch"))?;
    let view = wire::database(branch, &database);
    branch.databases.push(database);
    created(
        json!({ "database": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }),
    )
}

/// The operations of a change that the branch's computes have to take in.
pub(crate) fn apply_config(
    world: &mut World,
    id: &str,
    branch_id: &str,
    context: &Context,
) -> Value {
    let endpoint = world.live(id).and_then(|p| p.main_endpoint(branch_id)).map(|e| e.id.clone());
    let actions = [("apply_config", branch_id, endpoint.as_deref())];
    wire::operations(&world.operations(id, now(), &actions, &context.effects.operations))
}

pub(crate) async fn update(
    State(app): State<Shared>,
    Path((id, branch_id, name)): OneOf,
    Extension(context): Extension<Context>,
    bytes: Bytes,
) -> Reply {
    let wanted: DatabaseFields = requests::inside(&bytes, "database")?;
    requests::identifier("database name", wanted.name.as_deref())?;
    let (physical, owner) = {
        let mut world = app.world();
        let branch = branch_of(settled(&mut world, &id, now())?, &branch_id)?;
        let database = branch.database(&name).ok_or_else(|| ApiError::not_found("database"))?;
        if wanted.name.as_ref().is_some_and(|new| *new != name && branch.database(new).is_some()) {
            return Err(ApiError::exists("database"));
        }
        let owner = wanted.owner_name.unwrap_or_else(|| database.owner_name.clone());
        (
            database.physical.clone(),
            branch.role(&owner).ok_or_else(|| ApiError::not_found("role"))?.clone(),
        )
    };
    app.data.own_database(&physical, &owner.physical).await?;
    let mut world = app.world();
    let database = find(&mut world, &id, &branch_id, &name)?;
    database.name = wanted.name.unwrap_or(name);
    (database.owner_name, database.updated_at) = (owner.name, now());
    let database = database.clone();
    let view = wire::database(branch_of(existing(&world, &id)?, &branch_id)?, &database);
    ok(
        json!({ "database": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }),
    )
}

fn find<'a>(
    world: &'a mut World,
    id: &str,
    branch: &str,
    name: &str,
) -> Result<&'a mut Database, ApiError> {
    let branch = world.live_mut(id).and_then(|p| p.branch_mut(branch));
    let found = branch.and_then(|b| b.databases.iter_mut().find(|d| d.name == name));
    found.ok_or_else(|| ApiError::not_found("database"))
}

pub(crate) async fn delete(
    State(app): State<Shared>,
    Path((id, branch_id, name)): OneOf,
    Extension(context): Extension<Context>,
) -> Reply {
    let physical = {
        let mut world = app.world();
        let branch = branch_of(settled(&mut world, &id, now())?, &branch_id)?;
        branch.database(&name).ok_or_else(|| ApiError::not_found("database"))?.physical.clone()
    };
    app.data.drop_database(&physical).await?;
    let mut world = app.world();
    let branch = world.live_mut(&id).and_then(|p| p.branch_mut(&branch_id));
    let branch = branch.ok_or_else(|| ApiError::not_found("branch"))?;
    let at = branch
        .databases
        .iter()
        .position(|d| d.name == name)
        .ok_or_else(|| ApiError::not_found("database"))?;
    let database = branch.databases.remove(at);
    let view = wire::database(branch, &database);
    ok(
        json!({ "database": view, "operations": apply_config(&mut world, &id, &branch_id, &context) }),
    )
}
