//! Answers that never come, or come in pieces: a read is asked again, a change is reported as unknown.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use super::{
    super::{CallStatus, Error, ProjectPatch},
    client, client_with,
    server::{Reply, Server, resetting},
    settings,
    shapes::{created_json, new_project, project_json},
};

const NO_PROJECTS: &str = r#"{"projects":[]}"#;

#[tokio::test]
async fn a_reset_after_a_change_is_unknown_and_not_repeated() {
    let (url, count) = resetting(usize::MAX, "").await;
    let (client, calls) = client(&url);
    let error = client.create_project(&new_project()).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { mutation: true, timeout: false, .. }), "{error:?}");
    assert_eq!((error.category(), error.outcome_unknown()), ("unknown_outcome", true));
    assert_eq!(error.status(), None);
    assert_eq!(*count.lock().unwrap(), 1);
    assert_eq!(*calls.lock().unwrap(), ["POST /projects transport"]);
}

#[tokio::test]
async fn a_reset_after_a_read_is_asked_again() {
    let (url, count) = resetting(2, NO_PROJECTS).await;
    let (client, _) = client(&url);
    assert!(client.find_projects("t").await.unwrap().complete);
    assert_eq!(*count.lock().unwrap(), 3);
}

#[tokio::test]
async fn time_runs_out() {
    let server = Server::start((0..9).map(|_| Reply::Hang)).await;
    let mut settings = settings(&server.url);
    settings.timeout = Duration::from_millis(100);
    settings.retries.attempts = 2;
    let (client, calls) = client_with(settings);
    let error = client.update_project("p-1", &ProjectPatch::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { mutation: true, timeout: true, .. }), "{error:?}");
    assert!(error.outcome_unknown());
    let error = client.project("p-1").await.unwrap_err();
    assert_eq!((error.category(), error.outcome_unknown()), ("unavailable", false));
    let timeout = CallStatus::Timeout;
    let expected = ["PATCH", "GET", "GET"]
        .map(|method| format!("{method} /projects/{{project_id}} {timeout}"));
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_connection_that_was_never_made_changed_nothing() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (client, calls) = client(&format!("http://{port}/api/v2"));
    let error = client.create_project(&new_project()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!((error.category(), error.outcome_unknown()), ("unavailable", false));
    assert_eq!(*calls.lock().unwrap(), ["POST /projects transport"; 4]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let created = created_json().to_string();
    let server = Server::start([Reply::Cut(created)]).await;
    let (client, _) = client(&server.url);
    let error = client.create_project(&new_project()).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn json_that_ends_too_early_is_asked_again_for_a_read_only() {
    let half = |text: String| Reply::Whole(200, Vec::new(), text[..text.len() / 2].to_owned());
    let project = || json!({"project": project_json()});
    let script = [
        half(project().to_string()),
        Reply::json(200, project()),
        half(created_json().to_string()),
        Reply::json(201, created_json()),
    ];
    let server = Server::start(script).await;
    let (client, _) = client(&server.url);
    client.project("p-1").await.unwrap().unwrap();
    let error = client.create_project(&new_project()).await.unwrap_err();
    assert_eq!((error.category(), error.outcome_unknown()), ("decode", true));
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn the_html_page_of_a_gateway_survives() {
    let page = "<!DOCTYPE html>\n<html><head><title>console.neon.tech | 524: A timeout occurred\
                </title></head><body>Ray ID: 8f</body></html>";
    let server = Server::start([Reply::html(524, page)]).await;
    let (client, _) = client(&server.url);
    let error = client.create_project(&new_project()).await.unwrap_err();
    assert!(error.outcome_unknown());
    let shown = error.to_string();
    assert!(shown.contains("524: A timeout occurred") && !shown.contains('<'), "{shown}");
}
