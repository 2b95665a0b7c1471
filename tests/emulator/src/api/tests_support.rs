//! A minimal project for the pure tests of other modules.

use serde_json::Map;

use crate::world::{Branch, Project};

pub(crate) fn project(id: &str, name: &str) -> Project {
    Project {
        id: id.to_owned(),
        name: name.to_owned(),
        region_id: "aws-us-east-2".to_owned(),
        pg_version: 17,
        provisioner: "k8s-neonvm".to_owned(),
        org_id: None,
        store_passwords: true,
        history_retention_seconds: 86_400,
        default_endpoint_settings: Map::new(),
        settings: Map::new(),
        created_at: 0,
        updated_at: 0,
        deleted_at: None,
        gone: None,
        soft_delete: None,
        recoverable: false,
        branches: vec![Branch {
            id: "br-x".to_owned(),
            name: "main".to_owned(),
            parent_id: None,
            default: true,
            protected: false,
            annotations: [].into(),
            created_at: 0,
            updated_at: 0,
            roles: Vec::new(),
            databases: Vec::new(),
        }],
        endpoints: Vec::new(),
        operations: Vec::new(),
    }
}
