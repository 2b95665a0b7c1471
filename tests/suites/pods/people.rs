//! What people in a browser see, through TLS, a Service and two pods of the app.

use acceptance::{Space, run};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::installation::{Installation, TENANTS};

/// Two people at once sign up, upload, search, and delete their accounts.
pub(crate) async fn sign_up(it: &Installation) -> Result<()> {
    walk(it, "journey.mjs", json!({"provider": it.oidc.issuer, "patience": 180})).await
}

/// Somebody uploads, asks the real model, follows a citation, and deletes their account.
pub(crate) async fn chat(it: &Installation) -> Result<()> {
    let wishes = json!({
        "provider": it.oidc.issuer, "patience": 240, "users": ["Ada in a pod"], "brief": true,
    });
    walk(it, "chat.mjs", wishes).await
}

async fn walk(it: &Installation, script: &str, wishes: Value) -> Result<()> {
    let stack = it.world.stack();
    let command = tokio::task::block_in_place(|| stack.journey(script, &it.front.url, &wishes))?;
    let output = run(command).await?;
    ensure!(output.code == Some(0), "{}\n{}", output.text, output.error);
    // The accounts were deleted at the end, and with them their projects.
    Space::of(TENANTS).await?.wait_all_gone().await
}
