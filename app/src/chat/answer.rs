//! One answer, from the question to its last event.
//!
//! In: a question that was written down. Out: events to the browser and into the database, and the finished answer in the
//! history. It runs by itself: a browser that goes away changes nothing. Each end is one of [`End`], said to the browser and
//! kept the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::PgPool;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    begin::Begun,
    buffer::{self, Sender, Wanted},
    citations::Cleaner,
    find::{self, Found, Material},
    ground::Grounding,
    prompt, quote,
    store::{self, End, Outcome},
    wire,
};
use crate::{
    auth::Signed,
    documents::Searchable,
    error::{self, Error},
    models::{
        self,
        chat::{Answering, ChatModel, Finish, Piece},
    },
    state::App,
};

/// Keeping an answer is tried for so long.
const KEEP: Duration = Duration::from_secs(10);
/// And again after a pause.
const PAUSE: Duration = Duration::from_millis(500);
/// An answer is cut after so many bytes, whatever a provider sends.
const LONGEST: usize = 128 << 10;
/// A text that ends so many times with the same, of so many characters at least, is a loop.
const TIMES: usize = 4;
const TAIL: usize = 40;

const NOT_ANSWERED: &str = "The documents do not seem to answer this.";
const NOT_FOUND: &str = "Nothing that answers this was found.";
const NO_DOCUMENTS: &str = "There is nothing to answer from yet.";
const TRY: &str = "Ask a whole question in other words, or upload a document that answers it.";
const NO_MODEL: &str =
    "No chat model is configured: these are the passages that fit best, word for word.";
const UNCITED: &str = "Nothing in this answer could be matched to your documents. Do not rely on it: look at the passages that were read.";
const REPEATS: &str = "The model began to repeat itself, so its answer was ended.";
const GONE: &str = "This conversation went on elsewhere, or was deleted.";
const MODEL_AWAY: &str = "The chat model is busy or does not answer: these are the passages that fit best, word for word.";

/// What there is of an answer so far.
#[derive(Default)]
struct Draft {
    text: String,
    found: Found,
    finish: Option<Finish>,
}

impl Draft {
    fn note(&self) -> Option<String> {
        (!self.found.notes.is_empty()).then(|| self.found.notes.join(" "))
    }
}

/// Begins to write an answer; its events, as they come.
pub(super) fn write(
    app: &Arc<App>,
    signed: &Signed,
    (begun, material): (Begun, Material),
    pool: PgPool,
) -> mpsc::UnboundedReceiver<String> {
    let (live, events) = mpsc::unbounded_channel();
    let (app, tenant) = (app.clone(), signed.tenant);
    let tasks = app.answers.clone();
    tasks.spawn(
        async move { whole(&app, tenant, (&begun, material), &pool, Sender::new(live)).await },
    );
    events
}

async fn whole(
    app: &App,
    tenant: Uuid,
    (begun, material): (&Begun, Material),
    pool: &PgPool,
    sender: Sender,
) {
    let started = Instant::now();
    let mut draft = Draft::default();
    let end = tokio::select! {
        biased;
        end = compose(app, tenant, (begun, material), &sender, &mut draft) => end,
        wanted = buffer::write_down(pool, &begun.place, &sender) => match wanted {
            Wanted::Stop => End::Stopped,
            Wanted::Yes | Wanted::Gone => End::Failed(GONE.to_owned()),
        },
        () = app.last_words.cancelled() => End::Failed(store::RESTARTED.to_owned()),
    };
    if !draft.text.is_empty() {
        sender.send(&wire::text_end(&draft.text, &draft.found.sources));
    }
    app.metrics.answer(end.state(), started.elapsed());
    let last = match &end {
        End::Done => wire::finish(draft.finish.unwrap_or(Finish::Stop)),
        End::Stopped => wire::abort(),
        End::Failed(words) => wire::error(words),
    };
    let note = draft.note();
    let outcome = Outcome { text: draft.text, sources: draft.found.sources, note, end };
    // Whoever reads later must find the end in the buffer; whoever asks next must find the answer ended.
    sender.keep(&last);
    if !keep(pool, begun, &outcome, &sender).await {
        let words = "This answer could not be saved: your database does not answer, or the conversation went on without it.";
        sender.tell(&[wire::note(words)]);
    }
    sender.tell(&last);
}

/// Whether it was kept.
async fn keep(pool: &PgPool, begun: &Begun, outcome: &Outcome, sender: &Sender) -> bool {
    let place = (begun.place.conversation.as_str(), begun.place.message.as_str());
    let trying = async {
        loop {
            let kept = async {
                buffer::flush(pool, &begun.place, sender).await?;
                store::finish(pool, place, outcome).await
            };
            match kept.await {
                Ok(kept) => return kept,
                Err(error) => {
                    tracing::warn!(%error, "an answer cannot be kept just now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::time::timeout(KEEP, trying).await.unwrap_or(false)
}

async fn compose(
    app: &App,
    tenant: Uuid,
    (begun, material): (&Begun, Material),
    sender: &Sender,
    draft: &mut Draft,
) -> End {
    let model = app.chat.as_ref();
    let place = &begun.place;
    let name = model.map(ChatModel::name);
    sender.send(&wire::start(&place.message, &place.conversation, &begun.title, name));
    sender.send(&wire::start_step());
    sender.send(&wire::status("searching", "Searching your documents…"));
    let started = Instant::now();
    let limit = app.args.chat.chat_seconds;
    let documents = match tokio::time::timeout(limit, sources(app, tenant, begun, material)).await {
        Ok(Ok((found, documents))) => {
            draft.found = found;
            documents
        }
        Ok(Err(error)) => {
            // The person gets words, whoever runs the app the cause.
            tracing::error!(error = %error::causes(&error), "sources could not be found");
            return End::Failed(error.to_string());
        }
        Err(_late) => return End::Failed(late(limit)),
    };
    app.metrics.answer_stage("sources", started.elapsed());
    wire::sources(&draft.found.sources).iter().for_each(|part| sender.send(part));
    if draft.found.sources.is_empty() {
        say_notes(sender, draft);
        // With half of the search away, nothing is known of what the documents hold.
        let words = match (documents.is_empty(), draft.found.notes.is_empty()) {
            (true, _) => NO_DOCUMENTS.to_owned(),
            (false, true) => format!("{NOT_ANSWERED} {TRY}"),
            (false, false) => format!("{NOT_FOUND} {TRY}"),
        };
        say(sender, draft, &words);
        return End::Done;
    }
    let Some(model) = model else {
        return passages(sender, draft, begun, NO_MODEL);
    };
    let more = find::around(app, tenant, (begun, &documents), &draft.found);
    let left = limit.saturating_sub(started.elapsed());
    let more = tokio::time::timeout(left, more).await.unwrap_or_default();
    wire::sources(&more).iter().for_each(|part| sender.send(part));
    draft.found.sources.extend(more);
    say_notes(sender, draft);
    sender.send(&wire::status("writing", "Writing an answer…"));
    let left = limit.saturating_sub(started.elapsed());
    let due = Instant::now() + left;
    match tokio::time::timeout(left, by_model(app, (model, due), begun, sender, draft)).await {
        Ok(Ok(())) => End::Done,
        // Nothing was said yet: the passages themselves are better than no answer.
        Ok(Err(_)) | Err(_) if draft.text.is_empty() => passages(sender, draft, begun, MODEL_AWAY),
        Ok(Err(_)) => End::Failed("The answer broke off. Try again.".to_owned()),
        Err(_) => End::Failed(late(limit)),
    }
}

fn late(limit: Duration) -> String {
    format!("The answer took longer than {} seconds. Try again.", limit.as_secs_f64())
}

async fn sources(
    app: &App,
    tenant: Uuid,
    begun: &Begun,
    Material { mut documents, searched, only }: Material,
) -> Result<(Found, Vec<Searchable>), Error> {
    let searched = searched.filter(|_| only == begun.document);
    if let Some(only) = begun.document {
        documents.retain(|one| one.id == only);
        if documents.is_empty() {
            return Err(Error::Conflict(
                "The document of this conversation was deleted. Begin a new one.".to_owned(),
            ));
        }
    }
    Ok((find::find(app, tenant, (begun, searched), &documents).await?, documents))
}

/// An answer of the documents' own words.
fn passages(sender: &Sender, draft: &mut Draft, begun: &Begun, why: &str) -> End {
    draft.found.notes.insert(0, why.to_owned());
    say_notes(sender, draft);
    let sources = &draft.found.sources;
    let text = if draft.found.is_summary {
        quote::overview(sources)
    } else {
        quote::quotations(&begun.question, &sources[..draft.found.strong.min(sources.len())])
    };
    say(sender, draft, &text);
    End::Done
}

/// An answer of the model's; fewer sources where it takes less than it was given.
async fn by_model(
    app: &App,
    (model, due): (&ChatModel, Instant),
    begun: &Begun,
    sender: &Sender,
    draft: &mut Draft,
) -> Result<(), models::Error> {
    let most = app.args.chat.chat_answer_tokens;
    let (mut given, mut history) = (draft.found.sources.len(), find::room(app, begun).history);
    let started = Instant::now();
    let answering = loop {
        let (sources, is_summary) = (&draft.found.sources[..given], draft.found.is_summary);
        let messages =
            prompt::answer(&begun.question, &begun.history, sources, history, is_summary);
        match model.stream(&messages, most, due).await {
            Err(models::Error::TooLong(_)) if given > 1 => {
                tracing::warn!(sources = given, "a prompt was too long; see --chat-context-tokens");
                (given, history) = (given / 2, history / 2);
            }
            Err(error) => {
                tracing::warn!(%error, "the chat model failed");
                return Err(error);
            }
            Ok(answering) => break answering,
        }
    };
    stream(answering, given, sender, draft, || {
        app.metrics.answer_stage("first_text", started.elapsed())
    })
    .await
    .inspect_err(|error| tracing::warn!(%error, "the chat model failed in the middle"))
}

async fn stream(
    mut answering: Answering,
    given: usize,
    sender: &Sender,
    draft: &mut Draft,
    first: impl Fn(),
) -> Result<(), models::Error> {
    let mut cleaner = Cleaner::new(given);
    let mut grounding = Grounding::new(&draft.found.sources[..given]);
    loop {
        let finish = match answering.next().await? {
            Piece::Text(text) => {
                if draft.text.is_empty() {
                    first();
                }
                say(sender, draft, &grounding.push(&cleaner.push(&text)));
                if repeats(&draft.text) {
                    draft.found.notes.push(REPEATS.to_owned());
                    Finish::Stop
                } else if draft.text.len() < LONGEST {
                    continue;
                } else {
                    Finish::Length
                }
            }
            Piece::End(finish) => finish,
        };
        answering.enough();
        let rest = grounding.push(&cleaner.finish());
        say(sender, draft, &format!("{rest}{}", grounding.finish()));
        draft.finish = Some(finish);
        if draft.text.trim().is_empty() {
            return Err(models::Error::Unavailable("it said nothing".to_owned()));
        }
        let words = match finish {
            Finish::Stop => None,
            Finish::Length => Some("The answer was cut off: it reached its longest length."),
            Finish::Filtered => {
                Some("The provider of the chat model kept back a part of the answer.")
            }
        };
        draft.found.notes.extend(words.map(ToOwned::to_owned));
        draft.found.notes.extend((!grounding.cited).then(|| UNCITED.to_owned()));
        say_notes(sender, draft);
        return Ok(());
    }
}

/// Whether a text ends with the same again and again, word for word: small models do not find the end. What only resembles
/// itself, such as the points of a list, is no loop.
fn repeats(text: &str) -> bool {
    let Some((at, _)) = text.char_indices().rev().nth(TAIL) else {
        return false;
    };
    let Some(before) = text[..at].rfind(&text[at..]) else {
        return false;
    };
    let (bytes, unit) = (text.as_bytes(), at - before);
    bytes.len() >= unit * TIMES
        && bytes.rchunks(unit).take(TIMES).all(|part| part == &bytes[bytes.len() - unit..])
}

fn say(sender: &Sender, draft: &mut Draft, text: &str) {
    if text.is_empty() {
        return;
    }
    if draft.text.is_empty() {
        sender.send(&wire::text_start());
    }
    sender.send(&wire::text_delta(text));
    draft.text.push_str(text);
}

fn say_notes(sender: &Sender, draft: &Draft) {
    if let Some(words) = draft.note() {
        sender.send(&wire::note(&words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_told_from_an_answer() {
        assert!(repeats(&"The lynx is a big cat that hunts at night. ".repeat(5)));
        assert!(!repeats(&"The lynx is a big cat that hunts at night. ".repeat(2)));
        assert!(!repeats("The lynx hunts at night."));
        let parts = (0..40).map(|n| {
            format!("Part {n} speaks of one thing [1] and then of another [2], which is new. ")
        });
        assert!(!repeats(&parts.collect::<String>()), "its parts only resemble each other");
        assert!(repeats(&"größer als zuvor, und dann noch einmal größer, ".repeat(6)));
        let list: String = (0..40)
            .map(|n| format!("- Error code E{n} means that part {} is broken.\n", n * 7))
            .collect();
        assert!(!repeats(&list));
    }
}
