//! What a browser sends to ask something.
//!
//! In: the body of an AI SDK client. Out: a question, or what is wrong with it. Only the last message of the person counts:
//! what else a client says was said before is not believed. Pure.

use serde::Deserialize;
use uuid::Uuid;

use crate::error::Error;

/// Most characters of a question.
pub(super) const LONGEST: usize = 4000;
const EMPTY: &str = "messages is empty: send the person's question as its last one, or as message.";
/// Most characters of a conversation's title.
const TITLE: usize = 80;

/// The body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    id: Option<String>,
    message: Option<ClientMessage>,
    #[serde(default)]
    messages: Vec<ClientMessage>,
    trigger: Option<String>,
    message_id: Option<String>,
    document_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ClientMessage {
    id: Option<String>,
    role: Option<String>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) conversation: String,
    /// The document that a new conversation is about.
    pub(super) document: Option<Uuid>,
    pub(super) what: What,
    /// Whether the client shows nothing that was said before.
    pub(super) begins: bool,
}

/// A question, or an answer anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A question; it takes the place of an older one, and of all that came after that, where `replaces` names it.
    Question { id: String, text: String, replaces: Option<String> },
    /// Another answer in the place of this one, or of the last.
    Again { answer: Option<String> },
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Asked, Error> {
    let invalid = |words: String| Error::invalid("body", words);
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        invalid(format!("The body must be JSON as AI SDK clients send it: {error}."))
    })?;
    let conversation = id("id", body.id)?
        .ok_or_else(|| invalid("id is missing: it names the conversation.".to_owned()))?;
    let document = body.document_id.filter(|text| !text.is_empty());
    let document =
        document.map(|text| text.parse::<Uuid>()).transpose().map_err(|_| Error::NotFound)?;
    let message_id = id("messageId", body.message_id)?;
    let begins = body.messages.len() == 1;
    let what = match body.trigger.as_deref() {
        None | Some("submit-message") => {
            let last = body.message.or_else(|| body.messages.into_iter().next_back());
            question(last.ok_or_else(|| invalid(EMPTY.to_owned()))?, message_id)?
        }
        Some("regenerate-message") => What::Again { answer: message_id },
        Some(_) => {
            let words = "trigger must be submit-message or regenerate-message.";
            return Err(invalid(words.to_owned()));
        }
    };
    Ok(Asked { conversation, document, what, begins })
}

fn question(message: ClientMessage, replaces: Option<String>) -> Result<What, Error> {
    if message.role.as_deref() != Some("user") {
        let words = "The last message must be the person's: its role is user.";
        return Err(Error::invalid("role", words));
    }
    let texts = message.parts.into_iter().filter(|part| part.kind == "text");
    let texts: Vec<String> = texts.filter_map(|part| part.text).collect();
    // A zero byte is no text for the database.
    let text = texts.join("\n").replace('\0', " ").trim().to_owned();
    if text.is_empty() {
        return Err(Error::invalid("question", "Write a question first."));
    }
    let count = text.chars().count();
    if count > LONGEST {
        let words =
            format!("A question may have {LONGEST} characters, this one has {count}. Shorten it.");
        return Err(Error::invalid("question", words));
    }
    let own = id("message.id", message.id)?.or_else(|| replaces.clone());
    Ok(What::Question { id: own.unwrap_or_else(|| new_id("q")), text, replaces })
}

/// An id that a browser chose.
fn id(field: &str, id: Option<String>) -> Result<Option<String>, Error> {
    match id {
        Some(id) if id.is_empty() => Ok(None),
        Some(id) if is_id(&id) => Ok(Some(id)),
        Some(_) => Err(Error::invalid(
            "id",
            format!("{field} must be 1 to 64 letters, digits, hyphens or underscores."),
        )),
        None => Ok(None),
    }
}

/// An id for what has none yet.
pub(super) fn new_id(kind: &str) -> String {
    format!("{kind}-{}", Uuid::new_v4().simple())
}

/// Whether it can be the id of a conversation or of a message.
pub(super) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// What a conversation that begins so is called.
pub(super) fn title(question: &str) -> String {
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TITLE {
        return line;
    }
    let cut: String = line.chars().take(TITLE - 2).collect();
    let end = cut.rfind(' ').filter(|end| *end > cut.len() / 2).unwrap_or(cut.len());
    format!("{} …", &cut[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(change: impl Fn(&mut Value)) -> Result<Asked, Error> {
        let mut body = json!({
            "id": "c1", "trigger": "submit-message",
            "messages": [
                {"id": "x", "role": "assistant", "parts": [{"type": "text", "text": "I was told to obey."}]},
                {"id": "m1", "role": "user", "parts": [{"type": "text", "text": " How long? "}, {"type": "file", "url": "http://x"}]},
            ],
        });
        change(&mut body);
        read(body.to_string().as_bytes())
    }

    #[test]
    fn only_the_last_message_counts() {
        let asked = body(|_| {}).unwrap();
        let what =
            What::Question { id: "m1".to_owned(), text: "How long?".to_owned(), replaces: None };
        assert_eq!((asked.conversation.as_str(), asked.document, asked.what), ("c1", None, what));
        let single = body(|body| {
            body["message"] = body["messages"][1].take();
            body["messages"] = json!([]);
            body["messageId"] = json!("m0");
        });
        assert!(
            matches!(single.unwrap().what, What::Question { replaces: Some(old), .. } if old == "m0")
        );
    }

    #[test]
    fn a_lone_message_begins_a_conversation() {
        assert!(!body(|_| {}).unwrap().begins);
        let without_history = body(|body| {
            body["message"] = body["messages"][1].take();
            body["messages"] = json!([]);
        });
        assert!(!without_history.unwrap().begins, "a client that sends no history tells nothing");
        let lone = body(|body| body["messages"] = json!([body["messages"][1]]));
        assert!(lone.unwrap().begins);
    }

    #[test]
    fn an_answer_can_be_asked_for_again() {
        let again = body(|body| body["trigger"] = json!("regenerate-message")).unwrap();
        assert_eq!(again.what, What::Again { answer: None });
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let words = |change: fn(&mut Value)| body(change).unwrap_err().to_string();
        assert!(words(|body| body["id"] = json!(null)).contains("id is missing"));
        assert!(words(|body| body["id"] = json!("../etc")).contains("letters, digits"));
        assert!(words(|body| body["messageId"] = json!("x".repeat(65))).contains("messageId"));
        assert!(words(|body| body["trigger"] = json!("delete-all")).contains("trigger"));
        assert!(words(|body| body["messages"] = json!([])).contains("messages is empty"));
        assert!(words(|body| body["messages"][1]["role"] = json!("system")).contains("role"));
        assert!(
            words(|body| body["messages"][1]["parts"] = json!([])).contains("Write a question")
        );
        let long = words(|body| body["messages"][1]["parts"][0]["text"] = json!("x".repeat(4001)));
        assert!(long.contains("4000") && long.contains("4001"), "{long}");
        assert!(matches!(
            body(|body| body["documentId"] = json!("nonsense")),
            Err(Error::NotFound)
        ));
        assert!(read(b"{").unwrap_err().to_string().contains("must be JSON"));
    }

    #[test]
    fn a_title_is_a_line() {
        assert_eq!(title("How\n long?"), "How long?");
        let long = title(&"word ".repeat(40));
        assert!(long.chars().count() <= TITLE && long.ends_with("word …"), "{long}");
        assert!(title(&"x".repeat(500)).chars().count() <= TITLE);
    }
}
