//! Neon's own clients, unmodified, against the emulator: the CLI, the TypeScript SDK, the Python client. Each creates,
//! lists, reads, connects and deletes; its connection strings work in psql; and everything that was said on the way
//! conforms to Neon's OpenAPI file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::lab::{KEY, Lab, text};

/// One installation at a time in this process.
static INSTALLING: Mutex<()> = Mutex::new(());

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A folder that holds what `install` put there for exactly these files. `None`, said aloud: it could not be had.
fn installed(
    test: &str,
    name: &str,
    files: &[&str],
    install: impl Fn(&Path) -> Result<()>,
) -> Result<Option<PathBuf>> {
    let _one = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = stack::paths::checkout().join(".dev/clients").join(name);
    let mut wanted = Vec::new();
    for file in files {
        wanted.extend(std::fs::read(sources().join(file))?);
    }
    let mark = folder.join(".installed");
    if std::fs::read(&mark).is_ok_and(|had| had == wanted) {
        return Ok(Some(folder));
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for file in files {
        std::fs::copy(sources().join(file), folder.join(file))?;
    }
    if let Err(error) = install(&folder) {
        stack::skip(test, &format!("{error:#}").replace('\n', " "));
        return Ok(None);
    }
    std::fs::write(mark, wanted)?;
    Ok(Some(folder))
}

fn node(test: &str) -> Result<Option<PathBuf>> {
    installed(test, "node", &["package.json", "package-lock.json", "sdk.mjs"], |folder| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(folder);
        stack::tool::run("installing Neon's npm clients", &npm)
    })
}

fn python(test: &str) -> Result<Option<PathBuf>> {
    installed(test, "python", &["requirements.txt", "neon_api_client.py"], |folder| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]);
        pip.args(["--require-hashes", "--only-binary=:all:", "--target"])
            .arg(folder.join("packages"));
        pip.arg("-r").arg(folder.join("requirements.txt"));
        stack::tool::run("installing Neon's Python client", &pip)
    })
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
    let Some(folder) = node(test)? else { return Ok(()) };
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
    let Some(folder) = python(test)? else { return Ok(()) };
    let lab = Lab::start(test, &[])?;
    let run = async |step: &str, argument: &str| -> Result<Value> {
        let mut command = Command::new("python3");
        command.arg(folder.join("neon_api_client.py")).args([step, argument]);
        command.env("PYTHONPATH", folder.join("packages"));
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
    let Some(folder) = node(test)? else { return Ok(()) };
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
