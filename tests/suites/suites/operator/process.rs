//! The operator as a process: its pages, its signals, its log, and what never appears in any of them.
//!
//! In: requests, signals, tenants. Out: what a monitoring system, a kubelet and a reader of the log get to see.

use acceptance::{Fault, TestOperator, project_id, uid};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn metrics_have_their_names_and_count() -> Result<()> {
    let t = TestOperator::start("metrics").await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    t.wait_ready("acme").await?;
    // The pass that made it Ready is counted when it ends, a moment after its status is there.
    t.until("the pass is counted", None, async || {
        let ok = "tenantry_reconcile_duration_seconds_count{result=\"ok\"}";
        ensure!(t.metric(ok).await? >= 1.0, "not yet");
        Ok(())
    })
    .await?;
    let text = t.metrics().await?;
    for name in [
        "tenantry_operator_build_info{version=",
        "tenantry_reconcile_duration_seconds_bucket{",
        "tenantry_step_duration_seconds_bucket{",
        "tenantry_neon_request_duration_seconds_bucket{",
        "tenantry_time_to_ready_seconds_bucket{",
        "tenantry_events_total{reason=\"ProjectCreated\"} 1",
        "tenantry_events_lost_total 0",
        "tenantry_neon_key_accepted 1",
        "tenantry_tenants{condition=\"Ready\",status=\"True\"} 1",
        "tenantry_tenants{condition=\"Stalled\",status=\"False\"} 1",
    ] {
        let found = text.lines().any(|line| line.starts_with(name));
        let names: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        ensure!(found, "{name}: {names:#?}");
    }
    ensure!(text.trim_end().ends_with("# EOF"), "no OpenMetrics text: {text}");
    ensure!(!text.contains("acme"), "a tenant's name is a label: {text}");
    assert_eq!(t.metric("tenantry_time_to_ready_seconds_count").await?, 1.0);
    let created = "tenantry_step_duration_seconds_count{step=\"create_project\"}";
    assert_eq!(t.metric(created).await?, 1.0);
    Ok(())
}

#[tokio::test]
async fn a_good_key_is_ready_and_a_refused_one_is_not() -> Result<()> {
    let t = TestOperator::start("key-good").await?;
    for page in ["/livez", "/readyz"] {
        t.until(page, None, async || {
            let answer = t.page(page).await?;
            ensure!(answer == (200, "ok".to_owned()), "{answer:?}");
            Ok(())
        })
        .await?;
    }
    drop(t);
    let t = TestOperator::named("key-refused").env("NEON_API_KEY", "napi_wrong").start().await?;
    t.until("it is unready", None, async || {
        let (status, text) = t.page("/readyz").await?;
        ensure!(status == 503 && text.contains("API key"), "{status} {text}");
        Ok(())
    })
    .await?;
    assert_eq!(t.page("/livez").await?.0, 200);
    assert_eq!(t.metric("tenantry_neon_key_accepted").await?, 0.0);
    t.apply("acme", json!({})).await?;
    let stalled = t.wait_condition("acme", "Stalled", "True", "NeonUnauthorized").await?;
    ensure!(stalled.message.contains("API key"), "no remedy: {}", stalled.message);
    ensure!(!t.log_text().contains("napi_wrong"), "the key is in the log");
    Ok(())
}

#[tokio::test]
async fn the_key_may_come_from_a_file() -> Result<()> {
    let t = TestOperator::named("key-file").without_env("NEON_API_KEY").idle().start().await?;
    let file = t.folder()?.join("key");
    std::fs::write(&file, format!("{}\n", t.world.stack().neon_api_key()))?;
    t.set_flag("--neon-api-key-file", &file);
    t.begin().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    t.wait_ready("acme").await.map(drop)
}

/// A tenant whose creation Neon has carried out and not answered yet.
async fn creating(t: &TestOperator) -> Result<Fault> {
    let paused = t.apply("acme", json!({"paused": true, "vector": {"dimensions": 8}})).await?;
    let project = t.world.project_name(&uid(&paused));
    let rule = json!({
        "method": "POST", "path": "^/projects$", "phase": "after_commit", "action": {"type": "hold"},
    });
    let fault = t.neon.fault(&project, rule).await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    fault.wait_held(1).await?;
    Ok(fault)
}

#[tokio::test]
async fn the_first_signal_waits_for_the_step_in_hand() -> Result<()> {
    let t = TestOperator::start("sigterm").await?;
    let fault = creating(&t).await?;
    let operator = t.process();
    operator.terminate();
    t.until("it has heard the signal", None, async || {
        ensure!(t.log_text().contains("ending after what is in hand"), "not yet");
        Ok(())
    })
    .await?;
    ensure!(operator.is_running(), "it did not wait");
    fault.release().await?;
    let status = t.ended().await?;
    assert_eq!(status.code(), Some(0));
    // What it was told in its last moment is kept: the project is not asked for again.
    project_id(&t.tenant("acme").await?)?;
    t.begin().await?;
    t.wait_ready("acme").await?;
    assert_eq!(t.ledger().await?.count("create"), 1);
    t.assert_one_project_each().await
}

#[tokio::test]
async fn the_second_signal_does_not_wait() -> Result<()> {
    let t = TestOperator::start("sigterm-twice").await?;
    let fault = creating(&t).await?;
    let operator = t.process();
    operator.terminate();
    t.until("it has heard the signal", None, async || {
        ensure!(t.log_text().contains("ending after what is in hand"), "not yet");
        Ok(())
    })
    .await?;
    let status = t.end().await?;
    assert_eq!(status.code(), Some(130));
    fault.release().await?;
    t.begin().await?;
    t.wait_ready("acme").await?;
    t.assert_one_project_each().await?;
    assert_eq!(t.ledger().await?.count("create"), 1);
    Ok(())
}

#[tokio::test]
async fn an_idle_operator_ends_at_once() -> Result<()> {
    let t = TestOperator::start("sigterm-idle").await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    t.wait_ready("acme").await?;
    let status = t.end().await?;
    assert_eq!(status.code(), Some(0));
    // Whatever it had to tell was told before it ended.
    t.wait_event("acme", "Ready").await.map(drop)
}

#[tokio::test]
async fn json_logs_are_json() -> Result<()> {
    let t = TestOperator::named("json-logs").flag("--log-format", "json").start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    t.wait_ready("acme").await?;
    t.end().await?;
    let log = t.log_text();
    let mut told = Vec::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        for key in ["timestamp", "level", "message"] {
            ensure!(line[key].is_string(), "{line}");
        }
        if line["name"] == "acme" {
            told.push(line["reason"].as_str().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(told, ["ProjectCreated", "SchemaMigrated", "SecretWritten", "Ready"]);
    Ok(())
}

#[tokio::test]
async fn secrets_appear_in_no_log_event_status_or_metric() -> Result<()> {
    // The most that anybody could ask of the log.
    let t =
        TestOperator::named("secrets").resync(0.5).flag("--log-filter", "trace").start().await?;
    t.apply("acme", json!({"vector": {"dimensions": 8}})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    let first = t.binding("acme").await?;
    t.neon.on_project(&id, "reset_password", json!({})).await?;
    t.until("the Secret has the new password", Some("acme"), async || {
        ensure!(t.binding("acme").await?.data != first.data, "not yet");
        Ok(())
    })
    .await?;
    let second = t.binding("acme").await?;
    // An error on the way to the database and one of Neon are told, too.
    t.apply("other", json!({"secret": {"labels": {"a": "b"}}, "paused": true})).await?;
    let other = t.world.project_name(&uid(&t.tenant("other").await?));
    let deny = json!({
        "phase": "in_connection", "count": 2,
        "action": {"type": "deny", "message": "password authentication failed"},
    });
    t.neon.fault(&other, deny).await?.state().await?;
    t.apply("other", json!({})).await?;
    t.wait_ready("other").await?;
    t.delete("acme").await?;
    t.wait_gone("acme").await?;

    let mut secrets = vec![("the API key", t.world.stack().neon_api_key().to_owned())];
    for binding in [&first, &second, &t.binding("other").await?] {
        secrets.push(("a password", binding.get("password")?.to_owned()));
    }
    let mut places = vec![("metrics".to_owned(), t.metrics().await?)];
    for kind in ["events", "vt"] {
        let text = t.kubectl(&["get", kind, "-o", "yaml", "--show-managed-fields"]).await?;
        places.push((kind.to_owned(), text.success()?));
    }
    t.end().await?;
    for file in t.log_files() {
        places.push((file.display().to_string(), std::fs::read_to_string(&file)?));
    }
    for (place, text) in &places {
        ensure!(!text.is_empty(), "{place} is empty");
        for (what, secret) in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            ensure!(line.is_none(), "{what} is in {place}: {line:?}");
        }
    }
    Ok(())
}
