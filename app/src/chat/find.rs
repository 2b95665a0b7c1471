//! The sources of an answer.
//!
//! In: a question that was begun. Out: sources, how many of them are strong, and what the person should know. Where the documents
//! do not seem to answer there are none, and no model is asked.

use std::{sync::Arc, time::Duration};

use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    begin::Begun,
    plan::{self, Plan},
    prompt::{self, Room},
    sources::{self, BEST, Source},
    whole,
};
use crate::{
    documents::{Readiness, Searchable},
    error::Error,
    models::chat::ChatModel,
    search::{self, Meaning, Passages, rank::Ranked, sql::Candidate},
    state::App,
    tenants::Database,
};

/// A source is strong when it is nearly as relevant as the best.
const STRONG: f64 = 0.99;
/// The neighbours of so many of the best are read as well.
const WITH_NEIGHBOURS: usize = 2;
/// Tokens of a passage, for how many fit.
const PASSAGE: usize = 330;
/// Most passages of a summary.
const SPREAD: usize = 40;
/// A question is rewritten within this time, or asked as it is.
const REWRITE: Duration = Duration::from_secs(10);
const REWRITE_TOKENS: u32 = 120;

/// What an answer can stand on.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    /// The passages that fit best, of which those that have room are sources; none for a summary.
    best: Vec<Candidate>,
    /// The first so many answer most likely.
    pub(super) strong: usize,
    pub(super) is_summary: bool,
    /// What the person should know.
    pub(super) notes: Vec<String>,
}

/// What an answer will be looked for in, and a search that is under way.
pub(super) struct Material {
    pub(super) documents: Vec<Searchable>,
    /// The passages for the question as it was asked, in the document that it was asked about or in all.
    pub(super) searched: Option<Searched>,
    pub(super) only: Option<Uuid>,
}

/// A search for a question, on its way.
pub(super) type Searched = AbortOnDropHandle<Result<Passages, Error>>;

impl Material {
    /// Begins to search for a question, where it is known what will be searched for.
    pub(super) fn look(
        app: &Arc<App>,
        tenant: Uuid,
        (documents, only): (Vec<Searchable>, Option<Uuid>),
        question: Option<(&str, Meaning)>,
    ) -> Self {
        let searched = question.map(|(text, meaning)| {
            let (app, text) = (app.clone(), text.to_owned());
            let within = |one: &&Searchable| only.is_none_or(|only| one.id == only);
            let within: Vec<Searchable> = documents.iter().filter(within).cloned().collect();
            AbortOnDropHandle::new(tokio::spawn(async move {
                search::passages(&app, tenant, (&text, meaning), &within).await
            }))
        });
        Self { documents, searched, only }
    }
}

/// How the model's context is shared out for a question.
pub(super) fn room(app: &App, begun: &Begun) -> Room {
    let args = &app.args.chat;
    let (context, answer) = (args.chat_context_tokens as usize, args.chat_answer_tokens as usize);
    prompt::room(context, answer, &begun.question)
}

/// Finds sources for a question among these documents.
///
/// # Errors
/// When the tenant's database does not answer.
pub(super) async fn find(
    app: &App,
    tenant: Uuid,
    (begun, searched): (&Begun, Option<Searched>),
    documents: &[Searchable],
) -> Result<Found, Error> {
    let args = &app.args.chat;
    let room = room(app, begun);
    if plan::plan(&begun.question) == Plan::Whole {
        return summary(app, tenant, documents, room).await;
    }
    let asked = standalone(app, begun, room).await;
    let found = match searched.filter(|_| asked.is(&begun.question)) {
        Some(searched) => searched.await.map_err(Error::internal)??,
        None => {
            let meaning = search::meaning(app, &asked.meaning);
            search::passages(app, tenant, (&asked.words, meaning), documents).await?
        }
    };
    let best = &found.ranked[..found.ranked.len().min(BEST)];
    let relevance = best.iter().map(Ranked::relevance).fold(0.0, f64::max);
    tracing::debug!(relevance, floor = args.relevance_floor, "searched for a question");
    if relevance < args.relevance_floor {
        return Ok(Found { notes: found.problems, ..Found::default() });
    }
    let strong = best.iter().take_while(|one| one.relevance() >= relevance * STRONG).count().max(1);
    let best: Vec<Candidate> = found.ranked.into_iter().take(BEST).map(|one| one.passage).collect();
    let sources = sources::choose(&best, documents, best.len(), room.sources);
    Ok(Found { sources, best, strong, is_summary: false, notes: found.problems })
}

/// Further sources, for a model: the neighbours of the best, as far as there is room beside those that were found. Without them an
/// answer is poorer, but there is one.
pub(super) async fn around(
    app: &App,
    tenant: Uuid,
    (begun, documents): (&Begun, &[Searchable]),
    found: &Found,
) -> Vec<Source> {
    let best = &found.best[..found.best.len().min(WITH_NEIGHBOURS)];
    if best.is_empty() {
        return Vec::new();
    }
    let asking = |database: Database| async move { whole::neighbours(&database.pool, best).await };
    let around = app.tenants.ask(tenant, asking).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "an answer goes without its sources' neighbours");
        Vec::new()
    });
    let is_known = |passage: &&Candidate| found.best.iter().any(|one| one.id == passage.id);
    let all: Vec<_> =
        found.best.iter().chain(around.iter().filter(|other| !is_known(other))).collect();
    let most = all.len();
    sources::choose(all, documents, most, room(app, begun).sources).split_off(found.sources.len())
}

async fn summary(
    app: &App,
    tenant: Uuid,
    documents: &[Searchable],
    room: Room,
) -> Result<Found, Error> {
    let ready = documents.iter().filter(|one| one.state == Readiness::Ready);
    let ids: Vec<Uuid> = ready.clone().map(|one| one.id).collect();
    let all: i64 = ready.map(|one| i64::from(one.passages)).sum();
    let mut notes = search::not_searched(documents);
    if ids.is_empty() {
        return Ok(Found { notes, ..Found::default() });
    }
    let most = (room.sources / PASSAGE).clamp(1, SPREAD);
    let asking = |database: Database| {
        let ids = &ids;
        async move { whole::passages(&database.pool, ids, most).await }
    };
    let passages = app.tenants.ask(tenant, asking).await?;
    let sources = sources::choose(&passages, documents, SPREAD, room.sources);
    let read = i64::try_from(sources.len()).unwrap_or(i64::MAX);
    if read < all {
        notes.push(format!("A sample: {read} of {all} passages, from all over. What stands in one place only may be missing."));
    }
    Ok(Found { strong: sources.len(), sources, best: Vec::new(), is_summary: true, notes })
}

/// A question that can be searched for.
struct Standalone {
    meaning: String,
    words: String,
}

impl Standalone {
    /// Whether it is the question as it was asked.
    fn is(&self, question: &str) -> bool {
        self.meaning == question && self.words == question
    }
}

/// The question with what it leans on put in: by the model, or, without one, with the question before.
async fn standalone(app: &App, begun: &Begun, room: Room) -> Standalone {
    let question = begun.question.as_str();
    let before = begun.history.iter().rev().find(|said| said.by_person);
    let Some(before) = before else {
        return Standalone { meaning: question.to_owned(), words: question.to_owned() };
    };
    if let Some(model) = &app.chat
        && let Some(meaning) = rewritten(model, begun, room).await
    {
        // The model may have lost a word that counts.
        return Standalone { words: format!("{meaning} {question}"), meaning };
    }
    let both = if plan::leans(question) {
        format!("{} {question}", before.text)
    } else {
        question.to_owned()
    };
    Standalone { meaning: both.clone(), words: both }
}

async fn rewritten(model: &ChatModel, begun: &Begun, room: Room) -> Option<String> {
    let messages = prompt::rewrite(&begun.question, &begun.history, room.history);
    match model.complete(&messages, REWRITE_TOKENS, REWRITE).await {
        Ok(text) => {
            let line = text.trim().trim_matches('"').to_owned();
            // Several lines are no question, and neither is a speech.
            let usable = !line.is_empty() && !line.contains('\n') && line.len() < 600;
            usable.then_some(line)
        }
        Err(error) => {
            tracing::debug!(%error, "a question is searched for as it was asked");
            None
        }
    }
}
