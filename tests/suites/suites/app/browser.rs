//! The whole journeys in a real browser: what `tests/browser` says, run against a real app.

use std::time::Duration;

use acceptance::{ChatModel, Play, TestApp, run};
use anyhow::{Result, ensure};

#[tokio::test]
async fn two_people_walk_the_whole_way() -> Result<()> {
    let app = TestApp::start("browser").await?;
    let folder = app.operator.folder()?;
    let wishes = serde_json::json!({ "screenshots": folder.join("pages") });
    let command = app.operator.world.stack().journey("journey.mjs", &app.url()?, &wishes)?;
    let output = run(command).await?;
    ensure!(output.code == Some(0), "{}\n{}", output.text, output.error);
    // The accounts were deleted at the end, and with them their projects.
    ensure!(app.count("select count(*) from users").await? == 0);
    app.operator.wait_all_gone().await
}

#[tokio::test]
async fn two_people_chat_with_their_documents() -> Result<()> {
    let model = ChatModel::start().await?;
    // Long enough that stop, reload and resume come in the middle; each part is another, or it would be taken for a loop.
    let part = |n: usize| format!("Part {n} speaks of one thing [1] and then of another [2], ");
    model.plays(Play::answer(&[
        "The documents say ",
        "so [1].\n\n- One **thing** [1]\n- Another [2]",
    ]));
    let slow = Play::Slow(Duration::from_millis(120), (0..100).map(part).collect());
    model.plays_when("leave nothing out", slow);
    let app = model.behind(TestApp::named("browser-chat")).start().await?;
    let folder = app.operator.folder()?;
    let long = "Tell me about every topic of the documents, and leave nothing out.";
    let wishes = serde_json::json!({ "screenshots": folder.join("pages"), "long": long });
    let command = app.operator.world.stack().journey("chat.mjs", &app.url()?, &wishes)?;
    let output = run(command).await?;
    ensure!(output.code == Some(0), "{}\n{}", output.text, output.error);
    ensure!(app.count("select count(*) from users").await? == 0);
    app.operator.wait_all_gone().await
}
