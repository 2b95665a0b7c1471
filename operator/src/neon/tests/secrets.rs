//! Nothing that can be printed shows the API key or a password, whatever the server says back.

use std::{
    io::Write,
    sync::{Mutex, Once},
};

use serde_json::json;

use super::{
    super::ProjectPatch,
    KEY, client,
    server::{Reply, Server, resetting},
    settings,
    shapes::new_project,
};

const PASSWORD: &str = "hunter2secret";

/// Everything that any test of this program logs, from TRACE on: one subscriber for the whole process, because one of a
/// thread misses what a call site's cached "nobody listens" hides from it.
#[derive(Clone, Copy)]
struct Log;

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Log {
    fn listen() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
            everything.with_writer(|| Self).init();
        });
    }

    fn text() -> String {
        String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An error with all its sources, both ways of printing.
fn everything(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

fn assert_clean(text: &str) {
    for secret in [KEY, PASSWORD] {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

#[tokio::test]
async fn errors_and_logs_are_clean() {
    Log::listen();
    let uri = format!("postgresql://owner:{PASSWORD}@h/d");
    let message = format!("key {KEY} and {uri} and password={PASSWORD} and Bearer {KEY}");
    let replies = [
        Reply::error(401, &message),
        Reply::error(503, &message),
        Reply::error(503, &message),
        Reply::json(400, json!({"code": KEY, "message": message, "request_id": KEY})),
        Reply::html(524, &format!("<html><title>{message}</title></html>")),
        Reply::html(502, &message),
        Reply::json(200, json!({"project": {"id": uri, "name": {"password": PASSWORD}}})),
        Reply::json(200, json!({"project": format!("{KEY} {uri}")})),
        Reply::html(200, &uri),
    ];
    let server = Server::start(replies).await;
    let (client, calls) = client(&server.url);
    let mut shown = format!("{client:?} {:?}", settings(&server.url));
    for _ in 0..6 {
        let error = client.update_project("p-1", &ProjectPatch::default()).await.unwrap_err();
        shown.push_str(&everything(&error));
    }
    assert!(calls.lock().unwrap().len() >= 8, "every reply was used");
    let log = Log::text();
    assert!(log.contains("Neon call is repeated"), "nothing was logged: {log}");
    assert_clean(&shown);
    assert_clean(&log);
}

#[tokio::test]
async fn a_broken_connection_shows_no_url() {
    let (url, _) = resetting(usize::MAX, "").await;
    let (client, _) = client(&url);
    let mut shown = everything(&client.create_project(&new_project()).await.unwrap_err());
    shown.push_str(&everything(&client.find_projects("a-name").await.unwrap_err()));
    assert_clean(&shown);
    assert!(!shown.contains("a-name"), "{shown}");
}
