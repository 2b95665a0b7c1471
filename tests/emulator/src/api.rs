//! Neon's routes, all on this page; each group's handlers live in a file of its own. In: the shared [`App`]. Out: the
//! router beneath `/api/v2`, with the gate around every route.

mod account;
mod branches;
mod databases;
mod endpoints;
pub(crate) mod lifecycle;
mod operations;
mod projects;
mod roles;
#[cfg(test)]
pub(crate) mod tests_support;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::Shared;
use crate::gate;
use crate::reply::ApiError;
use crate::world::{Branch, Gone, Project, World};
pub(crate) use roles::set_new_password;

/// Every route that this server has.
pub(crate) fn router(app: &Shared) -> Router {
    let branch = Router::new()
        .route("/", get(branches::get).patch(branches::update).delete(branches::delete))
        .route("/endpoints", get(endpoints::list_of_branch))
        .route("/databases", get(databases::list).post(databases::create))
        .route(
            "/databases/{database}",
            get(databases::get).patch(databases::update).delete(databases::delete),
        )
        .route("/roles", get(roles::list).post(roles::create))
        .route("/roles/{role}", get(roles::get).delete(roles::delete))
        .route("/roles/{role}/reveal_password", get(roles::reveal_password))
        .route("/roles/{role}/reset_password", post(roles::reset_password));
    let project = Router::new()
        .route("/", get(projects::get).patch(projects::update).delete(projects::delete))
        .route("/recover", post(projects::recover))
        .route("/connection_uri", get(projects::connection_uri))
        .route("/operations", get(operations::list))
        .route("/operations/{operation}", get(operations::get))
        .route("/endpoints", get(endpoints::list).post(endpoints::create))
        .route(
            "/endpoints/{endpoint}",
            get(endpoints::get).patch(endpoints::update).delete(endpoints::delete),
        )
        .route("/endpoints/{endpoint}/start", post(endpoints::start))
        .route("/endpoints/{endpoint}/suspend", post(endpoints::suspend))
        .route("/endpoints/{endpoint}/restart", post(endpoints::restart))
        .route("/branches", get(branches::list).post(branches::create))
        .route("/branches/count", get(branches::count))
        .nest("/branches/{branch}", branch);
    Router::new()
        .route("/projects", get(projects::list).post(projects::create))
        .route("/projects/shared", get(projects::shared))
        .nest("/projects/{project}", project)
        .route("/users/me", get(account::me))
        .route("/users/me/organizations", get(account::organizations))
        .route("/auth", get(account::auth))
        .route("/regions", get(account::regions))
        .fallback(|| async { ApiError::not_found("route") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
        })
        .layer(from_fn_with_state(app.clone(), gate::gate))
        .with_state(app.clone())
}

/// The project as a read sees it, or how its absence looks.
pub(crate) fn visible<'a>(world: &'a World, id: &str) -> Result<&'a Project, ApiError> {
    let missing = || ApiError::not_found("project");
    let project = world.projects.get(id).ok_or_else(missing)?;
    match (project.deleted_at, project.gone.unwrap_or(world.settings.gone)) {
        (None, _) | (Some(_), Gone::DeletedAt) => Ok(project),
        (Some(_), Gone::Status404) => Err(missing()),
        (Some(_), Gone::Status410) => {
            Err(ApiError::new(StatusCode::GONE, "project has been deleted"))
        }
    }
}

/// A project that exists.
pub(crate) fn existing<'a>(world: &'a World, id: &str) -> Result<&'a Project, ApiError> {
    let project = visible(world, id)?;
    if project.deleted_at.is_some() { Err(ApiError::not_found("project")) } else { Ok(project) }
}

/// A project that exists and whose operations have ended.
pub(crate) fn settled<'a>(
    world: &'a mut World,
    id: &str,
    now: i64,
) -> Result<&'a mut Project, ApiError> {
    if existing(world, id)?.busy(now) {
        return Err(ApiError::locked());
    }
    world.live_mut(id).ok_or_else(|| ApiError::not_found("project"))
}

pub(crate) fn branch_of<'a>(project: &'a Project, id: &str) -> Result<&'a Branch, ApiError> {
    project.branch(id).ok_or_else(|| ApiError::not_found("branch"))
}
