//! The AI SDK's own client, unmodified, against the app: what `tests/ai-sdk` says, with a scripted model behind the app.

use std::time::Duration;

use acceptance::{End, Play, TestApp, run};
use anyhow::{Context, Result, ensure};
use stack::install;

use super::chat::{Lab, lab_with};

#[tokio::test]
async fn the_ai_sdk_in_two_versions_talks_to_the_chat() -> Result<()> {
    let test = "app/chat_clients/ai-sdk";
    let folder = match install::npm(&stack::paths::checkout().join("tests/ai-sdk")) {
        Ok(folder) => folder,
        Err(error) => {
            stack::skip(test, &format!("{error:#}").replace('\n', " "));
            return Ok(());
        }
    };
    // Enough for everything but its last step.
    let setup = TestApp::named("chat-sdk").env("REQUESTS_PER_MINUTE", "60");
    let Lab { model, app, ada, id } = lab_with(setup).await?;
    model.answers(&["Both ", "of them are **known** [1]", "[2]."]);
    let words: Vec<String> = (1..=40).map(|n| format!("word{n} ")).collect();
    model.plays_when("slowly", Play::Slow(Duration::from_millis(50), words));
    model.plays_when("break off", Play::ending(&["Half an ", "answer "], End::Cut));
    let cookie = ada.cookie("demo-session").context("the session's cookie")?;
    let mut command = std::process::Command::new("node");
    command.arg(folder.join("contract.mjs")).arg(app.url()?);
    command.arg(format!("demo-session={cookie}")).arg(&id);
    let output = run(command).await?;
    ensure!(output.code == Some(0), "{}\n{}", output.text, output.error);
    println!("{}", output.text);
    Ok(())
}
