//! The requests that the client can send: one constant per route, and how a path is built from it.
//!
//! In: a route and its arguments. Out: a [`Request`] whose path and query are encoded. It must not let an
//! argument change the path: an empty segment would be redirected, `..` would climb.

use reqwest::Method;
use serde::Serialize;
use url::Url;

use super::error::Error;

/// What repeating a request could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it only reads.
    Read,
    /// Change what is there: a second time changes it to the same.
    Change,
    /// Make something new, with no key to tell a second time from the first.
    Create,
}

/// One route of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// Method and path as a template; the metric's label.
    pub(super) name: &'static str,
    /// What repeating it could do.
    pub(super) effect: Effect,
}

impl Route {
    const fn read(name: &'static str) -> Self {
        Self { name, effect: Effect::Read }
    }

    const fn change(name: &'static str) -> Self {
        Self { name, effect: Effect::Change }
    }

    /// Whether it changes anything at Neon.
    pub(super) fn is_mutation(&self) -> bool {
        self.effect != Effect::Read
    }
}

pub(super) const AUTH: Route = Route::read("GET /auth");
pub(super) const LIST_PROJECTS: Route = Route::read("GET /projects");
pub(super) const GET_PROJECT: Route = Route::read("GET /projects/{project_id}");
pub(super) const CREATE_PROJECT: Route = Route { name: "POST /projects", effect: Effect::Create };
pub(super) const UPDATE_PROJECT: Route = Route::change("PATCH /projects/{project_id}");
pub(super) const DELETE_PROJECT: Route = Route::change("DELETE /projects/{project_id}");
pub(super) const LIST_ENDPOINTS: Route = Route::read("GET /projects/{project_id}/endpoints");
pub(super) const UPDATE_ENDPOINT: Route =
    Route::change("PATCH /projects/{project_id}/endpoints/{endpoint_id}");
pub(super) const LIST_OPERATIONS: Route = Route::read("GET /projects/{project_id}/operations");
pub(super) const LIST_BRANCHES: Route = Route::read("GET /projects/{project_id}/branches");
pub(super) const LIST_DATABASES: Route =
    Route::read("GET /projects/{project_id}/branches/{branch_id}/databases");
pub(super) const LIST_ROLES: Route =
    Route::read("GET /projects/{project_id}/branches/{branch_id}/roles");
pub(super) const CONNECTION_URI: Route = Route::read("GET /projects/{project_id}/connection_uri");
pub(super) const REVEAL_PASSWORD: Route = Route::read(
    "GET /projects/{project_id}/branches/{branch_id}/roles/{role_name}/reveal_password",
);
pub(super) const RESET_PASSWORD: Route = Route::change(
    "POST /projects/{project_id}/branches/{branch_id}/roles/{role_name}/reset_password",
);

/// A request, ready to be sent as often as it takes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) route: Route,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    /// Puts the arguments into the template's braces, in their order.
    pub(super) fn new(base: &Url, route: Route, arguments: &[&str]) -> Result<Self, Error> {
        let (method, path) = route.name.split_once(' ').unwrap_or(("GET", route.name));
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::settings("a route has no method"))?;
        let mut arguments = arguments.iter();
        let mut url = base.clone();
        url.set_query(None);
        url.set_fragment(None);
        {
            let mut segments = url
                .path_segments_mut()
                .map_err(|()| Error::settings("the URL of the Neon API can have no path"))?;
            segments.pop_if_empty();
            for part in path.trim_start_matches('/').split('/') {
                match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                    None => segments.push(part),
                    Some(what) => {
                        let value = arguments.next().copied().unwrap_or_default();
                        segments.push(checked(what, value)?)
                    }
                };
            }
        }
        Ok(Self { route, method, url, body: None })
    }

    /// Adds one pair to the query, encoded.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Sets the JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Error::settings("a request cannot be written as JSON"))?;
        self.body = Some(body);
        Ok(self)
    }
}

/// Neon's own pattern for ids; names may be anything that stays one segment of the path.
fn checked<'a>(what: &str, value: &'a str) -> Result<&'a str, Error> {
    let (what, good) = match what {
        "project_id" => ("the project id", is_id(value)),
        "branch_id" => ("the branch id", is_id(value)),
        "endpoint_id" => ("the endpoint id", is_id(value)),
        _ => ("the role name", !matches!(value, "" | "." | "..")),
    };
    if good { Ok(value) } else { Err(bad(what, value)) }
}

/// `^[a-z0-9-]{1,60}$`
pub(super) fn is_id(value: &str) -> bool {
    (1..=60).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn bad(what: &'static str, value: &str) -> Error {
    Error::Argument { what, value: value.chars().take(60).collect() }
}
