//! Flags of the two models: one makes vectors, one writes answers.

use std::time::Duration;

use clap::Args as ClapArgs;
use secrecy::SecretString;
use url::Url;

use super::seconds;

/// Models, behind an API like OpenAI's.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Models")]
pub struct ModelArgs {
    /// Root of the embedding API: OpenAI, Ollama, vLLM, or any other of that kind.
    #[arg(long, env, default_value = "https://api.openai.com/v1")]
    pub embedding_url: Url,

    /// Key of the embedding API. Prefer the environment.
    #[arg(long, env, hide_env_values = true)]
    pub embedding_key: Option<SecretString>,

    /// Name of the embedding model.
    #[arg(long, env, default_value = "text-embedding-3-small")]
    pub embedding_model: String,

    /// Number of dimensions that the model gives; new tenants' databases are made for it.
    #[arg(long, env, default_value = "1536", value_parser = clap::value_parser!(i32).range(1..=4000))]
    pub embedding_dimensions: i32,

    /// Passages in one request to the model.
    #[arg(long, env, default_value = "32", value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub embedding_batch: u32,

    /// Requests to the model at the same time, over all documents and searches.
    #[arg(long, env, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub embedding_concurrency: u32,

    /// Seconds that one request to the model may take.
    #[arg(long, env, default_value = "60", value_parser = seconds)]
    pub embedding_seconds: Duration,
}

/// Chat with documents.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Chat")]
pub struct ChatArgs {
    /// Root of the chat API, such as `https://api.openai.com/v1`; left out, answers are passages of the documents.
    #[arg(long, env, requires = "chat_model")]
    pub chat_url: Option<Url>,

    /// Key of the chat API. Prefer the environment.
    #[arg(long, env, hide_env_values = true)]
    pub chat_key: Option<SecretString>,

    /// Name of the chat model.
    #[arg(long, env, requires = "chat_url")]
    pub chat_model: Option<String>,

    /// Tokens that the chat model takes in all: sources, history, question and answer.
    #[arg(long, env, default_value = "8000", value_parser = clap::value_parser!(u32).range(1000..=2_000_000))]
    pub chat_context_tokens: u32,

    /// Most tokens of an answer.
    #[arg(long, env, default_value = "800", value_parser = clap::value_parser!(u32).range(16..=100_000))]
    pub chat_answer_tokens: u32,

    /// Seconds that an answer may take in all.
    #[arg(long, env, default_value = "120", value_parser = seconds)]
    pub chat_seconds: Duration,

    /// Answers that the chat model writes at the same time, over all people.
    #[arg(long, env, default_value = "16", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub chat_concurrency: u32,

    /// Relevance from 0 to 1 below which the documents are said not to answer; `make eval` measures it.
    #[arg(long, env, default_value = "0.16", value_parser = part)]
    pub relevance_floor: f64,
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Ok(_) | Err(_) => Err("a number from 0 to 1 is needed".to_owned()),
    }
}
