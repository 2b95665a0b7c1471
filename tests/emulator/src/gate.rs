//! Around every API call, in this order: note it, faults before the key, the key, the rate limit, faults before the
//! commit, the handler (to its end, even when the client goes away), faults after the commit, request id, record.

mod act;
mod limit;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::{App, Shared, now};
use crate::faults::{Action, Phase, Subject};
use crate::listener::Switch;
use crate::reply::ApiError;
use crate::world::OperationFault;
use act::{Step, act};
pub(crate) use limit::Limits;

/// What a handler knows of its call.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) request_id: String,
    pub(crate) effects: Effects,
}

/// What faults change inside of a handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    pub(crate) operations: Vec<OperationFault>,
    pub(crate) list_lag: i64,
    pub(crate) unavailable: Vec<String>,
}

/// One call on its way through.
struct Passage {
    app: Shared,
    switch: Switch,
    subject: Subject,
    /// Rules that had a hand in it.
    hits: Vec<u64>,
    effects: Effects,
}

/// The middleware.
pub(crate) async fn gate(
    State(app): State<Shared>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
    next: Next,
) -> Response {
    let started = now();
    let (mut parts, body) = request.into_parts();
    let request_id = text(&parts.headers, "x-request-id").unwrap_or_else(crate::ids::uuid);
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let query = parts.uri.query().map(str::to_owned);
    let seq = app.ledger.call(&request_id, &method, &path, query.as_deref());
    let bytes = to_bytes(body, 4 << 20).await.unwrap_or_default();
    let projects = concerned(&app, (&parts.method, &path, query.as_deref()), &bytes);
    let subject = Subject { method, path, projects, request_id: request_id.clone() };
    let (hits, effects) = (Vec::new(), Effects::default());
    let mut passage = Passage { app: app.clone(), switch, subject, hits, effects };
    let agent = text(&parts.headers, "user-agent");
    let sent_key = parts.headers.remove(header::AUTHORIZATION);
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let response = passage.run(request, sent_key, next).await;
    let (response, reply) = finish(response, &request_id).await;
    let status = response.status().as_u16();
    app.ledger.answer(seq, status, now() - started, &passage.hits);
    if app.ledger.recording() {
        app.ledger.record(&json!({
            "seq": seq,
            "method": passage.subject.method,
            "path": passage.subject.path,
            "query": query,
            "user_agent": agent,
            "request": json_or_text(&bytes),
            "status": status,
            "reply": json_or_text(&reply),
            "faults": passage.hits,
        }));
    }
    response
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

impl Passage {
    async fn run(&mut self, request: Request, key: Option<HeaderValue>, next: Next) -> Response {
        let mut call = Some((request, next));
        if let Some(response) = self.pass(key, &mut call).await {
            return response;
        }
        match call {
            Some((request, next)) => self.carry_out(request, next).await,
            None => ApiError::not_found("route").into_response(),
        }
    }

    /// Everything that may answer before the handler does.
    async fn pass(
        &mut self,
        key: Option<HeaderValue>,
        call: &mut Option<(Request, Next)>,
    ) -> Option<Response> {
        if let Some(response) = self.faults(Phase::BeforeAuth, &mut None, call).await {
            return Some(response);
        }
        let key = key.as_ref().and_then(|key| key.to_str().ok()?.strip_prefix("Bearer "));
        if !key.is_some_and(|key| self.app.secrets.is_good_key(key)) {
            return Some(ApiError::unauthorized().into_response());
        }
        if let Some(response) = self.limited() {
            return Some(response);
        }
        for hit in self.app.faults.take(Phase::InOperation, &self.subject) {
            if let Action::Operation(fault) = &hit.action {
                self.effects.operations.push(fault.clone());
                self.hits.push(hit.rule.id);
            }
        }
        self.faults(Phase::BeforeCommit, &mut None, call).await
    }

    fn limited(&self) -> Option<Response> {
        let settings = self.app.world_as_is().settings.clone();
        let route = format!("{} {}", self.subject.method, route(&self.subject.path));
        if self.app.limits.allow(&settings, &route, now()) {
            return None;
        }
        let mut response =
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many requests").into_response();
        if let Some(value) = settings.retry_after.and_then(|v| HeaderValue::from_str(&v).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        Some(response)
    }

    fn context(&self) -> Context {
        Context { request_id: self.subject.request_id.clone(), effects: self.effects.clone() }
    }

    /// Runs the handler in a task of its own: what it began it ends, as a server far away would.
    async fn carry_out(&mut self, mut request: Request, next: Next) -> Response {
        request.extensions_mut().insert(self.context());
        let response = match tokio::spawn(next.run(request)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, "a handler broke");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
                    .into_response()
            }
        };
        if !response.status().is_success() {
            return response;
        }
        let mut reply = Some(response);
        let instead = self.faults(Phase::AfterCommit, &mut reply, &mut None).await;
        instead.or(reply).unwrap_or_default()
    }

    /// Takes the actions due in `phase`, until one of them is the end of the call.
    async fn faults(
        &mut self,
        phase: Phase,
        reply: &mut Option<Response>,
        call: &mut Option<(Request, Next)>,
    ) -> Option<Response> {
        for hit in self.app.faults.take(phase, &self.subject) {
            self.hits.push(hit.rule.id);
            match act(&hit, &self.switch, &mut self.effects, reply).await {
                Step::Go => {}
                Step::End(response) => return Some(response),
                Step::Late(millis, status) => {
                    self.late(millis, call.take());
                    return Some(act::end_of_late(&hit, &self.switch, status).await);
                }
            }
        }
        None
    }

    /// Carries the call out later, when its client has long had its answer.
    fn late(&self, millis: u64, call: Option<(Request, Next)>) {
        let context = self.context();
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
            if let Some((mut request, next)) = call {
                request.extensions_mut().insert(context);
                let status = next.run(request).await.status();
                tracing::info!(%status, "late commit");
            }
        });
    }
}

/// Ids and names of the project that a call is about; of a list, what it searches for.
fn concerned(
    app: &App,
    (method, path, query): (&Method, &str, Option<&str>),
    bytes: &Bytes,
) -> Vec<String> {
    if let Some(id) = path.strip_prefix("/projects/").and_then(|rest| rest.split('/').next()) {
        let name = app.world_as_is().projects.get(id).map(|p| p.name.clone());
        return std::iter::once(id.to_owned()).chain(name).collect();
    }
    if method == Method::GET {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        return pairs.filter(|(key, _)| key == "search").map(|(_, text)| text.into()).collect();
    }
    let body: Option<Value> =
        (method == Method::POST).then(|| serde_json::from_slice(bytes).ok()).flatten();
    body.and_then(|b| b["project"]["name"].as_str().map(str::to_owned)).into_iter().collect()
}

/// The path with ids taken out: limits are per route.
fn route(path: &str) -> String {
    let id = |part: &str| part.contains('-') && part.bytes().any(|b| b.is_ascii_digit());
    path.split('/').map(|part| if id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

/// Puts the request id where Neon puts it, and reads the body for the record.
async fn finish(mut response: Response, request_id: &str) -> (Response, Bytes) {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let json = axum::Json(error.json(request_id)).into_response();
        let (parts, body) = json.into_parts();
        let headers = response.headers_mut();
        headers.extend(parts.headers);
        *response.body_mut() = body;
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-neon-ret-request-id", value);
    }
    if response.extensions().get::<act::Broken>().is_some() {
        return (response, Bytes::new());
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (Response::from_parts(parts, Body::from(bytes.clone())), bytes)
}

fn json_or_text(bytes: &Bytes) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| json!({ "text": String::from_utf8_lossy(bytes) }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn routes_have_no_ids() {
        let path =
            "/projects/cold-sea-06846227/branches/br-floral-wind-a5090hvr/roles/neondb_owner";
        assert_eq!(super::route(path), "/projects/{id}/branches/{id}/roles/neondb_owner");
    }
}
