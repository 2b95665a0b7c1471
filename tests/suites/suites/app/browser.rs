//! The whole journey in a real browser: what `tests/browser` says, run against a real app.

use acceptance::{TestApp, run};
use anyhow::{Result, ensure};

#[tokio::test]
async fn two_people_walk_the_whole_way() -> Result<()> {
    let app = TestApp::start("browser").await?;
    let folder = app.operator.folder()?;
    let wishes = serde_json::json!({ "screenshots": folder.join("pages") });
    let command = app.operator.world.stack().journey(&app.url()?, &wishes)?;
    let output = run(command).await?;
    ensure!(output.code == Some(0), "{}\n{}", output.text, output.error);
    // The accounts were deleted at the end, and with them their projects.
    ensure!(app.count("select count(*) from users").await? == 0);
    app.operator.wait_all_gone().await
}
