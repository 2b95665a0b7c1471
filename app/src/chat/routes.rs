//! The chat's interface for scripts, in the way of the AI SDK.
//!
//! In: questions, stops, thumbs. Out: streams of events, conversations as JSON. Only asking counts as costly. Everything is
//! looked up in the tenant's own database and by the person, so what is another's looks as if it were not there.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    answer,
    begin::{self, Begun, Refused},
    buffer,
    find::Material,
    pages, plan,
    request::{self, Asked, What},
    store::{self, Conversation},
    wire,
};
use crate::{auth::Signed, documents, error::Error, live, search, state::App, tenants::Database};

/// Most bytes of a body: clients may send the whole conversation along, of which we read the last message.
const BODY: usize = 4 << 20;

/// Routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/chat", get(list).post(ask).layer(DefaultBodyLimit::max(BODY)))
        .route("/api/chat/{id}", get(one))
        .route("/api/chat/{id}/stream", get(resume))
        .route("/api/chat/{id}/stop", post(stop))
        .route("/api/chat/{id}/feedback", post(feedback))
        .merge(pages::routes())
}

async fn ask(
    State(app): State<Arc<App>>,
    signed: Signed,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let asked = request::read(&read(&headers, body)?)?;
    app.limits.costly(signed.user)?;
    // A task of its own: whoever goes away meanwhile leaves no question behind that nobody answers.
    let task = app.answers.spawn(begun(app.clone(), signed, asked));
    task.await.map_err(Error::internal)?
}

async fn begun(app: Arc<App>, signed: Signed, asked: Asked) -> Result<Response, Error> {
    let tenant = signed.tenant;
    let meaning = alone(&app, &asked).map(|text| (text, search::meaning(&app, text)));
    let database = async { Ok(app.tenants.database(tenant).await?) };
    let (database, documents) = tokio::try_join!(database, documents::searchable(&app, tenant))?;
    if asked.document.is_some_and(|id| documents.iter().all(|one| one.id != id)) {
        return Err(Error::NotFound);
    }
    // What an answer stands on is looked for while the question is written down.
    let material = Material::look(&app, tenant, (documents, asked.document), meaning);
    let (begun, pool) = begin(&app, &signed, &asked, database).await?;
    let begun = match begun {
        Ok(begun) => begun,
        Err(Refused::Running(place)) => return Ok(wire::respond(buffer::follow(pool, place))),
        Err(refused) => return Err(refused.into()),
    };
    let events = answer::write(&app, &signed, (begun, material), pool);
    let events = stream::unfold(events, |mut events| async move {
        events.recv().await.map(|event| (event, events))
    });
    Ok(wire::respond(events))
}

/// The question, where it will be searched for as it is. One that a model will rewrite is searched for in other words than its own.
fn alone<'a>(app: &App, asked: &'a Asked) -> Option<&'a str> {
    match &asked.what {
        What::Question { id: _, text, replaces: _ } => {
            (plan::stands_alone(text) && (asked.begins || app.chat.is_none())).then_some(text)
        }
        What::Again { answer: _ } => None,
    }
}

/// What a form of another site cannot send, and no more than fits.
fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Error::invalid("content_type", "Send JSON: content-type is application/json."));
    }
    body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge(
            format!(
                "A question, with what the client sends along, may have {} MB. Shorten it, or begin a new conversation.",
                BODY >> 20
            ),
        ),
        _ => Error::invalid("body", "The request broke off. Try again."),
    })
}

/// Asked again where the session had ended before anything could be written.
async fn begin(
    app: &App,
    signed: &Signed,
    asked: &Asked,
    database: Database,
) -> Result<(Result<Begun, Refused>, PgPool), Error> {
    let model = app.chat.as_ref().map(|model| model.name());
    let message = request::new_id("a");
    let answer = (message.as_str(), model);
    let asking = |database: Database| async move {
        match begin::begin(&database.pool, signed.user, asked, answer).await {
            Err(Refused::Database(error)) => Err(error),
            other => Ok((other, database.pool)),
        }
    };
    app.tenants.ask_through(signed.tenant, database, asking).await
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing => Self::NotFound,
            Refused::Busy | Refused::Running(_) => Self::Conflict(refused.to_string()),
            Refused::Nothing | Refused::Full(_) => {
                Self::invalid("conversation", refused.to_string())
            }
            Refused::Database(error) => Self::internal(error),
        }
    }
}

async fn list(State(app): State<Arc<App>>, signed: Signed) -> Result<Json<Value>, Error> {
    let all = pages::conversations(&app, &signed).await?;
    let all: Vec<Value> = all.into_iter().map(summary).collect();
    Ok(Json(json!({"conversations": all})))
}

fn summary(one: Conversation) -> Value {
    json!({"id": one.id, "title": one.title, "documentId": one.document_id, "updatedAt": one.updated})
}

async fn one(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let id = known(&id)?;
    let asking = |database: Database| async move {
        let conversation = store::one(&database.pool, signed.user, id).await?;
        Ok((conversation, store::messages(&database.pool, id).await?))
    };
    let (conversation, messages) = app.tenants.ask(signed.tenant, asking).await?;
    let answering = messages.iter().any(|message| message.state == "answering");
    Ok(Json(json!({
        "id": conversation.id,
        "title": conversation.title,
        "documentId": conversation.document_id,
        "messages": messages.iter().map(wire::message).collect::<Vec<_>>(),
        "answering": answering,
    })))
}

async fn resume(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = known(&id)?;
    let asking = |database: Database| async move {
        store::one(&database.pool, signed.user, id).await?;
        let running = buffer::running(&database.pool, id).await?;
        Ok(running.map(|place| (place, database.pool)))
    };
    match app.tenants.ask(signed.tenant, asking).await? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some((place, pool)) => {
            let listening = live::one_more(signed.user)?;
            let events = buffer::follow(pool, place).inspect(move |_| {
                let _until_its_end = &listening;
            });
            Ok(wire::respond(events))
        }
    }
}

async fn stop(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let id = known(&id)?;
    let asking =
        |database: Database| async move { store::stop(&database.pool, signed.user, id).await };
    app.tenants.ask(signed.tenant, asking).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    message_id: String,
    value: i16,
}

async fn feedback(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Error> {
    let id = known(&id)?;
    let given: Feedback = serde_json::from_slice(&read(&headers, body)?)
        .map_err(|error| Error::invalid("body", format!("Send messageId and value: {error}.")))?;
    if !(-1..=1).contains(&given.value) {
        return Err(Error::invalid("value", "value must be 1, 0 or -1."));
    }
    let message = known(&given.message_id)?;
    let asking = |database: Database| async move {
        store::feedback(&database.pool, signed.user, (id, message), given.value).await
    };
    if app.tenants.ask(signed.tenant, asking).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NotFound)
    }
}

/// What cannot be an id names nothing.
pub(super) fn known(id: &str) -> Result<&str, Error> {
    if request::is_id(id) { Ok(id) } else { Err(Error::NotFound) }
}
