//! No key and no password is ever told. In: every fault whose reply or error holds a secret, with the most talkative logs.
//! Out: log, Events, status and metrics without any of them. (Every other test of this suite ends with the same search.)

use acceptance::TestOperator;
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::case::{Case, TENANT};
use super::rules::{AFTER, BEFORE, LIST, URI, first, rule};

/// Replies that hold the password and cannot be understood, or errors that quote it.
fn traps(secret: &str) -> Vec<Value> {
    let quoted = format!("postgresql://neondb_owner:{secret}@ep-x.neon.tech/neondb is not valid");
    let says = |status: u16| json!({ "type": "reply", "status": status, "body": { "code": "", "message": quoted } });
    let wrong = json!({ "type": "reply", "status": 200, "body": { "uri": { "is": secret } } });
    let text = json!({ "type": "reply", "status": 200, "body": quoted });
    let bad = json!({ "uri": format!("postgresql://neondb_owner:{secret}@/neondb") });
    let bad = json!({ "type": "reply", "status": 200, "body": bad });
    let cut = json!({ "type": "truncate" });
    let mut traps: Vec<Value> = [says(500), says(429), wrong, text, bad]
        .into_iter()
        .map(|action| first(1, rule("GET", URI, BEFORE, action)))
        .collect();
    traps.push(first(1, rule("GET", URI, AFTER, cut.clone())));
    traps.push(first(1, rule("POST", LIST, AFTER, cut)));
    traps
}

async fn talkative(name: &str, format: &str) -> Result<()> {
    let setup = TestOperator::named(name).flag("--log-filter", "trace");
    let case = Case::with(setup.flag("--log-format", format)).await?;
    let secret = "npg_0123456789ab";
    let mut faults = Vec::new();
    for trap in traps(secret) {
        faults.push(case.fault(trap).await?);
    }
    case.begin().await?;
    // Some of the traps stop the tenant until a person acts: then it is looked at again.
    for round in 0..10 {
        let mut left = 0;
        for fault in &faults {
            left += u64::from(fault.hits().await? == 0);
        }
        if left == 0 {
            break;
        }
        case.resize(if round % 2 == 0 { "1" } else { "2" }).await?;
        case.wait_tenant(TENANT, "it was looked at", |tenant| {
            let status = tenant.status.as_ref();
            status.and_then(|s| s.observed_generation) == tenant.metadata.generation
        })
        .await?;
    }
    case.wait_ready(TENANT).await?;
    let events = format!("{:?}", case.events(TENANT).await?);
    let status = serde_json::to_string(&case.tenant(TENANT).await?)?;
    ensure!(case.log_text().len() > 10_000, "the log is not talkative");
    for (place, text) in [("log", case.log_text()), ("Event", events), ("status", status)] {
        ensure!(!text.contains(secret), "a {place} holds what Neon quoted");
    }
    case.ends_well().await
}

#[tokio::test]
async fn the_most_talkative_text_log_holds_no_secret() -> Result<()> {
    talkative("leaks-text", "text").await
}

#[tokio::test]
async fn the_most_talkative_json_log_holds_no_secret() -> Result<()> {
    talkative("leaks-json", "json").await
}
