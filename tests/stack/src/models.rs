//! The embedding server and the chat server as parts of the stack.
//!
//! In: the installed servers. Out: the roots of their APIs, their keys, and what their models are called. It must know nothing of a
//! server but its command line and the one line it prints.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::install;
use crate::paths;
use crate::run::{Run, Stop};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running embedding server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embeddings {
    /// `http://127.0.0.1:…/v1`
    pub url: String,
    /// The key that it asks for.
    pub key: String,
    /// The name of its model.
    pub model: String,
    /// How many numbers its vectors have.
    pub dimensions: u32,
}

/// A running chat server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// `http://127.0.0.1:…/v1`
    pub url: String,
    /// The key that it asks for.
    pub key: String,
    /// The name of its model.
    pub model: String,
    /// How many tokens messages and answer may have together.
    pub context: u32,
}

/// Starts the embedding server and waits for the line that says where it is.
pub(crate) fn start(run: &Run, models: &install::Models, host: &str) -> Result<Embeddings> {
    let mut command = models.embeddings();
    command.args(["--host", host]);
    let Said { url, key, model, number } =
        serve(run, "embeddings", &mut command, "EMBEDDING_SERVER_KEY", "dimensions")?;
    Ok(Embeddings { url, key, model, dimensions: number })
}

/// Starts the chat server and waits for the line that says where it is.
pub(crate) fn start_chat(run: &Run, chat: &install::Chat, host: &str) -> Result<Chat> {
    let mut command = chat.server();
    command.args(["--host", host]);
    // Its threads spin while they wait for each other: on cores that others use as well, one is faster than two.
    command.args(["--threads", "1"]);
    let Said { url, key, model, number } =
        serve(run, "chat", &mut command, "CHAT_SERVER_KEY", "context")?;
    Ok(Chat { url, key, model, context: number })
}

/// What a server is and says of itself; what the number means is the server's own.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    url: String,
    key: String,
    model: String,
    number: u32,
}

fn serve(
    run: &Run,
    name: &str,
    command: &mut Command,
    key_name: &str,
    number: &str,
) -> Result<Said> {
    let key = paths::random_hex(16)?;
    command.args(["--port", "0"]).env(key_name, &key);
    let server = run.spawn(name, command, None, Stop::Kill)?;
    let line = server.wait_for_log("\"url\"", PATIENCE)?;
    understood(&line, key, number).with_context(|| format!("the server of {name} said {line:?}"))
}

fn understood(line: &str, key: String, number: &str) -> Option<Said> {
    let said: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| said.get(key)?.as_str();
    let number = u32::try_from(said.get(number)?.as_u64()?).ok()?;
    let (url, model) = (format!("{}/v1", text("url")?), text("model")?.to_owned());
    Some(Said { url, key, model, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_first_line_is_understood() {
        let line = r#"{"url": "http://127.0.0.1:1", "model": "small", "dimensions": 384}"#;
        let found = understood(line, "key".to_owned(), "dimensions").unwrap();
        assert_eq!((found.url.as_str(), found.number), ("http://127.0.0.1:1/v1", 384));
        assert_eq!(understood(line, String::new(), "context"), None);
        assert_eq!(understood("Traceback", String::new(), "dimensions"), None);
    }
}
