//! What an answer that is no success is taken for.

use serde_json::json;

use super::{
    super::{Client, Deletion, Error, Settings},
    client, client_with,
    server::{Reply, Server},
    settings,
    shapes::{new_project, project_json},
};

/// Runs one read and one change against a server that always answers so.
async fn both(reply: impl Fn() -> Reply) -> (Error, Error) {
    let server = Server::start((0..5).map(|_| reply())).await;
    let mut settings = settings(&server.url);
    settings.retries.attempts = 1;
    let (client, _) = client_with(settings);
    let read = client.endpoints("p-1").await.unwrap_err();
    (read, client.create_project(&new_project()).await.unwrap_err())
}

/// Status, Neon's code and message; the category that this gives a read, and a change.
const STATUSES: [(u16, &str, &str, &str, &str); 24] = [
    (400, "", "project (field required)", "refused", "refused"),
    (400, "", "org_id is required, you can find it …", "refused", "refused"),
    (401, "", "supplied credentials do not pass authentication", "unauthorized", "unauthorized"),
    (402, "", "payment", "refused", "refused"),
    (403, "", "no", "forbidden", "forbidden"),
    (404, "", "project not found", "not_found", "not_found"),
    (406, "", "plan", "refused", "refused"),
    (409, "", "branch already exists", "conflict", "conflict"),
    (410, "", "gone", "not_found", "not_found"),
    (412, "", "no password", "refused", "refused"),
    (422, "", "branch not ready yet", "locked", "locked"),
    (422, "", "project has protected branches", "refused", "refused"),
    (422, "PROJECTS_LIMIT_EXCEEDED", "projects limit exceeded", "limit_reached", "limit_reached"),
    (403, "", "projects limit exceeded", "limit_reached", "limit_reached"),
    (423, "", "running conflicting operations", "locked", "locked"),
    (429, "RATE_LIMIT_EXCEEDED", "slow down", "rate_limited", "rate_limited"),
    (500, "", "oops", "unavailable", "unknown_outcome"),
    (501, "", "oops", "unavailable", "unknown_outcome"),
    (502, "", "oops", "unavailable", "unknown_outcome"),
    (503, "", "oops", "unavailable", "unavailable"),
    (504, "", "oops", "unavailable", "unknown_outcome"),
    (524, "", "oops", "unavailable", "unknown_outcome"),
    (301, "", "moved", "refused", "refused"),
    (418, "", "teapot", "refused", "refused"),
];

#[tokio::test]
async fn every_status_has_its_category() {
    for (status, code, message, read, change) in STATUSES {
        let body = json!({"request_id": "r-9", "code": code, "message": message});
        let errors = both(|| Reply::json(status, body.clone())).await;
        assert_eq!((errors.0.category(), errors.1.category()), (read, change), "{status}");
        assert!(!errors.0.outcome_unknown());
        assert_eq!(errors.1.outcome_unknown(), change == "unknown_outcome");
        assert_eq!(errors.0.status(), Some(status));
        let shown = errors.0.to_string();
        assert!(shown.contains(message) && shown.contains("request r-9"), "{shown}");
        assert!(std::error::Error::source(&errors.0).is_none());
    }
}

#[tokio::test]
async fn any_body_survives() {
    let long = "x".repeat(100_000);
    let cases = [
        ("", "no message"),
        ("<html><body>Bad\n\n gateway</body></html>", "HTML page: Bad gateway"),
        ("upstream down", "upstream down"),
        ("{\"message\":17}", "17"),
        ("[]", "[]"),
        (long.as_str(), "xxx…"),
    ];
    for (body, expected) in cases {
        let reply = || Reply::html(500, body).header("x-neon-ret-request-id", "r-header");
        let (read, _) = both(reply).await;
        let shown = read.to_string();
        assert!(shown.contains(expected) && shown.len() < 500, "{body:.50}: {shown}");
        assert!(shown.contains("r-header"), "{shown}");
    }
}

/// What `project` and `delete_project` make of the same answer.
async fn gone(reply: impl Fn() -> Reply) -> (Result<bool, Error>, Result<Deletion, Error>) {
    let server = Server::start([reply(), reply()]).await;
    let (client, _) = client(&server.url);
    let looked = client.project("p-1").await.map(|project| project.is_none());
    (looked, client.delete_project("p-1").await)
}

#[tokio::test]
async fn gone_is_what_neon_itself_calls_gone() {
    for reply in [Reply::error(404, "project not found"), Reply::error(410, "gone")] {
        let Reply::Whole(status, _, body) = reply else { panic!("whole") };
        let (looked, deleted) = gone(|| Reply::html(status, &body)).await;
        assert!(looked.unwrap());
        assert_eq!(deleted.unwrap(), Deletion::AlreadyGone);
    }
    let key = "this endpoint is not allowed for organization API keys";
    let doubtful: [&dyn Fn() -> Reply; 4] = [
        &|| Reply::html(404, "<html><title>404 Not Found</title></html>"),
        &|| Reply::html(404, ""),
        &|| Reply::error(404, key),
        &|| Reply::error(422, "project has protected branches"),
    ];
    for reply in doubtful {
        let (looked, deleted) = gone(reply).await;
        looked.unwrap_err();
        deleted.unwrap_err();
    }
    let mut project = project_json();
    project["deleted_at"] = json!("2026-11-23T12:30:00Z");
    let (looked, deleted) = gone(|| Reply::json(200, json!({"project": project}))).await;
    assert!(looked.unwrap());
    assert_eq!(deleted.unwrap(), Deletion::Accepted);
}

#[tokio::test]
async fn what_would_change_the_path_is_not_sent() {
    let server = Server::start([]).await;
    let (client, calls) = client(&server.url);
    let long = "a".repeat(61);
    for id in ["", "..", ".", "P-1", "p_1", "p/1", "p 1", "p?x", "p%2f", &long] {
        let error = client.project(id).await.unwrap_err();
        assert_eq!(error.category(), "refused", "{id}");
    }
    for role in ["", ".", ".."] {
        client.reveal_password("p-1", "br-1", role).await.unwrap_err();
    }
    assert!(server.lines().is_empty() && calls.lock().unwrap().is_empty());
    client.reveal_password("p-1", "br-1", "a/b ü?").await.unwrap_err();
    let expected = "GET /api/v2/projects/p-1/branches/br-1/roles/a%2Fb%20%C3%BC%3F/reveal_password";
    assert_eq!(server.lines(), [expected]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start([
        Reply::error(307, "elsewhere").header("location", "/api/v2/projects/p-2"),
        Reply::json(200, json!({"project": project_json()})),
    ])
    .await;
    let (client, _) = client(&server.url);
    assert_eq!(client.project("p-1").await.unwrap_err().category(), "refused");
    assert_eq!(server.lines().len(), 1);
}

fn url(text: &str) -> url::Url {
    url::Url::parse(text).unwrap()
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refuse = |change: fn(&mut Settings)| {
        let mut settings = settings("https://console.neon.tech/api/v2");
        change(&mut settings);
        let error = Client::new(settings, |_| {}).unwrap_err();
        assert_eq!(error.category(), "settings");
        error.to_string()
    };
    assert!(Client::new(settings("https://console.neon.tech/api/v2"), |_| {}).is_ok());
    assert!(Client::new(settings("http://localhost:1/api/v2"), |_| {}).is_ok());
    assert!(Client::new(settings("http://[::1]:1/api/v2"), |_| {}).is_ok());
    refuse(|s| s.base_url = url("http://neon.example/api/v2"));
    refuse(|s| s.base_url = url("ftp://neon.example/"));
    refuse(|s| s.base_url = url("mailto:a@b"));
    refuse(|s| s.base_url = url("https://u:hunter2@neon.example/"));
    refuse(|s| s.api_key = "  ".into());
    refuse(|s| s.api_key = "a\nb".into());
    refuse(|s| s.root_ca = Some(b"-----BEGIN CERTIFICATE-----\nx\n".to_vec()));
}
