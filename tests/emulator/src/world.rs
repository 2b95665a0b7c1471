//! Everything the emulator knows, in memory: projects with their branches, roles, databases, endpoints and
//! operations, plus the settings a test may switch. Pure: no IO, no clock of its own (`now` is handed in, in
//! milliseconds since the epoch), so the states are tested without a server. It must not hold a rule about HTTP.

mod endpoint;
mod operation;
mod pages;
mod project;
mod settings;

use std::collections::BTreeMap;

pub(crate) use endpoint::{Compute, Door, Endpoint, Ports};
pub(crate) use operation::{Operation, OperationFault, Outcome};
pub(crate) use pages::{ProjectQuery, page_projects};
pub(crate) use project::{Branch, Database, Project, Role};
pub(crate) use settings::{Gone, KeyKind, Settings, SettingsPatch};

/// Milliseconds since the epoch.
pub(crate) type Millis = i64;

/// The whole state.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    /// By id, so that a list by cursor is stable. Deleted projects stay until purged.
    pub(crate) projects: BTreeMap<String, Project>,
    next_operation: u64,
    next_database: i64,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, next_database: 39_724_307, ..Self::default() }
    }

    /// Lets time pass: pending states become current, idle endpoints are suspended.
    pub(crate) fn tick(&mut self, now: Millis) {
        let settings = &self.settings;
        for project in self.projects.values_mut().filter(|p| p.deleted_at.is_none()) {
            for endpoint in &mut project.endpoints {
                endpoint.tick(now, settings);
            }
        }
    }

    pub(crate) fn next_database_id(&mut self) -> i64 {
        self.next_database += 1;
        self.next_database
    }

    /// A project that exists (deleted ones do not).
    pub(crate) fn live(&self, id: &str) -> Option<&Project> {
        self.projects.get(id).filter(|p| p.deleted_at.is_none())
    }

    pub(crate) fn live_mut(&mut self, id: &str) -> Option<&mut Project> {
        self.projects.get_mut(id).filter(|p| p.deleted_at.is_none())
    }

    /// Schedules the operations of one call, one after the other within `operation_millis`.
    pub(crate) fn operations(
        &mut self,
        project_id: &str,
        now: Millis,
        actions: &[(&str, &str, Option<&str>)],
        faults: &[OperationFault],
    ) -> Vec<Operation> {
        let total = self.settings.operation_millis;
        let count = actions.len().max(1) as i64;
        let mut made = Vec::new();
        for (index, (action, branch, endpoint)) in actions.iter().enumerate() {
            self.next_operation += 1;
            let start = now + total * index as i64 / count;
            let end = now + total * (index as i64 + 1) / count;
            let mut operation =
                Operation::new(self.next_operation, project_id, action, (now, start, end));
            operation.first = index == 0;
            operation.branch_id = Some((*branch).to_owned());
            operation.endpoint_id = endpoint.map(str::to_owned);
            for fault in faults {
                fault.apply(&mut operation);
            }
            made.push(operation);
        }
        if let Some(project) = self.projects.get_mut(project_id) {
            project.began(&made);
        }
        made
    }
}
