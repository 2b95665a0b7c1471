//! A browser without a screen: it keeps cookies, follows no redirect, and says which site it is on as a browser does.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// Somebody at a browser.
pub struct Person {
    pub http: Client,
    pub url: String,
    cookies: Mutex<Vec<(String, String)>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.bytes).with_context(|| self.text())
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where it sends the browser.
    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// This, if it has the status.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "answered {} and not {status}: {}",
            self.status,
            self.text()
        );
        Ok(self)
    }

    /// A refusal with that status and code.
    pub fn expect_error(self, status: u16, code: &str) -> Result<String> {
        let answer = self.expect(status)?;
        let body = answer.json()?;
        ensure!(body["error"] == code, "{body}");
        Ok(body["message"].as_str().unwrap_or_default().to_owned())
    }
}

impl Person {
    pub(super) fn new(url: &str) -> Result<Self> {
        Self::with(Client::builder(), url)
    }

    /// Somebody whose browser trusts one more authority (PEM).
    pub fn trusting(authority: &[u8], url: &str) -> Result<Self> {
        let authority = reqwest::Certificate::from_pem(authority)?;
        Self::with(Client::builder().tls_certs_merge([authority]), url)
    }

    fn with(builder: reqwest::ClientBuilder, url: &str) -> Result<Self> {
        let http = builder.no_proxy().redirect(Policy::none()).build()?;
        Ok(Self { http, url: url.to_owned(), cookies: Mutex::default() })
    }

    /// From the button to the identity provider, where they say who they are, up to the address that sends them back.
    pub async fn way_back(&self, user: &str) -> Result<String> {
        let path = format!("/sign-in/oidc?login_hint={user}");
        let mut next = self.page(&path).await?.expect(303)?.location().to_owned();
        for _ in 0..10 {
            let answer = self.page(&next).await?;
            let (status, text) = (answer.status, answer.text());
            ensure!(status / 100 == 3, "{next} answered {status}: {text}");
            next = url::Url::parse(&next)?.join(answer.location())?.to_string();
            if next.contains("/sign-in/oidc/callback") {
                return Ok(next);
            }
        }
        bail!("the way to the provider and back does not end")
    }

    /// The same browser, at the address of another process of the app.
    pub fn at(&self, url: &str) -> Result<Self> {
        let other = Self::new(url)?;
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *other.cookies.lock().unwrap_or_else(PoisonError::into_inner) = cookies;
        Ok(other)
    }

    /// A request of a page's own script.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url =
            if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let line: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.request(method, url).header("sec-fetch-site", "same-origin");
        if line.is_empty() { request } else { request.header(COOKIE, line.join("; ")) }
    }

    /// Sends it, and keeps the cookies that come back.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        self.keep(&headers);
        Ok(Answer { status, headers, bytes: response.bytes().await?.to_vec() })
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            cookies.retain(|(kept, _)| kept != name);
            if !line.contains("Max-Age=0") {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.iter().find(|(kept, _)| kept == name).map(|(_, value)| value.clone())
    }

    /// Sets a cookie, as somebody would who found its value.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.retain(|(kept, _)| kept != name);
        cookies.push((name.to_owned(), value.to_owned()));
    }

    /// A page, as a browser asks for it.
    pub async fn page(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path).header("accept", "text/html")).await
    }

    /// A script's GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path).header("x-requested-with", "fetch")).await
    }

    /// A script's POST of a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let request = self.request(Method::POST, path).header("x-requested-with", "fetch");
        self.send(request.form(form)).await
    }

    /// The demo login.
    pub async fn sign_in(&self, name: &str) -> Result<()> {
        let form = [("name", name), ("return_to", "")];
        let answer = self.send(self.request(Method::POST, "/sign-in/demo").form(&form)).await?;
        ensure!(answer.expect(303)?.location() == "/documents");
        Ok(())
    }

    /// Uploads a file; what the app says.
    pub async fn upload(&self, name: &str, bytes: Vec<u8>) -> Result<Answer> {
        let part = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("file", part.mime_str("application/pdf")?);
        let request = self.request(Method::POST, "/documents").header("x-requested-with", "fetch");
        self.send(request.multipart(form)).await
    }

    /// Uploads a file that must be taken; its id.
    pub async fn uploaded(&self, name: &str, bytes: Vec<u8>) -> Result<String> {
        let answer = self.upload(name, bytes).await?.expect(201)?;
        let body = answer.json()?;
        Ok(body["id"].as_str().context("the id of the document")?.to_owned())
    }

    /// The search page for a question.
    pub async fn search(&self, question: &str) -> Result<String> {
        let query = [("q", question)];
        let request = self.request(Method::GET, "/search").query(&query);
        Ok(self.send(request.header("accept", "text/html")).await?.expect(200)?.text())
    }
}
