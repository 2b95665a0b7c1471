//! The embedding server as a part of the stack.
//!
//! In: the installed server. Out: the root of its API, its key, and what its model is called. It must know nothing of the server but
//! its command line and the one line it prints.

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

/// Starts the server and waits for the line that says where it is.
pub(crate) fn start(run: &Run, models: &install::Models) -> Result<Embeddings> {
    let key = paths::random_hex(16)?;
    let mut command = models.embeddings();
    command.args(["--host", "127.0.0.1", "--port", "0"]).env("EMBEDDING_SERVER_KEY", &key);
    let server = run.spawn("embeddings", &command, None, Stop::Kill)?;
    let line = server.wait_for_log("\"url\"", PATIENCE)?;
    understood(&line, key).with_context(|| format!("the embedding server said {line:?}"))
}

fn understood(line: &str, key: String) -> Option<Embeddings> {
    let said: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| said.get(key)?.as_str();
    let dimensions = u32::try_from(said.get("dimensions")?.as_u64()?).ok()?;
    let (url, model) = (format!("{}/v1", text("url")?), text("model")?.to_owned());
    Some(Embeddings { url, key, model, dimensions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_first_line_is_understood() {
        let line = r#"{"url": "http://127.0.0.1:1", "model": "small", "dimensions": 384}"#;
        let found = understood(line, "key".to_owned()).unwrap();
        assert_eq!((found.url.as_str(), found.dimensions), ("http://127.0.0.1:1/v1", 384));
        assert_eq!(understood("Traceback", String::new()), None);
    }
}
