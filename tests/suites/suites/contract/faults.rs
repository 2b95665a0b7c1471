//! Every fault that the emulator can play, seen from outside: what the client gets, and what the ledger says really
//! happened. Tests of the operator stand on these.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::lab::{KEY, Lab, text};

fn create(name: &str) -> Value {
    json!({ "project": { "name": name } })
}

fn rule(phase: &str, action: Value) -> Value {
    json!({ "method": "POST", "path": "^/projects$", "phase": phase, "count": 1, "action": action })
}

async fn creates(lab: &Lab) -> Result<usize> {
    Ok(lab.ledger().await?.iter().filter(|(kind, _)| kind == "create").count())
}

#[tokio::test]
async fn replies_before_and_after_the_commit() -> Result<()> {
    let lab = Lab::start("contract/faults/replies", &[])?;
    let limited = json!({ "type": "reply", "status": 429, "headers": { "Retry-After": "2" } });
    lab.fault(rule("before_commit", limited)).await?;
    let refused = lab.post("/projects", create("a")).await?;
    ensure!(refused.headers.get("retry-after").is_some_and(|v| v == "2"));
    refused.expect_error(429, "too many requests")?;
    ensure!(creates(&lab).await? == 0);

    let page = "<!DOCTYPE html><html><title>524: A timeout occurred</title></html>";
    let html = json!({ "type": "reply", "status": 524, "body": page });
    let id = lab.fault(rule("after_commit", html)).await?;
    let reply = lab.send("POST", "/projects", Some(create("b")), Some(KEY)).await?;
    ensure!(reply.status == 524 && reply.body == json!(page));
    ensure!(
        reply
            .headers
            .get("content-type")
            .is_some_and(|v| v.to_str().is_ok_and(|v| v.starts_with("text/html")))
    );
    ensure!(creates(&lab).await? == 1, "it was committed");
    let fault = lab.control("GET", &format!("/faults/{id}"), None).await?;
    ensure!(fault["hits"] == 1 && fault["log"][0]["projects"][0] == "b", "{fault}");

    lab.fault(rule("before_auth", json!({ "type": "reply", "status": 401 }))).await?;
    lab.post("/projects", create("c")).await?.expect_error(401, "")?;
    lab.post("/projects", create("c")).await?.expect(201)?;
    Ok(())
}

#[tokio::test]
async fn a_held_reply_waits_for_its_release() -> Result<()> {
    let lab = Lab::start("contract/faults/hold", &[])?;
    let id = lab.fault(rule("after_commit", json!({ "type": "hold" }))).await?;
    let held = async {
        lab.wait_fault(id, "held", 1).await?;
        ensure!(creates(&lab).await? == 1, "held before the commit");
        lab.control("POST", &format!("/faults/{id}/release"), None).await
    };
    let (made, released) = tokio::join!(lab.project("t"), held);
    released?;
    ensure!(text(&made?, "/project/name")? == "t");
    Ok(())
}

#[tokio::test]
async fn a_client_that_goes_away_is_no_longer_held() -> Result<()> {
    let lab = Lab::start("contract/faults/away", &[])?;
    let id = lab.fault(rule("after_commit", json!({ "type": "hang" }))).await?;
    tokio::select! {
        reply = lab.project("t") => anyhow::bail!("an answer: {reply:?}"),
        held = lab.wait_fault(id, "held", 1) => drop(held?),
    }
    lab.until("nothing is held", async || {
        let fault = lab.control("GET", &format!("/faults/{id}"), None).await?;
        Ok((fault["held"] == 0).then_some(()))
    })
    .await?;
    ensure!(creates(&lab).await? == 1);
    Ok(())
}

#[tokio::test]
async fn a_commit_comes_after_the_answer() -> Result<()> {
    let lab = Lab::start("contract/faults/late", &[])?;
    let late = json!({ "type": "late_commit", "millis": 300, "status": 504 });
    lab.fault(rule("before_commit", late)).await?;
    lab.send("POST", "/projects", Some(create("t")), Some(KEY)).await?.expect(504)?;
    let list = lab.get("/projects?search=t").await?.expect(200)?;
    ensure!(list["projects"] == json!([]), "it is there before its time");
    lab.until("it is committed", async || Ok((creates(&lab).await? == 1).then_some(()))).await?;
    ensure!(lab.get("/projects?search=t").await?.expect(200)?["projects"][0]["name"] == "t");
    Ok(())
}

#[tokio::test]
async fn connections_are_reset_and_replies_cut_short() -> Result<()> {
    let lab = Lab::start("contract/faults/reset", &[])?;
    for (action, name) in
        [(json!({ "type": "reset" }), "a"), (json!({ "type": "truncate", "bytes": 40 }), "b")]
    {
        lab.fault(rule("after_commit", action)).await?;
        let failed = lab.send("POST", "/projects", Some(create(name)), Some(KEY)).await;
        let error = failed.err().context("a whole answer")?;
        ensure!(error.is::<reqwest::Error>(), "{error:#}");
    }
    lab.fault(rule("before_commit", json!({ "type": "reset" }))).await?;
    ensure!(lab.send("POST", "/projects", Some(create("c")), Some(KEY)).await.is_err());
    ensure!(creates(&lab).await? == 2);
    Ok(())
}

#[tokio::test]
async fn lists_are_stale_or_incomplete() -> Result<()> {
    let lab = Lab::start("contract/faults/lists", &[])?;
    let id = text(&lab.project("t").await?, "/project/id")?;
    let on_list = |action: Value| json!({ "method": "GET", "path": "^/projects$", "phase": "before_commit", "count": 1, "action": action });
    lab.fault(on_list(json!({ "type": "stale_list", "millis": 600_000 }))).await?;
    ensure!(lab.get("/projects").await?.expect(200)?["projects"] == json!([]));
    lab.fault(on_list(json!({ "type": "unavailable", "project_ids": [id] }))).await?;
    let partial = lab.get("/projects").await?.expect(200)?;
    ensure!(partial["projects"] == json!([]) && partial["unavailable_project_ids"] == json!([id]));
    ensure!(lab.get("/projects").await?.expect(200)?["projects"][0]["id"] == json!(id));
    lab.set(json!({ "list_lag_millis": 600_000 })).await?;
    ensure!(lab.get("/projects").await?.expect(200)?["projects"] == json!([]));
    lab.get(&format!("/projects/{id}")).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn operations_fail_stick_or_are_unknown() -> Result<()> {
    let lab = Lab::start("contract/faults/operations", &[])?;
    let in_operation = |action: Value| rule("in_operation", action);
    let compute =
        |outcome: &str| json!({ "type": "operation", "only": "start_compute", "outcome": outcome });
    lab.fault(in_operation(compute("failed"))).await?;
    let failed = lab.project("failed").await?;
    let project = format!("/projects/{}", text(&failed, "/project/id")?);
    let read = lab.get(&format!("{project}/operations")).await?.expect(200)?;
    ensure!(
        read["operations"][0]["status"] == "failed" && read["operations"][0]["error"].is_string(),
        "{read}"
    );
    ensure!(read["operations"][1]["status"] == "finished");
    let endpoint = lab.get(&format!("{project}/endpoints")).await?.expect(200)?;
    ensure!(endpoint["endpoints"][0]["current_state"] == "init", "{endpoint}");

    lab.fault(in_operation(compute("stuck"))).await?;
    let stuck = lab.project("stuck").await?;
    let project = format!("/projects/{}", text(&stuck, "/project/id")?);
    lab.patch(&project, json!({ "project": { "history_retention_seconds": 0 } }))
        .await?
        .expect_error(423, "running")?;
    let operation = text(&stuck, "/operations/1/id")?;
    let finished = Some(json!({ "outcome": "finished" }));
    lab.control("POST", &format!("/operations/{operation}"), finished).await?;
    let endpoint = lab.get(&format!("{project}/endpoints")).await?.expect(200)?;
    ensure!(endpoint["endpoints"][0]["current_state"] == "active");

    let unknown =
        json!({ "type": "operation", "only": "create_timeline", "action": "tenant_levitate" });
    lab.fault(in_operation(unknown)).await?;
    let reply =
        lab.send("POST", "/projects", Some(create("unknown")), Some(KEY)).await?.expect(201)?;
    ensure!(reply["operations"][0]["action"] == "tenant_levitate");
    Ok(())
}

#[tokio::test]
async fn probability_repeats_with_its_seed() -> Result<()> {
    let mut runs = Vec::new();
    for run in ["one", "two"] {
        let lab = Lab::start(&format!("contract/faults/seed-{run}"), &[])?;
        let action = json!({ "type": "reply", "status": 503 });
        lab.fault(
            json!({ "phase": "before_commit", "probability": 0.5, "seed": 11, "action": action }),
        )
        .await?;
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(lab.get("/regions").await?.status);
        }
        ensure!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
        runs.push(statuses);
    }
    ensure!(runs[0] == runs[1], "{runs:?}");
    Ok(())
}

#[tokio::test]
async fn tenant_connections_are_denied_refused_and_cut() -> Result<()> {
    let lab = Lab::start("contract/faults/connections", &[])?;
    let made = lab.project("t").await?;
    let uri = text(&made, "/connection_uris/0/connection_uri")?;
    let id = text(&made, "/project/id")?;
    let connection = |action: Value| json!({ "phase": "in_connection", "method": "DIRECT", "project": "t", "count": 1, "action": action });
    lab.fault(connection(json!({ "type": "refuse" }))).await?;
    ensure!(lab.psql(&uri, "select 1").await?.is_err());
    lab.fault(connection(json!({ "type": "deny", "message": "Couldn't connect to compute node" })))
        .await?;
    let denied = lab.psql(&uri, "select 1").await?.err().context("no error")?;
    ensure!(denied.contains("Couldn't connect to compute node"), "{denied}");
    lab.fault(connection(json!({ "type": "cut", "millis": 100 }))).await?;
    ensure!(lab.psql(&uri, "select pg_sleep(20)").await?.is_err());
    let held = lab.fault(connection(json!({ "type": "hold" }))).await?;
    let release = async {
        lab.wait_fault(held, "held", 1).await?;
        lab.control("POST", &format!("/faults/{held}/release"), None).await
    };
    let (answer, released) = tokio::join!(lab.psql(&uri, "select 1"), release);
    released?;
    ensure!(answer? == Ok("1".to_owned()));

    let endpoint = text(&lab.endpoint(&id).await?, "/endpoint_id")?;
    let act =
        async |act: &str| lab.control("POST", &format!("/endpoints/{endpoint}/{act}"), None).await;
    act("refuse").await?;
    lab.until("the port refuses", async || {
        let refused = lab.psql(&uri, "select 1").await?.err().unwrap_or_default();
        Ok(refused.contains("Connection refused").then_some(()))
    })
    .await?;
    act("accept").await?;
    lab.until("the port answers", async || {
        Ok(lab.psql(&uri, "select 1").await?.is_ok().then_some(()))
    })
    .await?;
    act("disable").await?;
    let disabled = lab.psql(&uri, "select 1").await?.err().context("no error")?;
    ensure!(disabled.contains("endpoint is disabled"), "{disabled}");
    act("enable").await?;
    act("rehost").await?;
    let path = format!("/projects/{id}/connection_uri?database_name=neondb&role_name=neondb_owner");
    let moved = text(&lab.get(&path).await?.expect(200)?, "/uri")?;
    ensure!(moved != uri && lab.psql(&moved, "select 1").await? == Ok("1".to_owned()));
    Ok(())
}
