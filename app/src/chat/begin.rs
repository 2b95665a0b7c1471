//! The beginning of an answer: what is asked is written down before anybody answers it.
//!
//! In: what a browser asked for. Out: the question with what was said before, and the place of its answer. One transaction: a
//! question is there with its answer's place or not at all, and a conversation never has two answers under way.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    buffer::Place,
    request::{self, Asked, What},
    store::{self, Said},
};

/// Most conversations of one tenant, and most messages of one conversation.
const CONVERSATIONS: i64 = 2000;
const MESSAGES: i32 = 1000;
/// Answers that are written for one person at the same time: the model is shared by all.
const AT_ONCE: i64 = 4;

/// An answer that is to be written.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) place: Place,
    pub(super) title: String,
    pub(super) document: Option<Uuid>,
    pub(super) question: String,
    pub(super) history: Vec<Said>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no such conversation or message")]
    Missing,
    #[error("An answer is being written in this conversation. Stop it, or wait for its end.")]
    Busy,
    #[error("this very question is being answered")]
    Running(Place),
    #[error("There is no question to answer yet. Write one.")]
    Nothing,
    #[error("{0}")]
    Full(&'static str),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Writes the question down, and that it is being answered.
pub(super) async fn begin(
    pool: &PgPool,
    user: Uuid,
    asked: &Asked,
    (message, model): (&str, Option<&str>),
) -> Result<Begun, Refused> {
    if let What::Question { id, text, replaces: None } = &asked.what
        && let Some(begun) = fresh(pool, user, asked, (id, text), (message, model)).await?
    {
        return Ok(begun);
    }
    let mut session = pool.begin().await?;
    let id = asked.conversation.as_str();
    let found: Option<(String, Option<Uuid>)> = sqlx::query_as(
        "select title, document_id from conversations where id = $1 and user_id = $2 for update",
    )
    .bind(id)
    .bind(user)
    .fetch_optional(&mut *session)
    .await?;
    let (title, document) = found.ok_or(Refused::Missing)?;
    store::give_up(&mut session, id).await?;
    if let Some((answer, question)) = running(&mut session, id).await? {
        // A browser may send the same question again by itself when a connection breaks.
        let again = matches!(&asked.what, What::Question { id: own, text: _, replaces: _ } if *own == question);
        if answer == message {
            // Our own, whose commit we did not hear of: nobody writes it yet.
            let own = place_of(&mut session, id, message, "assistant").await?;
            remove_from(&mut session, id, own.unwrap_or(i32::MAX)).await?;
        } else {
            let place = Place { conversation: id.to_owned(), message: answer };
            return Err(if again { Refused::Running(place) } else { Refused::Busy });
        }
    }
    // Readers of earlier answers have theirs.
    sqlx::query("delete from answer_pieces where conversation_id = $1")
        .bind(id)
        .execute(&mut *session)
        .await?;
    let (question, place) = match &asked.what {
        What::Question { id: own, text, replaces } => {
            let place = ask(&mut session, id, own, (text, replaces.as_deref())).await?;
            (text.clone(), place)
        }
        What::Again { answer } => again(&mut session, id, answer.as_deref()).await?,
    };
    if place >= MESSAGES {
        return Err(Refused::Full("This conversation is very long. Begin a new one."));
    }
    sqlx::query(
        "insert into messages (conversation_id, id, place, role, state, model) values ($1, $2, $3, 'assistant', 'answering', $4)",
    )
    .bind(id)
    .bind(message)
    .bind(place + 1)
    .bind(model)
    .execute(&mut *session)
    .await?;
    sqlx::query("update conversations set updated_at = now() where id = $1")
        .bind(id)
        .execute(&mut *session)
        .await?;
    let history = store::history(&mut session, id, place).await?;
    session.commit().await?;
    let place = Place { conversation: id.to_owned(), message: message.to_owned() };
    Ok(Begun { place, title, document, question, history })
}

/// A new conversation with its first question, in one statement; none where there is one of that id.
async fn fresh(
    pool: &PgPool,
    user: Uuid,
    asked: &Asked,
    (own, text): (&str, &str),
    (message, model): (&str, Option<&str>),
) -> Result<Option<Begun>, Refused> {
    let title = request::title(text);
    let (made, is_full, is_busy): (bool, bool, bool) = sqlx::query_as(
        "with count as (
            select
                (select count(*) >= $9 from conversations) as is_full,
                (select count(*) >= $10 from messages join conversations on conversations.id = conversation_id
                    where state = 'answering' and user_id = $2 and alive_at > now() - interval '15 seconds') as is_busy
        ),
        made as (
            insert into conversations (id, user_id, document_id, title)
            select $1, $2, $3, $4 from count where not is_full and not is_busy on conflict (id) do nothing returning id
        ), asked as (
            insert into messages (conversation_id, id, place, role, content)
            select id, $5, 0, 'user', $6 from made
        ), answered as (
            insert into messages (conversation_id, id, place, role, state, model)
            select id, $7, 1, 'assistant', 'answering', $8 from made
        )
        select
            exists (select from made),
            is_full and not exists (select from conversations where id = $1),
            is_busy and not exists (select from conversations where id = $1)
        from count",
    )
    .bind(&asked.conversation)
    .bind(user)
    .bind(asked.document)
    .bind(&title)
    .bind(own)
    .bind(text)
    .bind(message)
    .bind(model)
    .bind(CONVERSATIONS)
    .bind(AT_ONCE)
    .fetch_one(pool)
    .await?;
    if is_full {
        return Err(Refused::Full("You have very many conversations. Delete some first."));
    }
    if is_busy {
        return Err(Refused::Full(
            "Several answers are being written for you. Wait for one of them to end, or stop it.",
        ));
    }
    let place = Place { conversation: asked.conversation.clone(), message: message.to_owned() };
    let (document, question) = (asked.document, text.to_owned());
    Ok(made.then(|| Begun { place, title, document, question, history: Vec::new() }))
}

/// The place of a new question, in the place of an older one where it replaces that.
async fn ask(
    session: &mut PgConnection,
    conversation: &str,
    own: &str,
    (text, replaces): (&str, Option<&str>),
) -> Result<i32, Refused> {
    // The same id twice is the same question, sent again.
    let old = place_of(session, conversation, replaces.unwrap_or(own), "user").await?;
    if replaces.is_some() && old.is_none() {
        return Err(Refused::Missing);
    }
    let place = match old {
        Some(place) => {
            remove_from(session, conversation, place).await?;
            place
        }
        None => next_place(session, conversation).await?,
    };
    let taken = place_of(session, conversation, own, "assistant").await?.is_some();
    let own = if taken { request::new_id("q") } else { own.to_owned() };
    sqlx::query("insert into messages (conversation_id, id, place, role, content) values ($1, $2, $3, 'user', $4)")
        .bind(conversation)
        .bind(own)
        .bind(place)
        .bind(text)
        .execute(session)
        .await?;
    Ok(place)
}

/// The question whose answer is to be written anew, and its place.
async fn again(
    session: &mut PgConnection,
    conversation: &str,
    answer: Option<&str>,
) -> Result<(String, i32), Refused> {
    let before = match answer {
        Some(id) => match place_of(session, conversation, id, "assistant").await? {
            Some(place) => place,
            // Some clients name the question instead.
            None => {
                let place = place_of(session, conversation, id, "user").await?;
                place.ok_or(Refused::Missing)? + 1
            }
        },
        None => next_place(session, conversation).await?,
    };
    let question: Option<(String, i32)> = sqlx::query_as(
        "select content, place from messages where conversation_id = $1 and role = 'user' and place < $2
         order by place desc limit 1",
    )
    .bind(conversation)
    .bind(before)
    .fetch_optional(&mut *session)
    .await?;
    let (text, place) = question.ok_or(Refused::Nothing)?;
    remove_from(session, conversation, place + 1).await?;
    Ok((text, place))
}

/// The answer that is being written, and its question.
async fn running(
    session: &mut PgConnection,
    conversation: &str,
) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as(
        "select answer.id, question.id from messages as answer
         join messages as question on question.conversation_id = answer.conversation_id
            and question.place = answer.place - 1
         where answer.conversation_id = $1 and answer.state = 'answering'",
    )
    .bind(conversation)
    .fetch_optional(session)
    .await
}

async fn place_of(
    session: &mut PgConnection,
    conversation: &str,
    id: &str,
    role: &str,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar(
        "select place from messages where conversation_id = $1 and id = $2 and role = $3",
    )
    .bind(conversation)
    .bind(id)
    .bind(role)
    .fetch_optional(session)
    .await
}

async fn next_place(session: &mut PgConnection, conversation: &str) -> sqlx::Result<i32> {
    sqlx::query_scalar(
        "select coalesce(max(place) + 1, 0) from messages where conversation_id = $1",
    )
    .bind(conversation)
    .fetch_one(session)
    .await
}

async fn remove_from(
    session: &mut PgConnection,
    conversation: &str,
    place: i32,
) -> sqlx::Result<()> {
    sqlx::query("delete from messages where conversation_id = $1 and place >= $2")
        .bind(conversation)
        .bind(place)
        .execute(session)
        .await
        .map(drop)
}
