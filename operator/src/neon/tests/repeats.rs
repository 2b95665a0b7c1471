//! What is asked again inside a call, how often, and after which wait.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    super::{
        EndpointPatch, ProjectPatch,
        message::retry_after,
        retry::{Retries, jitter},
    },
    client,
    server::{Reply, Server},
    shapes::{new_project, project_json},
};

fn project() -> Reply {
    Reply::json(200, json!({"project": project_json()}))
}

#[tokio::test]
async fn locked_and_unavailable_are_asked_again_whatever_the_method() {
    for status in [423, 503] {
        let trouble = || Reply::error(status, "project already has running conflicting operations");
        let server = Server::start([trouble(), project(), trouble(), project(), trouble()]).await;
        let (client, calls) = client(&server.url);
        client.project("p-1").await.unwrap().unwrap();
        client.update_project("p-1", &ProjectPatch::default()).await.unwrap();
        client.delete_project("p-1").await.unwrap_err(); // the script ends: 418
        let expected = [("GET", 200), ("PATCH", 200), ("DELETE", 418)].map(|(method, end)| {
            let route = format!("{method} /projects/{{project_id}}");
            [format!("{route} {status}"), format!("{route} {end}")]
        });
        assert_eq!(*calls.lock().unwrap(), expected.concat());
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let server = Server::start((0..9).map(|_| Reply::error(423, "still locked"))).await;
    let (client, calls) = client(&server.url);
    let error = client.update_endpoint("p-1", "ep-1", &EndpointPatch::default()).await.unwrap_err();
    assert_eq!((error.category(), error.status()), ("locked", Some(423)));
    assert_eq!(calls.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_read_is_asked_again_after_any_server_error_and_a_change_never() {
    for status in [408, 500, 502, 504, 520, 524] {
        let server = Server::start([Reply::error(status, "internal error"), project()]).await;
        let (client, _) = client(&server.url);
        client.project("p-1").await.unwrap().unwrap();
        assert_eq!(server.lines().len(), 2, "{status}");
    }
    for status in [408, 500, 502, 504, 520, 524] {
        let server = Server::start((0..3).map(|_| Reply::error(status, "internal error"))).await;
        let (client, _) = client(&server.url);
        let errors = [
            client.create_project(&new_project()).await.unwrap_err(),
            client.update_project("p-1", &ProjectPatch::default()).await.unwrap_err(),
            client.delete_project("p-1").await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.category(), "unknown_outcome", "{status}");
            assert!(error.outcome_unknown());
        }
        assert_eq!(server.lines().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_creation_is_asked_again_only_where_nothing_can_have_been_made() {
    let cases = [(423, 4, "locked"), (429, 4, "rate_limited"), (503, 1, "unavailable")];
    for (status, requests, category) in cases {
        let server = Server::start((0..9).map(|_| Reply::error(status, "not now"))).await;
        let (client, _) = client(&server.url);
        let error = client.create_project(&new_project()).await.unwrap_err();
        assert_eq!((error.category(), error.outcome_unknown()), (category, false));
        assert_eq!(server.lines().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms() {
    let date = (Timestamp::now() + SignedDuration::from_secs(2))
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    for (wish, least) in [(date, 900), ("1".to_owned(), 1000), ("0".to_owned(), 0)] {
        let busy = Reply::error(429, "too many requests").header("retry-after", wish.clone());
        let server = Server::start([busy, project()]).await;
        let (client, _) = client(&server.url);
        let started = Instant::now();
        client.project("p-1").await.unwrap().unwrap();
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(least), "{wish}: {waited:?}");
        assert!(waited < Duration::from_secs(5), "{wish}: {waited:?}");
    }
}

#[tokio::test]
async fn a_long_retry_after_is_the_callers_business() {
    for status in [423, 429, 503] {
        let busy = Reply::error(status, "later").header("retry-after", "60");
        let server = Server::start([busy, project()]).await;
        let (client, _) = client(&server.url);
        let error = client.project("p-1").await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        assert_eq!(server.lines().len(), 1);
    }
}

#[test]
fn retry_after_is_read_in_every_form() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let cases = [
        ("0", Some(0)),
        (" 17 ", Some(17)),
        ("Mon, 23 Nov 2026 12:00:30 GMT", Some(30)),
        ("Mon, 23 Nov 2026 11:59:00 GMT", Some(0)),
        ("Monday, 23-Nov-26 12:00:30 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("99999999999999999999999", None),
    ];
    for (value, seconds) in cases {
        assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn jitter_is_full_and_bounded() {
    let most = Duration::from_millis(1000);
    let waits: Vec<_> = (0..1000).map(|_| jitter(most)).collect();
    assert!(waits.iter().all(|wait| *wait <= most));
    for quarter in 0..4 {
        let range = most * quarter / 4..most * (quarter + 1) / 4;
        let share = waits.iter().filter(|wait| range.contains(wait)).count();
        assert!((150..350).contains(&share), "{share} of 1000 in {range:?}");
    }
    assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    assert_eq!(Retries::default().attempts, 4);
}
