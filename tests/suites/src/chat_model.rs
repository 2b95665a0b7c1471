//! A chat model whose every word a test decides: an OpenAI-compatible server in the test's own process.
//!
//! In: what to answer, what to do wrong, when to go on. Out: a URL for the app, and what the app asked: prompts, keys, and whether
//! it waited for the end. `server` speaks the protocol; nothing here knows the app.

mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::AppSetup;
use crate::wait::{PATIENCE, wait_until};

/// A model that nobody answers for: refuses connections.
pub const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// How an answer ends that has begun.
#[derive(Clone, Debug)]
pub enum End {
    /// With this `finish_reason` and `[DONE]`.
    Finish(&'static str),
    /// The body ends as a whole one does, but neither `finish_reason` nor `[DONE]` was in it.
    Silent,
    /// The connection is closed in the middle of the body.
    Cut,
    /// Nothing more comes, and the connection stays.
    Hang,
    /// This event's data, whatever it is, and then `finish_reason` stop and `[DONE]`.
    Data(String),
}

/// What the model does with a question.
#[derive(Clone, Debug)]
pub enum Play {
    /// Streams these texts one by one.
    Answer(Vec<String>, End),
    /// The same, with a pause before each.
    Slow(Duration, Vec<String>),
    /// Refuses with a status; perhaps with Retry-After in seconds.
    Refuse(u16, Option<u32>),
    /// Takes the request and never answers.
    Ignore,
    /// Refuses a prompt that is longer than so many characters, as too long; answers others.
    AtMost(usize, Vec<String>),
}

impl Play {
    /// A whole answer in these pieces.
    #[must_use]
    pub fn answer(texts: &[&str]) -> Self {
        Self::ending(texts, End::Finish("stop"))
    }

    /// The same with another end.
    #[must_use]
    pub fn ending(texts: &[&str], end: End) -> Self {
        Self::Answer(texts.iter().map(|text| (*text).to_owned()).collect(), end)
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has not ended yet.
    Running,
    /// It was sent to its end.
    Whole,
    /// The app went away before.
    Abandoned,
}

/// One request of the app.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The body.
    pub body: Value,
    /// The key that came with it.
    pub key: String,
    fate: Arc<Mutex<Fate>>,
}

impl Asked {
    fn new(body: Value, key: String) -> Self {
        Self { body, key, fate: Arc::new(Mutex::new(Fate::Running)) }
    }

    /// Whether it asks for a stream: an answer. The others ask for a question to be rewritten.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.body["stream"] == true
    }

    /// What became of the answer.
    #[must_use]
    pub fn fate(&self) -> Fate {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, fate: Fate) {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = fate;
    }

    /// The texts of all messages of these roles, one after another.
    #[must_use]
    pub fn of_roles(&self, roles: &[&str]) -> String {
        let messages = self.body["messages"].as_array();
        let wanted = messages
            .into_iter()
            .flatten()
            .filter(|message| message["role"].as_str().is_some_and(|role| roles.contains(&role)));
        wanted.map(|message| content(&message["content"])).collect::<Vec<_>>().join("\n")
    }

    /// All that the model reads.
    #[must_use]
    pub fn prompt(&self) -> String {
        self.of_roles(&["system", "developer", "user", "assistant", "tool", "function"])
    }

    /// What it must obey.
    #[must_use]
    pub fn orders(&self) -> String {
        self.of_roles(&["system", "developer"])
    }
}

/// A message's content is text, or a list of parts.
fn content(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    let of_parts: String = parts.filter_map(|part| part["text"].as_str()).collect();
    content.as_str().map_or(of_parts, str::to_owned)
}

/// The model.
pub struct ChatModel {
    /// Root of its API.
    pub url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    /// What it does; a text before it: only with questions that hold the text.
    plays: Mutex<Vec<(String, Play)>>,
    rewritten: Mutex<Option<String>>,
    asked: Mutex<Vec<Asked>>,
    /// So many texts of an answer may be sent.
    gate: watch::Sender<usize>,
}

impl Drop for ChatModel {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ChatModel {
    /// The key that it wants.
    pub const KEY: &str = "sk-chat-very-secret-4711";
    /// Its name.
    pub const NAME: &str = "scripted-1";

    /// A model that answers every question with one short sentence and the first source.
    pub async fn start() -> Result<Self> {
        let shared = Arc::new(Shared {
            plays: Mutex::new(vec![(String::new(), Play::answer(&["This is known ", "[1]."]))]),
            rewritten: Mutex::default(),
            asked: Mutex::default(),
            gate: watch::Sender::new(usize::MAX),
        });
        let listener = tokio::net::TcpListener::bind((host(), 0)).await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let server = tokio::spawn(server::serve(listener, shared.clone()));
        Ok(Self { url, shared, server })
    }

    /// An app that has this model.
    #[must_use]
    pub fn behind(&self, app: AppSetup) -> AppSetup {
        app.env("CHAT_URL", &self.url).env("CHAT_KEY", Self::KEY).env("CHAT_MODEL", Self::NAME)
    }

    /// From now on it does this.
    pub fn plays(&self, play: Play) {
        *locked(&self.shared.plays) = vec![(String::new(), play)];
    }

    /// From now on it does this with prompts that hold this text.
    pub fn plays_when(&self, text: &str, play: Play) {
        locked(&self.shared.plays).insert(0, (text.to_owned(), play));
    }

    /// From now on it answers so.
    pub fn answers(&self, texts: &[&str]) {
        self.plays(Play::answer(texts));
    }

    /// What it makes of a follow-up question. Before this is said, it repeats the last words that it is told.
    pub fn rewrites_to(&self, question: &str) {
        *locked(&self.shared.rewritten) = Some(question.to_owned());
    }

    /// Answers are held after so many texts, also those that run.
    pub fn hold_after(&self, texts: usize) {
        self.shared.gate.send_replace(texts);
    }

    /// Answers go on to their ends.
    pub fn let_go(&self) {
        self.hold_after(usize::MAX);
    }

    /// Everything that it was asked.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }

    /// The answers that it was asked for.
    #[must_use]
    pub fn answers_asked(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::is_answer).collect()
    }

    /// The last answer that it was asked for.
    pub fn last(&self) -> Result<Asked> {
        self.answers_asked().pop().context("the model was not asked")
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        locked(&self.shared.asked).clear();
    }

    /// Waits until so many answers were asked for.
    pub async fn wait_asked(&self, count: usize) -> Result<()> {
        wait_until("the model is asked", PATIENCE, async || {
            let asked = self.answers_asked().len();
            ensure!(asked >= count, "{asked} of {count}");
            Ok(())
        })
        .await
    }

    /// Waits until the last answer has this fate.
    pub async fn wait_fate(&self, fate: Fate, patience: Duration) -> Result<()> {
        wait_until(&format!("the answer is {fate:?}"), patience, async || {
            let is = self.last()?.fate();
            ensure!(is == fate, "it is {is:?}");
            Ok(())
        })
        .await
    }
}

/// Where pods can reach it too, if there are any.
fn host() -> &'static str {
    if stack::node::namespaces::inside() { stack::node::ADDRESS } else { "127.0.0.1" }
}
