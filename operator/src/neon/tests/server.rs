//! A server that answers from a script, in order, and remembers what it was asked.
//!
//! In: a list of replies. Out: its base URL and the requests seen. It must not think: what Neon would do is
//! the emulator's business.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// One scripted reply.
pub(super) enum Reply {
    /// Status, headers and body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// The headers and half of a body, then the connection breaks.
    Cut(String),
    /// Nothing, until the client gives up.
    Hang,
}

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self::Whole(status, vec![("content-type", "application/json".into())], body.to_string())
    }

    /// Neon's error object.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({"request_id": "req-1", "code": "", "message": message}))
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self::Whole(status, vec![("content-type", "text/html".into())], body.into())
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Whole(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// What one request looked like.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: String,
    pub(super) user_agent: String,
    pub(super) body: Value,
}

#[derive(Clone, Default)]
pub(super) struct Server {
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) url: String,
}

impl Server {
    /// Starts on a free port; ends with the test's runtime.
    pub(super) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
            url: format!("http://{}/api/v2", listener.local_addr().unwrap()),
        };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and path of each request.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let text = |name: &str| {
        let value = head.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let query = head.uri.query().unwrap_or_default();
    server.seen.lock().unwrap().push(Seen {
        line: format!("{} {}", head.method, head.uri.path()),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: text("authorization"),
        user_agent: text("user-agent"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let reply = server.script.lock().unwrap().pop_front();
    match reply.unwrap_or_else(|| Reply::error(418, "the script is at its end")) {
        Reply::Whole(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Reply::Cut(body) => {
            let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
            let parts = stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
            // The pause lets the first half out before the connection breaks.
            let parts = parts.then(async |part| {
                tokio::task::yield_now().await;
                part
            });
            Response::new(Body::from_stream(parts))
        }
        Reply::Hang => std::future::pending().await,
    }
}

/// A server that reads each request whole and then resets the connection, `times` times; after that it answers
/// 200 with `body`. Gives its URL and a counter of the requests.
pub(super) async fn resetting(times: usize, body: &'static str) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v2", listener.local_addr().unwrap());
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let number = {
                let mut count = counter.lock().unwrap();
                *count += 1;
                *count
            };
            if number <= times {
                stream.set_zero_linger().unwrap();
                continue;
            }
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
            let reply = format!("{head} {}\r\n\r\n{body}", body.len());
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    (url, count)
}

async fn read_request(stream: &mut tokio::net::TcpStream) {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        let length = stream.read(&mut part).await.unwrap();
        text.extend_from_slice(&part[..length]);
        let read = String::from_utf8_lossy(&text).to_ascii_lowercase();
        let Some(end) = read.find("\r\n\r\n") else {
            continue;
        };
        let body = read.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let wanted = body.map_or(0, |length| length.trim().parse::<usize>().unwrap());
        if length == 0 || text.len() >= end + 4 + wanted {
            return;
        }
    }
}
