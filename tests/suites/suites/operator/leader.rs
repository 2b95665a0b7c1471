//! Several operators beside each other: one works, the others stand by.
//!
//! In: operators with a Lease of four seconds; one of them ends, is killed, stands still, or loses its way to the API server.
//! Out: never two at work, soon another at work, nothing made twice.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acceptance::{PATIENCE, TestOperator, wait_until};
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;
use stack::Child;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LEASE: &str = "tenantry-operator";
const SECONDS: u64 = 4;

/// Two operators with one Lease, of which the first leads.
async fn pair(name: &str) -> Result<(TestOperator, Child, Child)> {
    let t = prepared(name).await?;
    let first = t.begin().await?;
    leads(&t, &first).await?;
    let second = t.begin().await?;
    Ok((t, first, second))
}

async fn prepared(name: &str) -> Result<TestOperator> {
    let seconds = SECONDS.to_string();
    let setup = TestOperator::named(name).flag("--leader-election", "true");
    let t = setup.flag("--lease-seconds", &seconds).idle().start().await?;
    t.set_flag("--lease-namespace", &t.namespace);
    Ok(t)
}

async fn sample(t: &TestOperator, process: &Child, sample: &str) -> Result<f64> {
    let (status, text) = t.page_of(process, "/metrics").await?;
    ensure!(status == 200, "/metrics answered {status}");
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {sample}"))?.trim().parse()?)
}

async fn leads(t: &TestOperator, process: &Child) -> Result<()> {
    t.until("it leads", None, async || {
        ensure!(sample(t, process, "tenantry_leader").await? == 1.0, "it stands by");
        Ok(())
    })
    .await
}

async fn lease(t: &TestOperator) -> Result<Lease> {
    let leases: Api<Lease> = Api::namespaced(t.client.clone(), &t.namespace);
    Ok(leases.get(LEASE).await?)
}

async fn made_and_ready(t: &TestOperator, name: &str) -> Result<()> {
    t.apply(name, json!({"vector": {"dimensions": 8}})).await?;
    t.wait_ready(name).await.map(drop)
}

#[tokio::test]
async fn the_second_stands_by_ready_and_takes_over_when_the_first_ends() -> Result<()> {
    let (t, first, second) = pair("leader-pair").await?;
    made_and_ready(&t, "a").await?;
    let (status, text) = t.page_of(&second, "/readyz").await?;
    ensure!((status, text.as_str()) == (200, "ok"), "who stands by is ready: {status} {text}");
    assert_eq!(sample(&t, &second, "tenantry_leader").await?, 0.0);
    let worked = sample(&t, &second, "tenantry_time_to_ready_seconds_count").await?;
    assert_eq!(worked, 0.0, "only the leader works");

    first.terminate();
    leads(&t, &second).await?;
    ensure!(first.wait(Duration::from_secs(20))?.success(), "it ended as it was told");
    ensure!(first.log_text().contains("the lease is released"), "{}", first.log_text());
    made_and_ready(&t, "b").await?;
    let spec = lease(&t).await?.spec.context("spec")?;
    assert_eq!(spec.lease_transitions, Some(1));
    t.assert_one_project_each().await
}

#[tokio::test]
async fn a_killed_leader_is_replaced_once_its_lease_has_run_out() -> Result<()> {
    let (t, first, second) = pair("leader-killed").await?;
    for number in 0..6 {
        t.apply(&format!("tenant-{number}"), json!({"vector": {"dimensions": 8}})).await?;
    }
    t.until("it is in the middle of it", None, async || {
        ensure!(!t.ledger().await?.standing.is_empty(), "nothing is there yet");
        Ok(())
    })
    .await?;
    first.kill9();
    leads(&t, &second).await?;
    t.wait_all_ready(6).await?;
    t.assert_one_project_each().await
}

#[tokio::test]
async fn a_leader_that_stood_still_ends_itself_when_it_wakes() -> Result<()> {
    let (t, first, second) = pair("leader-still").await?;
    made_and_ready(&t, "a").await?;
    first.signal(stack::Signal::STOP);
    leads(&t, &second).await?;
    made_and_ready(&t, "b").await?;
    first.signal(stack::Signal::CONT);
    let status = first.wait(Duration::from_secs(20))?;
    assert_eq!(status.code(), Some(1), "{}", first.log_text());
    ensure!(first.log_text().contains("the lease is lost"), "{}", first.log_text());
    t.assert_one_project_each().await
}

#[tokio::test]
async fn a_leader_that_is_cut_off_ends_before_another_begins() -> Result<()> {
    let t = prepared("leader-cut-off").await?;
    let way = Way::to_the_api_server(&t).await?;
    t.set_flag("--kubeconfig", &way.kubeconfig);
    let first = t.begin().await?;
    leads(&t, &first).await?;
    t.set_flag("--kubeconfig", t.world.stack().operator_kubeconfig());
    let second = t.begin().await?;
    made_and_ready(&t, "a").await?;

    way.cut().await;
    // Looked at in this order: at no time does the second lead while the first is still there.
    wait_until("the first ends", Duration::from_secs(20), async || {
        let leading = sample(&t, &second, "tenantry_leader").await?;
        let runs = first.is_running();
        assert!(!(runs && leading == 1.0 && first.is_running()), "two at work");
        ensure!(!runs, "it runs");
        Ok(())
    })
    .await?;
    assert_eq!(first.wait(Duration::from_secs(1))?.code(), Some(1));
    leads(&t, &second).await?;
    made_and_ready(&t, "b").await?;
    t.assert_one_project_each().await
}

#[tokio::test]
async fn an_operator_that_waits_for_the_lease_ends_when_it_is_told() -> Result<()> {
    let (t, first, second) = pair("leader-waiting").await?;
    second.terminate();
    ensure!(second.wait(Duration::from_secs(20))?.success(), "{}", second.log_text());
    assert_eq!(sample(&t, &first, "tenantry_leader").await?, 1.0);
    let transitions = sample(&t, &first, "tenantry_leader_transitions_total").await?;
    assert_eq!(transitions, 1.0);
    Ok(())
}

#[tokio::test]
async fn without_word_of_the_lease_it_is_not_ready_and_says_why() -> Result<()> {
    let t = prepared("leader-unheard").await?;
    t.set_flag("--lease-namespace", "there-is-no-such-namespace");
    t.begin().await?;
    t.until("the log says it", None, async || {
        ensure!(t.log_text().contains("no word of the lease"), "it does not");
        Ok(())
    })
    .await?;
    let (status, text) = t.page("/readyz").await?;
    ensure!(status == 503 && text.contains("leases"), "{status}: {text}");
    ensure!(t.end().await?.success(), "{}", t.log_text());
    Ok(())
}

#[tokio::test]
async fn an_operator_whose_api_server_hangs_ends_when_it_is_told() -> Result<()> {
    let t = prepared("leader-hangs").await?;
    let way = Way::to_nowhere(&t).await?;
    t.set_flag("--kubeconfig", &way.kubeconfig);
    let command = t.command()?;
    let child = t.world.stack().spawn("operator-leader-hangs", &command)?;
    wait_until("it has asked", PATIENCE, async || {
        ensure!(way.asked.load(Ordering::Relaxed) > 0, "not yet");
        Ok(())
    })
    .await?;
    child.terminate();
    let ended = tokio::task::spawn_blocking(move || child.wait(Duration::from_secs(20))).await??;
    ensure!(ended.success(), "it ended with {ended}");
    Ok(())
}

/// A way to the API server that can be cut.
struct Way {
    kubeconfig: PathBuf,
    /// Connections that were taken.
    asked: Arc<AtomicUsize>,
    carrying: JoinHandle<()>,
}

impl Way {
    async fn to_the_api_server(t: &TestOperator) -> Result<Self> {
        Self::of(t, true).await
    }

    /// Connections are taken, and nobody answers.
    async fn to_nowhere(t: &TestOperator) -> Result<Self> {
        Self::of(t, false).await
    }

    async fn of(t: &TestOperator, is_open: bool) -> Result<Self> {
        let text = fs::read_to_string(t.world.stack().operator_kubeconfig())?;
        let mut config: serde_json::Value = serde_saphyr::from_str(&text)?;
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let target = server.as_str().and_then(|url| url.strip_prefix("https://"));
        let target = target.context("the server's address")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        *server = json!(format!("https://{}", listener.local_addr()?));
        let kubeconfig = t.folder()?.join("way.kubeconfig");
        fs::write(&kubeconfig, serde_json::to_vec(&config)?)?;
        let asked = Arc::<AtomicUsize>::default();
        let counted = asked.clone();
        let carrying = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let target = target.clone();
                connections.spawn(async move {
                    if !is_open {
                        return std::future::pending().await;
                    }
                    let mut far = TcpStream::connect(&target).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Ok(Self { kubeconfig, asked, carrying })
    }

    /// Every connection is gone, and no new one is taken.
    async fn cut(self) {
        self.carrying.abort();
        let _ = self.carrying.await;
    }
}
