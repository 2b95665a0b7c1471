//! Conversations and their messages, in the tenant's own database.
//!
//! In: a member of the tenant, ids that browsers chose. Out: rows. Whatever another member's is looks as if it were not there.
//! What belongs together changes in one transaction.

use sqlx::{PgConnection, PgPool, types::Json};
use uuid::Uuid;

use super::sources::Source;

/// Conversations that a list shows.
const LISTED: i64 = 200;
/// Messages that count as history.
const HISTORY: i64 = 12;

/// Why an answer failed whose writer went away.
pub(super) const RESTARTED: &str = "The app was restarted while it wrote this answer. Try again.";

/// A line of the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) document_id: Option<Uuid>,
    pub(super) updated: String,
}

/// Something that was said, as the model is told.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Said {
    pub(super) by_person: bool,
    pub(super) text: String,
}

/// A message.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) role: String,
    pub(super) content: String,
    pub(super) sources: Json<Vec<Source>>,
    pub(super) note: Option<String>,
    pub(super) state: String,
    pub(super) failure_words: Option<String>,
    pub(super) model: Option<String>,
    pub(super) feedback: i16,
    pub(super) created: String,
}

impl Message {
    pub(super) fn by_person(&self) -> bool {
        self.role == "user"
    }
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Whole.
    Done,
    /// Somebody asked to stop.
    Stopped,
    /// It failed, and why, in words for the person.
    Failed(String),
}

impl End {
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        }
    }

    fn words(&self) -> Option<&str> {
        match self {
            Self::Failed(words) => Some(words),
            Self::Done | Self::Stopped => None,
        }
    }
}

/// What came of an answer.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) sources: Vec<Source>,
    pub(super) note: Option<String>,
    pub(super) end: End,
}

/// The columns of [`Conversation`], of a member's own.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, title, document_id, \
             to_char(updated_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as updated \
             from conversations where user_id = $1 ",
            $rest
        )
    };
}

/// A member's conversations, newest first.
pub(super) async fn list(pool: &PgPool, user: Uuid) -> sqlx::Result<Vec<Conversation>> {
    sqlx::query_as(select!("order by updated_at desc, id limit $2"))
        .bind(user)
        .bind(LISTED)
        .fetch_all(pool)
        .await
}

/// One of a member's conversations; [`sqlx::Error::RowNotFound`] when there is none.
pub(super) async fn one(pool: &PgPool, user: Uuid, id: &str) -> sqlx::Result<Conversation> {
    sqlx::query_as(select!("and id = $2")).bind(user).bind(id).fetch_one(pool).await
}

/// All messages of a conversation, in order. An answer whose writer is gone is failed from now on.
pub(super) async fn messages(pool: &PgPool, id: &str) -> sqlx::Result<Vec<Message>> {
    let mut session = pool.acquire().await?;
    give_up(&mut session, id).await?;
    sqlx::query_as(
        "select id, role, content, sources, note, state, failure_words, model, feedback,
            to_char(created_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as created
         from messages where conversation_id = $1 order by place",
    )
    .bind(id)
    .fetch_all(&mut *session)
    .await
}

/// Fails answers that nobody writes any more: whoever did said nothing for long. What was sent stays: text, and its sources.
pub(super) async fn give_up(session: &mut PgConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "with lost as (
            select conversation_id, id from messages
            where conversation_id = $1 and state = 'answering' and alive_at < now() - interval '15 seconds'
         ), events as (
            select message_id, line::jsonb as event, row_number() over (order by place, number) as place
            from answer_pieces, unnest(string_to_array(events, chr(10))) with ordinality as lines (line, number)
            where (conversation_id, message_id) in (select conversation_id, id from lost)
         ), sent as (
            select message_id,
                string_agg(event ->> 'delta', '' order by place)
                    filter (where event ->> 'type' = 'text-delta') as content,
                jsonb_agg(jsonb_build_object(
                    'n', event #> '{data,n}', 'document_id', event #> '{data,documentId}',
                    'title', event #> '{data,title}', 'file_name', event #> '{data,fileName}',
                    'page', event #> '{data,page}', 'last_page', event #> '{data,lastPage}',
                    'quote', event #> '{data,quote}') order by place)
                    filter (where event ->> 'type' = 'data-citation') as sources
            from events group by message_id
         )
         update messages set
            state = case when stop_requested then 'stopped' else 'failed' end,
            failure_words = case when stop_requested then null else $2 end,
            content = coalesce(sent.content, ''),
            sources = coalesce(sent.sources, '[]'::jsonb)
         from lost left join sent on sent.message_id = lost.id
         where messages.conversation_id = lost.conversation_id and messages.id = lost.id",
    )
    .bind(id)
    .bind(RESTARTED)
    .execute(session)
    .await
    .map(drop)
}

/// The newest of what was said before a place, oldest first; answers that failed or were stopped before a word are left out.
pub(super) async fn history(
    session: &mut PgConnection,
    id: &str,
    before: i32,
) -> sqlx::Result<Vec<Said>> {
    let mut said: Vec<Said> = sqlx::query_as(
        "select role = 'user' as by_person, content as text from messages
         where conversation_id = $1 and place < $2 and content <> '' order by place desc limit $3",
    )
    .bind(id)
    .bind(before)
    .bind(HISTORY)
    .fetch_all(session)
    .await?;
    said.reverse();
    Ok(said)
}

/// Keeps what came of an answer; whether its place was still there. Somebody may have given it up while its database was away.
pub(super) async fn finish(
    pool: &PgPool,
    (conversation, message): (&str, &str),
    outcome: &Outcome,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "with kept as (
            update messages set content = $3, sources = $4, note = $5, state = $6, failure_words = $7
            where conversation_id = $1 and id = $2
                and (state = 'answering' or state = 'failed' and failure_words = $8)
            returning conversation_id
         ), touched as (
            update conversations set updated_at = now() where id in (select conversation_id from kept)
         )
         select exists (select from kept)",
    )
    .bind(conversation)
    .bind(message)
    .bind(&outcome.text)
    .bind(Json(&outcome.sources))
    .bind(&outcome.note)
    .bind(outcome.end.state())
    .bind(outcome.end.words())
    .bind(RESTARTED)
    .fetch_one(pool)
    .await
}

/// Gives a conversation another title; whether there is such a one.
pub(super) async fn rename(pool: &PgPool, user: Uuid, id: &str, title: &str) -> sqlx::Result<bool> {
    let renamed = sqlx::query("update conversations set title = $3 where user_id = $1 and id = $2")
        .bind(user)
        .bind(id)
        .bind(title)
        .execute(pool)
        .await?;
    Ok(renamed.rows_affected() > 0)
}

/// Removes a conversation with all that was said in it; whether there was such a one.
pub(super) async fn delete(pool: &PgPool, user: Uuid, id: &str) -> sqlx::Result<bool> {
    let deleted = sqlx::query("delete from conversations where user_id = $1 and id = $2")
        .bind(user)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Keeps what somebody thinks of an answer; whether there is such a one.
pub(super) async fn feedback(
    pool: &PgPool,
    user: Uuid,
    (conversation, message): (&str, &str),
    value: i16,
) -> sqlx::Result<bool> {
    let kept = sqlx::query(
        "update messages set feedback = $4 where conversation_id = $2 and id = $3 and role = 'assistant'
         and exists (select from conversations where id = $2 and user_id = $1)",
    )
    .bind(user)
    .bind(conversation)
    .bind(message)
    .bind(value)
    .execute(pool)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Takes the text of a document that is deleted out of what answers quote; what the answers say stays.
///
/// # Errors
/// When the tenant's database does not answer.
pub async fn forget_document(pool: &PgPool, document: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "with quoting as (
            update messages set sources = (
                select jsonb_agg(
                    case when source ->> 'document_id' = $1 then source || '{\"quote\": \"\"}' else source end order by place)
                from jsonb_array_elements(sources) with ordinality as all_sources (source, place))
            where sources @> jsonb_build_array(jsonb_build_object('document_id', $1))
            returning conversation_id, id
         )
         delete from answer_pieces where (conversation_id, message_id) in (select conversation_id, id from quoting)",
    )
    .bind(document.to_string())
    .execute(pool)
    .await
    .map(drop)
}

/// Asks whoever writes an answer of this conversation to stop; fine when nobody does.
pub(super) async fn stop(pool: &PgPool, user: Uuid, id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "with own as (select id from conversations where id = $2 and user_id = $1),
         stopped as (
            update messages set stop_requested = true from own
            where messages.conversation_id = own.id and messages.state = 'answering'
         )
         select from own",
    )
    .bind(user)
    .bind(id)
    .fetch_one(pool)
    .await
    .map(drop)
}
