//! A browser without a screen: signs up, asks, uploads, listens. In: the app's address. Out: answers with how long they took,
//! from the request to the last byte; an answer that is not as it should be is an error.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, redirect};

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Person {
    http: Client,
    url: String,
    pub(super) name: String,
    cookie: String,
}

/// The client that all people share: each request has its own cookie.
pub(super) fn browsers() -> Result<Client> {
    Ok(Client::builder().no_proxy().redirect(redirect::Policy::none()).build()?)
}

impl Person {
    /// Signs in for the first time; answers how long that took.
    pub(super) async fn sign_up(http: &Client, url: &str, name: &str) -> Result<(Self, f64)> {
        let (http, url, name) = (http.clone(), url.to_owned(), name.to_owned());
        let mut person = Self { http, url, name, cookie: String::new() };
        let form = [("name", person.name.as_str()), ("return_to", "")];
        let request = person.request(Method::POST, "/sign-in/demo").form(&form);
        let started = Instant::now();
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(status.as_u16() == 303, "sign-up answered {status}: {text}");
        let pairs = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs: Vec<&str> = pairs.filter_map(|line| line.split(';').next()).collect();
        person.cookie = pairs.join("; ");
        Ok((person, seconds))
    }

    /// The same person at another process of the same app.
    pub(super) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request.header("sec-fetch-site", "same-origin");
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    /// A page, or a part of one.
    pub(super) async fn get(&self, path: &str) -> Result<(f64, String)> {
        let request = self.request(Method::GET, path).header("accept", "text/html");
        let started = Instant::now();
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(status.as_u16() == 200, "{path} answered {status}");
        Ok((seconds, text))
    }

    /// A search; answers how many passages were found.
    pub(super) async fn search(&self, question: &str) -> Result<(f64, usize)> {
        let path = format!("/search?q={}", question.replace(' ', "+"));
        let (seconds, text) = self.get(&path).await?;
        ensure!(!text.contains("only words were searched"), "the vectors were not searched");
        Ok((seconds, text.matches("class=\"hit\"").count()))
    }

    /// A question in a conversation, ready to be sent.
    pub(super) fn chat(&self, conversation: &str, question: &str) -> RequestBuilder {
        let part = serde_json::json!({"type": "text", "text": question});
        let message = serde_json::json!({"role": "user", "parts": [part]});
        let body = serde_json::json!({
            "id": conversation, "message": message, "trigger": "submit-message",
        });
        self.request(Method::POST, "/api/chat").json(&body)
    }

    /// A PDF; answers its id.
    pub(super) async fn upload(&self, bytes: Bytes) -> Result<String> {
        let length = bytes.len() as u64;
        let part = reqwest::multipart::Part::stream_with_length(bytes, length).file_name("b.pdf");
        let form = reqwest::multipart::Form::new().part("file", part.mime_str("application/pdf")?);
        let request = self.request(Method::POST, "/documents").header("x-requested-with", "fetch");
        let answer = request.multipart(form).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.as_u16() == 201, "the upload answered {status}: {text}");
        let body: serde_json::Value = serde_json::from_str(&text)?;
        Ok(body["id"].as_str().context("no id")?.to_owned())
    }

    /// Listens as an open page does, until it is told that the database is ready.
    pub(super) async fn told_ready(&self) -> Result<Instant> {
        let mut answer = self.request(Method::GET, "/events").send().await?.error_for_status()?;
        let mut text = String::new();
        while let Some(bytes) = answer.chunk().await? {
            text.push_str(&String::from_utf8_lossy(&bytes));
            if text.contains("data-ready=\"true\"") {
                return Ok(Instant::now());
            }
        }
        anyhow::bail!("the events ended before the database was ready")
    }
}
