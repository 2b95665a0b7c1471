//! A server that answers everything with one recorded reply, and the client that asks it.
//!
//! In: an interaction of a cassette. Out: the reply to whatever is asked, and the lines that were asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use operator::neon::{Client, Retries, Settings};
use url::Url;

use super::{Answered, Interaction};

/// A server that answers everything with the loaded reply, and the client that asks it.
pub(super) struct Player {
    pub(super) client: Client,
    tape: Tape,
}

#[derive(Clone, Default)]
struct Tape {
    reply: Arc<Mutex<(u16, String)>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Player {
    pub(super) async fn start() -> Result<Self> {
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base_url = Url::parse(&format!("http://{}/api/v2", listener.local_addr()?))?;
        let tape = Tape::default();
        let app = Router::new().fallback(answer).with_state(tape.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let settings = Settings {
            base_url,
            api_key: "recorded".into(),
            org_id: None,
            timeout: Duration::from_secs(10),
            retries: Retries { attempts: 1, ..Retries::default() },
            root_ca: None,
        };
        Ok(Self { client: Client::new(settings, |_| {})?, tape })
    }

    /// Puts the reply in; gives method and path as they were recorded.
    pub(super) fn load(&self, interaction: &Interaction) -> String {
        let Answered { body, status } = &interaction.response;
        *self.tape.reply.lock().unwrap() = (status.code, body.string.clone());
        self.tape.lines.lock().unwrap().clear();
        let path = interaction.request.uri.split('?').next().unwrap_or_default();
        let path = path.trim_start_matches("https://console.neon.tech");
        format!("{} {path}", interaction.request.method)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.tape.lines.lock().unwrap().clone()
    }
}

async fn answer(State(tape): State<Tape>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    tape.lines.lock().unwrap().push(line);
    let (status, body) = tape.reply.lock().unwrap().clone();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
