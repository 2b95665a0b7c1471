//! Neon's own clients, unmodified, against the emulator: the CLI, the TypeScript SDK, the Python client. Each creates,
//! lists, reads, connects and deletes; its connection strings work in psql; and everything that was said on the way
//! conforms to Neon's OpenAPI file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use stack::install;

use super::lab::{KEY, Lab, text};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// What was installed. `None`, said aloud: it could not be had.
fn had(test: &str, installed: Result<PathBuf>) -> Option<PathBuf> {
    installed.map_err(|error| stack::skip(test, &format!("{error:#}").replace('\n', " "))).ok()
}

/// What all three have to have seen, and what they are judged by afterwards.
async fn check(lab: &Lab, seen: &Value, name: &str) -> Result<()> {
    let id = text(seen, "/id")?;
    ensure!(seen["name"] == name && seen["renamed"] == format!("{name}-2"), "{seen}");
    ensure!(seen["listed"].as_array().is_some_and(|ids| ids.contains(&Value::from(id))), "{seen}");
    works(lab, &text(seen, "/uri")?).await?;
    if lab.stack.pooler().is_ok() {
        works(lab, &text(seen, "/pooled")?).await?;
    }
    Ok(())
}

async fn works(lab: &Lab, uri: &str) -> Result<()> {
    let verified = uri.replace("sslmode=require", "sslmode=verify-full");
    for uri in [uri, &verified] {
        let answer = lab.psql(uri, "select 40 + 2").await?;
        ensure!(answer == Ok("42".to_owned()), "{uri}: {answer:?}");
    }
    Ok(())
}

async fn judged(lab: &Lab, name: &str, renamed: bool) -> Result<()> {
    let kinds: Vec<_> = lab.ledger().await?.into_iter().collect();
    let last = if renamed { format!("{name}-2") } else { name.to_owned() };
    ensure!(kinds.first() == Some(&("create".to_owned(), name.to_owned())), "{kinds:?}");
    ensure!(kinds.last() == Some(&("delete".to_owned(), last)), "{kinds:?}");
    if let Some(judge) = &lab.judge {
        println!("{name}: {} exchanges conform", judge.judge_record(&lab.record)?);
    }
    Ok(())
}

fn line(output: &str) -> Result<Value> {
    let line = output.lines().last().context("no output")?;
    serde_json::from_str(line).with_context(|| output.to_owned())
}

#[tokio::test]
async fn the_typescript_sdk() -> Result<()> {
    let test = "contract/clients/sdk";
    let Some(folder) = had(test, install::npm(&sources())) else { return Ok(()) };
    let lab = Lab::start(test, &["--operation-millis", "100"])?;
    let run = async |step: &str, argument: &str| -> Result<Value> {
        let mut command = Command::new("node");
        command.arg(folder.join("sdk.mjs")).args([step, argument]);
        command.env("NEON_API_URL", &lab.api_url).env("NEON_API_KEY", KEY);
        line(&lab.output(command).await?)
    };
    let seen = run("create", "by-sdk").await?;
    check(&lab, &seen, "by-sdk").await?;
    let gone = run("delete", &text(&seen, "/id")?).await?;
    ensure!(gone["after"] == 404 && gone["requestId"].is_string(), "{gone}");
    judged(&lab, "by-sdk", true).await
}

#[tokio::test]
async fn the_python_client() -> Result<()> {
    let test = "contract/clients/python";
    let Some(packages) = had(test, install::pip(&sources())) else { return Ok(()) };
    let lab = Lab::start(test, &[])?;
    let run = async |step: &str, argument: &str| -> Result<Value> {
        let mut command = Command::new("python3");
        command.arg("-B").arg(sources().join("neon_api_client.py")).args([step, argument]);
        command.env("PYTHONPATH", &packages);
        command.env("NEON_API_URL", &lab.api_url).env("NEON_API_KEY", KEY);
        line(&lab.output(command).await?)
    };
    let seen = run("create", "by-python").await?;
    check(&lab, &seen, "by-python").await?;
    ensure!(seen["roles"][0] == "neondb_owner" && seen["databases"][0] == "neondb", "{seen}");
    let gone = run("delete", &text(&seen, "/id")?).await?;
    ensure!(gone["error"].as_str().is_some_and(|e| e.contains("project not found")), "{gone}");
    judged(&lab, "by-python", true).await
}

#[tokio::test]
async fn the_command_line() -> Result<()> {
    let test = "contract/clients/cli";
    let Some(folder) = had(test, install::npm(&sources())) else { return Ok(()) };
    let lab = Lab::start(test, &[])?;
    let configuration = lab.stack.scratch_dir()?.join("neon-cli");
    let neon = async |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(folder.join("node_modules/.bin/neon"));
        command.args([
            "--api-host",
            &lab.api_url,
            "--api-key",
            KEY,
            "--no-analytics",
            "--output",
            "json",
        ]);
        command.arg("--config-dir").arg(&configuration).args(arguments).env("CI", "1");
        lab.output(command).await
    };
    let made: Value =
        serde_json::from_str(&neon(&["projects", "create", "--name", "by-cli"]).await?)?;
    let id = text(&made, "/project/id")?;
    works(&lab, &text(&made, "/connection_uris/0/connection_uri")?).await?;
    let listed = neon(&["projects", "list"]).await?;
    ensure!(listed.contains(&id), "{listed}");
    let read: Value = serde_json::from_str(&neon(&["projects", "get", &id]).await?)?;
    ensure!(read["name"] == "by-cli");
    // It composes the string itself, with `channel_binding=require`.
    let uri = neon(&["connection-string", "--project-id", &id]).await?;
    let uri = uri.trim().trim_matches('"').to_owned();
    ensure!(uri.contains("channel_binding=require"), "{uri}");
    works(&lab, &uri).await?;
    let password = neon(&["roles", "list", "--project-id", &id]).await?;
    ensure!(password.contains("neondb_owner"));
    neon(&["projects", "delete", &id]).await?;
    ensure!(!neon(&["projects", "list"]).await?.contains(&id));
    judged(&lab, "by-cli", false).await
}
