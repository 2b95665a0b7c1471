//! A rolling update of both programs while people and pipelines are at work, and back again.
//!
//! In: people who ask without pause, tenants that are applied without pause. Out: not one request failed, and no project was made twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use acceptance::{PATIENCE, Person, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::installation::{Installation, RELEASE, SYSTEM};

/// So many people ask at once.
const PEOPLE: usize = 4;

#[derive(Default)]
struct Load {
    over: AtomicBool,
    requests: AtomicUsize,
    tenants: AtomicUsize,
}

pub(crate) async fn under_load(it: &Installation) -> Result<()> {
    let load = Arc::new(Load::default());
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let person = it.person(&format!("roller{number}")).await?;
        wait_until("their database is ready", PATIENCE, async || {
            person.get("/api/chat").await?.expect(200).map(drop)
        })
        .await?;
        people.spawn(browse(person, load.clone()));
    }
    let before = pods(it).await?;
    let updated = async {
        let updated = update(it, &load).await;
        load.over.store(true, Ordering::Relaxed);
        updated
    };
    let (updated, declared) = tokio::join!(updated, declare(it, &load));
    updated?;
    declared?;
    let asked = people.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let after = pods(it).await?;
    ensure!(before.iter().all(|pod| !after.contains(pod)), "{before:?} became {after:?}");
    let (requests, tenants) =
        (load.requests.load(Ordering::Relaxed), load.tenants.load(Ordering::Relaxed));
    println!("   {requests} requests, {tenants} tenants while two updates went over the pods");
    ensure!(requests > 100 && tenants > 2, "that was no load");
    it.platform.wait_all_ready(tenants).await?;
    it.platform.assert_one_project_each().await?;
    for person in asked {
        person.post("/account/delete", &[("confirm", "delete")]).await?;
    }
    for number in 0..tenants {
        it.platform.delete(&format!("rolled-{number}")).await?;
    }
    it.platform.wait_all_gone().await
}

/// There and back.
async fn update(it: &Installation, load: &Load) -> Result<()> {
    wait_until("people are at work", PATIENCE, async || {
        ensure!(load.requests.load(Ordering::Relaxed) > 20, "not yet");
        Ok(())
    })
    .await?;
    let mark = ["operator.podAnnotations.update=second", "app.podAnnotations.update=second"];
    it.helm_upgrade(&mark).await?;
    let mut helm = it.helm();
    helm.args(["rollback", RELEASE, "--wait", "--timeout", "180s"]);
    acceptance::run(helm).await?.success().map(drop)
}

/// One tenant after the other, until it is over.
async fn declare(it: &Installation, load: &Load) -> Result<()> {
    while !load.over.load(Ordering::Relaxed) {
        let name = format!("rolled-{}", load.tenants.fetch_add(1, Ordering::Relaxed));
        it.platform.apply(&name, json!({"vector": {"dimensions": 8}})).await?;
        it.platform.wait_ready(&name).await?;
    }
    Ok(())
}

/// Page after page, until it is over. Each answer must be a whole one.
async fn browse(person: Person, load: Arc<Load>) -> Result<Person> {
    while !load.over.load(Ordering::Relaxed) {
        for path in ["/documents", "/account", "/chat", "/api/chat"] {
            let answer = person.page(path).await.with_context(|| format!("GET {path}"))?;
            ensure!(answer.status == 200, "GET {path} answered {}", answer.status);
            load.requests.fetch_add(1, Ordering::Relaxed);
        }
        // People read what they see; without a pause this would measure two processors.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(person)
}

/// Names of the pods that are to stay.
async fn pods(it: &Installation) -> Result<Vec<String>> {
    let pods = it.get(&["--namespace", SYSTEM, "pods"]).await?;
    let all = pods["items"].as_array().context("items")?;
    let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().map(ToOwned::to_owned);
    all.iter().filter(stays).map(|pod| name(pod).context("a name")).collect()
}
