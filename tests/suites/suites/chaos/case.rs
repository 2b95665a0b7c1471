//! One tenant on its way through a fault.
//!
//! In: an operator that has not started yet, so that rules can be laid out for a project that does not exist yet: its name is
//! known, because it is made from the tenant's UID. Out: the proof at the end, the same for every fault: it converges,
//! exactly one project was made, the Secret logs in, after the deletion nothing stands, and no secret was told.

use std::ops::Deref;
use std::time::Duration;

use acceptance::{Fault, Setup, TestOperator, project_id, uid};
use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

/// The tenant's name.
pub(super) const TENANT: &str = "acme";

/// A tenant, its operator, and the name of its project.
pub(super) struct Case {
    pub(super) t: TestOperator,
    pub(super) project: String,
}

impl Deref for Case {
    type Target = TestOperator;

    fn deref(&self) -> &TestOperator {
        &self.t
    }
}

impl Case {
    /// A tenant that nobody has looked at yet.
    pub(super) async fn new(name: &str) -> Result<Self> {
        Self::with(TestOperator::named(name)).await
    }

    /// The same, with an operator of its own kind.
    pub(super) async fn with(setup: Setup) -> Result<Self> {
        let t = setup.idle().start().await?;
        let tenant = t.apply(TENANT, json!({})).await?;
        let project = t.world.project_name(&uid(&tenant));
        Ok(Self { t, project })
    }

    /// A tenant that is Ready.
    pub(super) async fn ready(setup: Setup) -> Result<Self> {
        let case = Self::with(setup).await?;
        case.begin().await?;
        case.wait_ready(TENANT).await?;
        Ok(case)
    }

    /// Adds a rule that meets this tenant's project only.
    pub(super) async fn fault(&self, rule: Value) -> Result<Fault> {
        self.neon.fault(&self.project, rule).await
    }

    /// Starts the operator, kills it while the rule holds a call of its, and starts it again.
    pub(super) async fn begin_and_kill_at(&self, rule: Value) -> Result<()> {
        let fault = self.fault(rule).await?;
        self.begin().await?;
        self.kill_held(&fault).await
    }

    /// Kills the operator once the rule holds a call of its, and starts it again.
    pub(super) async fn kill_held(&self, fault: &Fault) -> Result<()> {
        fault.wait_held(1).await?;
        self.kill9();
        fault.release().await?;
        self.begin().await.map(drop)
    }

    /// Id of the project that the tenant is bound to.
    pub(super) async fn id(&self) -> Result<String> {
        project_id(&self.tenant(TENANT).await?)
    }

    /// Id of the one project that stands.
    pub(super) async fn standing_id(&self) -> Result<String> {
        let standing = self.ledger().await?.standing;
        ensure!(standing.len() == 1, "{standing:?}");
        Ok(standing[0].project_id.clone())
    }

    /// How often something was committed for this tenant.
    pub(super) async fn commits(&self, kind: &str) -> Result<usize> {
        Ok(self.ledger().await?.count(kind))
    }

    /// The tenant's spec gets another size of compute, so that the operator looks at it.
    pub(super) async fn resize(&self, max: &str) -> Result<()> {
        let spec = json!({"spec": {"autoscaling": {"min": "0.25", "max": max}}});
        self.patch(TENANT, spec).await.map(drop)
    }

    /// The Secret leads to a database that has the schema.
    pub(super) async fn logs_in(&self, name: &str) -> Result<()> {
        let mut session = self.binding(name).await?.connect().await?;
        let sql = "select count(*) from embeddings";
        let (rows,): (i64,) = sqlx::query_as(sql).fetch_one(&mut session).await?;
        ensure!(rows == 0);
        Ok(())
    }

    /// Ready, with one project that was made once; then deleted, without a rest.
    pub(super) async fn ends_well(&self) -> Result<()> {
        self.ends_well_after(1).await
    }

    /// The same, after so many creations.
    pub(super) async fn ends_well_after(&self, creations: usize) -> Result<()> {
        self.wait_ready(TENANT).await?;
        self.logs_in(TENANT).await?;
        self.assert_one_project_each().await?;
        let made = self.commits("create").await?;
        ensure!(made == creations, "{made} projects were made, not {creations}");
        self.delete(TENANT).await?;
        self.ends_gone().await
    }

    /// The tenant's deletion comes to its end, and nothing is left.
    pub(super) async fn ends_gone(&self) -> Result<()> {
        self.nothing_leaked().await?;
        self.wait_gone(TENANT).await?;
        let standing = self.ledger().await?.standing;
        ensure!(standing.is_empty(), "orphans: {standing:?}");
        self.nothing_leaked().await
    }

    /// Neither log, Event, status nor metric shows a key or a password that there ever was.
    pub(super) async fn nothing_leaked(&self) -> Result<()> {
        nothing_leaked(&self.t).await
    }
}

/// Neither log, Event, status nor metric of this operator shows a key or a password that there ever was.
pub(super) async fn nothing_leaked(t: &TestOperator) -> Result<()> {
    let known = t.neon.control(Method::GET, "/secrets", None).await?;
    let known = known["secrets"].as_array().context("secrets")?;
    ensure!(known.len() > 1, "the emulator knows of no password");
    let tenants = serde_json::to_string(&t.list().await?)?;
    let events = t.kubectl(&["get", "events", "--output", "json"]).await?.success()?;
    // A process that was killed just now has no page.
    let metrics = t.metrics().await.unwrap_or_default();
    let told = [("log", t.log_text()), ("status", tenants), ("Event", events), ("metric", metrics)];
    for secret in known.iter().filter_map(Value::as_str) {
        for (place, text) in &told {
            ensure!(!text.contains(secret), "a {place} holds a secret");
        }
    }
    Ok(())
}

/// When a rule acted, one time a call.
pub(super) async fn times(fault: &Fault) -> Result<Vec<Timestamp>> {
    let state = fault.state().await?;
    let log = state["log"].as_array().context("log")?;
    let time = |hit: &Value| Ok(hit["time"].as_str().context("time")?.parse()?);
    log.iter().map(time).collect()
}

/// From the first to the last time.
pub(super) fn span(times: &[Timestamp]) -> Duration {
    match times {
        [first, .., last] => last.duration_since(*first).unsigned_abs(),
        _ => Duration::ZERO,
    }
}
