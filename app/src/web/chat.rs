//! The chat: its page, the conversations beside it, the documents it can be about.
//!
//! In: plain values. Out: a page without any message: the script on it fetches them from the API, so that a message is shown by
//! one piece of code, whether it is old or comes in at this moment. Nothing here reads a question or an answer.

use askama::Template;

use super::{PreparingPanel, pages::Frame, words};

/// `/chat` and `/chat/{id}`
#[derive(Clone, Debug, Template)]
#[template(path = "chat.html")]
pub struct ChatPage {
    /// Around the page.
    pub frame: Frame,
    /// How far the database is, while it is not ready: it stands in place of the chat.
    pub panel: Option<PreparingPanel>,
    /// The conversation that is open.
    pub chat: ChatHead,
    /// All conversations, newest first.
    pub conversations: Vec<ConversationRow>,
    /// Documents that a new conversation can be about.
    pub documents: Vec<ChatDocument>,
    /// Most characters of a question.
    pub longest: usize,
    /// The chat model; without one, answers are passages only.
    pub model: Option<String>,
}

/// The conversation that is open.
#[derive(Clone, Debug, Default)]
pub struct ChatHead {
    /// Its id; that of a new one is made by the server.
    pub id: String,
    /// Its title; a new one has none.
    pub title: Option<String>,
    /// The id of the only document that it is about.
    pub document_id: Option<String>,
}

/// A conversation in the list.
#[derive(Clone, Debug, Default)]
pub struct ConversationRow {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// When something was last said in it, as RFC 3339.
    pub updated: String,
    /// The title of the only document that it is about.
    pub document_title: Option<String>,
}

/// A document that a conversation can be about.
#[derive(Clone, Debug, Default)]
pub struct ChatDocument {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether it can be searched yet.
    pub ready: bool,
}

/// Whether there is anything to ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter {
    /// No document at all.
    None,
    /// Documents, none of which can be searched yet.
    Coming,
    /// At least one document that can be searched.
    Ready,
}

impl Matter {
    /// Its name for the script.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Coming => "coming",
            Self::Ready => "ready",
        }
    }
}

impl ChatPage {
    fn matter(&self) -> Matter {
        if self.documents.is_empty() {
            Matter::None
        } else if self.documents.iter().any(|document| document.ready) {
            Matter::Ready
        } else {
            Matter::Coming
        }
    }

    fn is_new(&self) -> bool {
        self.chat.title.is_none()
    }

    fn limited_to(&self, id: &str) -> bool {
        self.chat.document_id.as_deref() == Some(id)
    }

    /// What the conversation is about, in words. A document that is not in the list has been deleted.
    fn scope_words(&self) -> &str {
        match &self.chat.document_id {
            None => "All documents",
            Some(id) => {
                let found = self.documents.iter().find(|document| document.id == *id);
                found.map_or("A document that was deleted", |document| &document.title)
            }
        }
    }
}
