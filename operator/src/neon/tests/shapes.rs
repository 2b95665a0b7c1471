//! What is sent, and what is made of a success.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    super::{
        EndpointKind, EndpointPatch, EndpointState, NewProject, OperationStatus, ProjectPatch,
    },
    KEY, client, client_with,
    server::{Reply, Server},
    settings,
};

pub(super) fn new_project() -> NewProject {
    NewProject {
        name: "tenantry-c-u".to_owned(),
        region_id: "aws-us-east-2".to_owned(),
        pg_version: 17,
        history_retention_seconds: None,
        autoscaling_min_cu: 0.25,
        autoscaling_max_cu: 2.0,
        suspend_timeout_seconds: 300,
        branch_name: "main".to_owned(),
        role_name: "owner".to_owned(),
        database_name: "tenant".to_owned(),
        annotations: BTreeMap::from([("uid".to_owned(), "u-1".to_owned())]),
    }
}

pub(super) fn project_json() -> Value {
    json!({
        "id": "p-1", "name": "tenantry-c-u", "region_id": "aws-us-east-2", "pg_version": 17,
        "created_at": "2026-11-23T12:00:00Z", "store_passwords": true,
        "history_retention_seconds": 86400,
        "default_endpoint_settings": {"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2,
                                      "suspend_timeout_seconds": 300},
        "a_field_of_tomorrow": {"x": 1},
    })
}

fn endpoint_json(id: &str, kind: &str) -> Value {
    json!({
        "id": id, "branch_id": "br-1", "host": "ep-1.neon.test", "type": kind,
        "current_state": "init", "pending_state": "active", "autoscaling_limit_min_cu": 0.25,
        "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 300, "disabled": false,
    })
}

fn operation_json(action: &str, status: &str) -> Value {
    json!({"id": "o-1", "action": action, "status": status, "endpoint_id": "ep-1"})
}

pub(super) fn created_json() -> Value {
    json!({
        "project": project_json(),
        "connection_uris": [{
            "connection_uri": "postgresql://owner:pw@ep-1.neon.test:5433/tenant?sslmode=require",
            "connection_parameters": {
                "database": "tenant", "password": "pw", "role": "owner",
                "host": "ep-1.neon.test", "pooler_host": "ep-1-pooler.neon.test",
            },
        }],
        "roles": [], "databases": [], "branch": {"id": "br-1"},
        "endpoints": [endpoint_json("ep-0", "read_only"), endpoint_json("ep-1", "read_write")],
        "operations": [operation_json("create_timeline", "running")],
    })
}

#[tokio::test]
async fn a_creation_sends_and_gives_everything() {
    let server = Server::start([Reply::json(201, created_json())]).await;
    let mut settings = settings(&server.url);
    settings.org_id = Some("org-1".to_owned());
    let (client, calls) = client_with(settings);
    let mut new = new_project();
    new.history_retention_seconds = Some(3600);
    let created = client.create_project(&new).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /api/v2/projects");
    assert_eq!(seen.authorization, format!("Bearer {KEY}"));
    assert_eq!(seen.user_agent, concat!("tenantry-operator/", env!("CARGO_PKG_VERSION")));
    let expected = json!({"project": {
        "name": "tenantry-c-u", "region_id": "aws-us-east-2", "pg_version": 17, "org_id": "org-1",
        "history_retention_seconds": 3600,
        "default_endpoint_settings": {"autoscaling_limit_min_cu": 0.25,
            "autoscaling_limit_max_cu": 2.0, "suspend_timeout_seconds": 300},
        "branch": {"name": "main", "role_name": "owner", "database_name": "tenant",
            "annotations": {"uid": "u-1"}},
    }});
    assert_eq!(seen.body, expected);
    assert_eq!((created.project.id.as_str(), created.branch_id.as_str()), ("p-1", "br-1"));
    assert_eq!(created.endpoint.id, "ep-1", "the one that takes writes");
    assert_eq!(created.connection.port(), 5433);
    assert_eq!(created.connection.pooler_host(), Some("ep-1-pooler.neon.test"));
    assert_eq!(created.operations.len(), 1);
    assert_eq!(*calls.lock().unwrap(), ["POST /projects 201"]);
}

#[tokio::test]
async fn a_creation_that_cannot_be_read_has_happened() {
    let break_it: [fn(&mut Value); 4] = [
        |body| body["connection_uris"] = json!([]),
        |body| body["endpoints"] = json!([]),
        |body| body["connection_uris"][0]["connection_uri"] = json!("postgresql://o:hunter2@/t"),
        |body| body["project"]["name"] = json!({"password": "hunter2"}),
    ];
    for change in break_it {
        let mut body = created_json();
        change(&mut body);
        let server = Server::start([Reply::json(201, body)]).await;
        let (client, _) = client(&server.url);
        let error = client.create_project(&new_project()).await.unwrap_err();
        assert_eq!((error.category(), error.outcome_unknown()), ("decode", true));
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn patches_send_only_what_changes() {
    let endpoint = json!({"endpoint": endpoint_json("ep-1", "read_write"),
                          "operations": [operation_json("apply_config", "running")]});
    let project = json!({"project": project_json(), "operations": []});
    let script =
        [Reply::json(200, project.clone()), Reply::json(200, project), Reply::json(200, endpoint)];
    let server = Server::start(script).await;
    let (client, _) = client(&server.url);
    client.rename_project("p-1", "new").await.unwrap();
    let settings = EndpointPatch { suspend_timeout_seconds: Some(-1), ..EndpointPatch::default() };
    let patch = ProjectPatch {
        history_retention_seconds: Some(0),
        default_endpoint_settings: Some(settings),
        ..ProjectPatch::default()
    };
    client.update_project("p-1", &patch).await.unwrap();
    let patch = EndpointPatch { autoscaling_max_cu: Some(4.0), ..EndpointPatch::default() };
    let (endpoint, operations) = client.update_endpoint("p-1", "ep-1", &patch).await.unwrap();
    assert_eq!((endpoint.autoscaling_max_cu, operations.len()), (2.0, 1));
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    let expected = [
        json!({"project": {"name": "new"}}),
        json!({"project": {"history_retention_seconds": 0,
               "default_endpoint_settings": {"suspend_timeout_seconds": -1}}}),
        json!({"endpoint": {"autoscaling_limit_max_cu": 4.0}}),
    ];
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn unknown_words_are_kept() {
    let mut endpoint = endpoint_json("ep-1", "read_once");
    endpoint["current_state"] = json!("sleeping");
    let statuses = ["skipped", "cancelled", "cancelling", "pondering"];
    let operations = statuses.map(|status| operation_json("epc_sync", status));
    let script = [json!({"endpoints": [endpoint]}), json!({"operations": operations})];
    let server = Server::start(script.map(|body| Reply::json(200, body))).await;
    let (client, _) = client(&server.url);
    let endpoint = client.endpoints("p-1").await.unwrap().remove(0);
    assert_eq!(endpoint.kind, EndpointKind::Other("read_once".to_owned()));
    assert_eq!(endpoint.state, EndpointState::Other("sleeping".to_owned()));
    assert_eq!(endpoint.pending_state, Some(EndpointState::Active));
    let operations = client.operations("p-1").await.unwrap();
    let over: Vec<_> = operations.iter().map(|o| (o.is_finished(), o.is_failed())).collect();
    assert_eq!(over, [(true, false), (false, true), (false, false), (false, false)]);
    assert_eq!(operations[3].status, OperationStatus::Other("pondering".to_owned()));
    assert!(operations[3].is_pending() && operations[3].status.to_string() == "pondering");
}

#[tokio::test]
async fn access_is_given_as_secrets() {
    let uri = "postgresql://owner:p%40w@ep-1-pooler.neon.test/tenant?sslmode=require";
    let role = json!({"name": "owner", "password": "new", "branch_id": "br-1"});
    let script = [
        Reply::json(200, json!({"uri": uri})),
        Reply::json(200, json!({"password": "pw"})),
        Reply::error(412, "passwords are not stored"),
        Reply::json(
            200,
            json!({"role": role, "operations": [operation_json("apply_config", "running")]}),
        ),
        Reply::json(
            200,
            json!({"databases": [{"id": 1, "name": "tenant", "owner_name": "owner"}]}),
        ),
        Reply::json(200, json!({"roles": [{"name": "owner", "protected": false}]})),
        Reply::json(200, json!({"account_id": "a", "auth_method": "api_key_org"})),
    ];
    let server = Server::start(script).await;
    let (client, _) = client(&server.url);
    let got = client.connection_uri("p-1", "br-1", "tenant", "owner", true).await.unwrap();
    assert_eq!((got.expose(), got.host()), (uri, "ep-1-pooler.neon.test"));
    let password = client.reveal_password("p-1", "br-1", "owner").await.unwrap().unwrap();
    assert_eq!(password.expose_secret(), "pw");
    assert!(client.reveal_password("p-1", "br-1", "owner").await.unwrap().is_none());
    let (password, operations) = client.reset_password("p-1", "br-1", "owner").await.unwrap();
    assert_eq!((password.expose_secret(), operations.len()), ("new", 1));
    assert_eq!(client.databases("p-1", "br-1").await.unwrap()[0].owner_name, "owner");
    assert_eq!(client.roles("p-1", "br-1").await.unwrap()[0].name, "owner");
    client.authenticate().await.unwrap();
    let query = &server.seen()[0].query;
    assert!(query.contains(&("pooled".to_owned(), "true".to_owned())), "{query:?}");
}
