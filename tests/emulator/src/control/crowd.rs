//! A crowd: many projects that are only listed, to fill pages. In: a name's beginning and a number. Out: so many projects
//! stand whose names begin so, and no more of them; without databases, endpoints, or a place in the ledger's entries.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::api::lifecycle;
use crate::app::{Shared, now};
use crate::requests::ProjectCreate;
use crate::world::Branch;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crowd {
    name: String,
    count: usize,
}

pub(super) async fn crowd(State(app): State<Shared>, Json(form): Json<Crowd>) -> Answer {
    let Crowd { name, count } = form;
    let members: Vec<_> = (0..count)
        .map(|number| {
            let wanted = ProjectCreate {
                name: Some(format!("{name}{number:05}")),
                ..ProjectCreate::default()
            };
            lifecycle::blank(&app, wanted, branch())
        })
        .collect();
    let mut world = app.world();
    world.projects.retain(|_, p| !(p.endpoints.is_empty() && p.name.starts_with(&name)));
    world.projects.extend(members.into_iter().map(|p| (p.id.clone(), p)));
    Ok(Json(json!({ "standing": count })))
}

fn branch() -> Branch {
    Branch {
        id: crate::ids::branch_id(),
        name: "main".to_owned(),
        parent_id: None,
        default: true,
        protected: false,
        annotations: [].into(),
        created_at: now(),
        updated_at: now(),
        roles: Vec::new(),
        databases: Vec::new(),
    }
}
