//! A project with its branches, roles and databases. In: what was created. Out: look-ups by id or name. Pure; what
//! stands in Postgres for a role or database is its `physical` name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Endpoint, Gone, Millis, Operation};

/// A role as the tenant sees it.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) physical: String,
    pub(crate) password: String,
    /// A new password that counts once the operation of its reset has ended.
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

/// A database as the tenant sees it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) owner_name: String,
    pub(crate) physical: String,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

/// A branch: here a set of databases of its own (no copy-on-write: a new branch starts empty).
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) default: bool,
    pub(crate) protected: bool,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<Database>,
}

/// One project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region_id: String,
    pub(crate) pg_version: i64,
    pub(crate) provisioner: String,
    pub(crate) org_id: Option<String>,
    pub(crate) store_passwords: bool,
    pub(crate) history_retention_seconds: i64,
    pub(crate) default_endpoint_settings: Map<String, Value>,
    pub(crate) settings: Map<String, Value>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) deleted_at: Option<Millis>,
    /// How this one looks when gone; the general setting otherwise.
    pub(crate) gone: Option<Gone>,
    /// Whether its databases outlive its deletion; the general setting otherwise.
    pub(crate) soft_delete: Option<bool>,
    /// Its databases still exist although it is deleted.
    pub(crate) recoverable: bool,
    pub(crate) branches: Vec<Branch>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) operations: Vec<Operation>,
}

impl Project {
    pub(crate) fn branch(&self, id: &str) -> Option<&Branch> {
        self.branches.iter().find(|b| b.id == id)
    }

    pub(crate) fn branch_mut(&mut self, id: &str) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|b| b.id == id)
    }

    pub(crate) fn default_branch(&self) -> &Branch {
        self.branches.iter().find(|b| b.default).unwrap_or(&self.branches[0])
    }

    pub(crate) fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.id == id)
    }

    pub(crate) fn endpoint_mut(&mut self, id: &str) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|e| e.id == id)
    }

    /// The read-write endpoint of a branch.
    pub(crate) fn main_endpoint(&self, branch_id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.branch_id == branch_id && e.kind == "read_write")
    }

    /// Whether operations still run, so that other mutations are refused with 423.
    pub(crate) fn busy(&self, now: Millis) -> bool {
        self.operations.iter().any(|o| o.unfinished(now))
    }

    /// Takes in the operations of a call. Endpoints wait for those that concern them: one that fails or never ends
    /// leaves its endpoint pending.
    pub(crate) fn began(&mut self, operations: &[Operation]) {
        self.operations.extend(operations.iter().cloned());
        for operation in operations {
            let endpoint = operation.endpoint_id.as_deref().and_then(|id| self.endpoint_mut(id));
            if let Some(pending) = endpoint.and_then(|e| e.pending.as_mut()) {
                let never = operation.failed() || operation.unfinished(Millis::MAX);
                pending.1 = if never { Millis::MAX } else { operation.end };
            }
        }
    }
}

impl Branch {
    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|r| r.name == name)
    }

    pub(crate) fn role_mut(&mut self, name: &str) -> Option<&mut Role> {
        self.roles.iter_mut().find(|r| r.name == name)
    }

    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|d| d.name == name)
    }
}
