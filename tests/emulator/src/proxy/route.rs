//! Where a connection goes and whether it may: the physical names, the state of the endpoint, the wake-up, the count of
//! open connections. In: the names that a client gave. Out: names in Postgres, or a refusal in the words of Neon's proxy.

use std::time::Duration;

use super::Place;
use super::session::Session;
use crate::app::{Shared, now};
use crate::world::{Endpoint, OperationFault};

/// An error that the client is told.
pub(super) struct Denied {
    pub(super) code: String,
    pub(super) text: String,
}

pub(super) fn denied(code: &str, text: impl Into<String>) -> Denied {
    Denied { code: code.to_owned(), text: text.into() }
}

/// Who connects to what, physically.
pub(super) struct Names {
    pub(super) role: String,
    pub(super) database: Option<String>,
}

impl Session {
    /// The physical names; `None`: no such role.
    pub(super) fn names(&self, user: &str, database: &str) -> Result<Option<Names>, Denied> {
        let world = self.app.world();
        let failed = |what: &str| denied("XX000", format!("Control plane request failed: {what}"));
        let project =
            world.live(&self.place.project).ok_or_else(|| failed("endpoint cannot be found"))?;
        let endpoint = project
            .endpoint(&self.place.endpoint)
            .ok_or_else(|| failed("endpoint cannot be found"))?;
        if endpoint.disabled {
            return Err(failed("endpoint is disabled"));
        }
        let Some(branch) = project.branch(&endpoint.branch_id) else {
            return Err(failed("endpoint cannot be found"));
        };
        Ok(branch.role(user).map(|role| Names {
            role: role.physical.clone(),
            database: branch.database(database).map(|d| d.physical.clone()),
        }))
    }

    /// Waits until the endpoint is up, waking it if it sleeps, and counts the connection.
    pub(super) async fn wake(&mut self) -> Result<Guard, Denied> {
        // Counted while it waits: an endpoint that someone waits for is not suspended again.
        let guard = Guard::new(&self.app, &self.place);
        loop {
            let until = {
                let mut world = self.app.world();
                let cold = world.settings.cold_start_millis;
                let endpoint = world
                    .live_mut(&self.place.project)
                    .and_then(|p| p.endpoint_mut(&self.place.endpoint));
                let gone =
                    || denied("XX000", "Control plane request failed: endpoint cannot be found");
                let endpoint = endpoint.ok_or_else(gone)?;
                let (until, woke) = endpoint.wake(now(), cold);
                let branch = endpoint.branch_id.clone();
                if woke {
                    let takes = OperationFault { millis: Some(cold), ..OperationFault::default() };
                    let actions =
                        [("start_compute", branch.as_str(), Some(self.place.endpoint.as_str()))];
                    world.operations(&self.place.project, now(), &actions, &[takes]);
                }
                until
            };
            match until.map(|at| at - now()) {
                Some(left) if left <= 0 => {
                    // A cut that came while the client waited is not meant for its session.
                    self.cuts = self.door.borrow_and_update().cuts;
                    guard.count(|endpoint| endpoint.connections_ever += 1);
                    return Ok(guard);
                }
                Some(left) => tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await,
                None => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }
}

/// One open connection of an endpoint.
pub(super) struct Guard {
    app: Shared,
    place: Place,
}

impl Guard {
    fn new(app: &Shared, place: &Place) -> Self {
        let guard = Self { app: app.clone(), place: place.clone() };
        guard.count(|endpoint| endpoint.connections_open += 1);
        guard
    }

    fn count(&self, change: impl FnOnce(&mut Endpoint)) {
        let mut world = self.app.world();
        let project = world.projects.get_mut(&self.place.project);
        if let Some(endpoint) = project.and_then(|p| p.endpoint_mut(&self.place.endpoint)) {
            change(endpoint);
            endpoint.last_active = Some(now());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.count(|endpoint| endpoint.connections_open -= 1);
    }
}
