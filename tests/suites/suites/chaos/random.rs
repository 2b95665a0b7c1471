//! Twenty tenants come and go while the operator is killed ten times, at random moments. In: a seed (`TENANTRY_SEED` replays
//! one). Out: everything converges; no orphan, no duplicate, no project made twice; every Ready tenant's Secret logs in.

use std::collections::BTreeMap;
use std::time::Duration;

use acceptance::{TestOperator, wait_until};
use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use serde_json::json;

use super::case::nothing_leaked;

const TENANTS: u64 = 20;
const KILLS: usize = 10;

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

fn seed() -> Result<u64> {
    match std::env::var("TENANTRY_SEED") {
        Ok(text) => text.parse().context("TENANTRY_SEED is not a number"),
        Err(_) => Ok(u64::from_str_radix(&stack::paths::random_hex(4)?, 16)?),
    }
}

/// One random act of the users: a tenant comes, changes, or goes.
async fn act(t: &TestOperator, dice: &mut Dice) -> Result<()> {
    let name = format!("tenant-{:02}", dice.below(TENANTS));
    let (chance, size) = (dice.below(100), dice.below(4) + 1);
    match t.tenants().get_opt(&name).await? {
        Some(tenant) if tenant.metadata.deletion_timestamp.is_some() => Ok(()),
        Some(_) if chance < 35 => t.delete(&name).await,
        Some(_) | None => {
            let spec = json!({"autoscaling": {"min": "0.25", "max": size.to_string()}});
            t.apply(&name, spec).await.map(drop)
        }
    }
}

/// Attempts of calls to Neon by the newest process.
async fn calls(t: &TestOperator) -> Result<u64> {
    let text = t.metrics().await?;
    let lines = text.lines().filter_map(|line| {
        line.strip_prefix("tenantry_neon_request_duration_seconds_count")?.rsplit_once(' ')
    });
    lines.map(|(_, value)| Ok(value.parse::<f64>()? as u64)).sum()
}

/// Kills the process after so many more calls to Neon; where it has nothing to do, at once.
async fn kill_after(t: &TestOperator, more: u64) -> Result<()> {
    let begin = calls(t).await?;
    let reached = wait_until("the moment to die", Duration::from_secs(5), async || {
        let now = calls(t).await?;
        ensure!(now >= begin + more, "{now} calls");
        Ok(())
    })
    .await;
    println!("  killed after {more} more calls{}", if reached.is_ok() { "" } else { ", idle" });
    t.kill9();
    Ok(())
}

/// Every tenant is Ready and can be used, or gone.
async fn converge(t: &TestOperator) -> Result<usize> {
    let tenants = t.list().await?;
    let mut ready = 0;
    for tenant in tenants {
        let name = tenant.name_any();
        if tenant.metadata.deletion_timestamp.is_some() {
            t.wait_gone(&name).await?;
            continue;
        }
        let tenant = t.wait_ready(&name).await?;
        let mut session = t.binding(&name).await?.connect().await?;
        sqlx::query("select count(*) from embeddings").execute(&mut session).await?;
        let live = tenant.status.as_ref().and_then(|status| status.settings.clone());
        let max = tenant.spec.autoscaling.max.clone();
        let live = live.context("no live settings")?.autoscaling_max;
        ensure!(live == max, "{name} has {live}, not {max}");
        ready += 1;
    }
    Ok(ready)
}

#[tokio::test]
async fn twenty_tenants_come_and_go_while_the_operator_is_killed_ten_times() -> Result<()> {
    let seed = seed()?;
    println!("TENANTRY_SEED={seed} replays this run");
    let mut dice = Dice(seed);
    // A creation that was in the air at a kill may take its time on a busy machine: the grace must be longer.
    let t = TestOperator::named("random").create_grace(15.0).start().await?;
    for _ in 0..KILLS {
        for _ in 0..12 {
            act(&t, &mut dice).await?;
        }
        kill_after(&t, dice.below(40)).await?;
        for _ in 0..dice.below(4) {
            act(&t, &mut dice).await?;
        }
        t.begin().await?;
    }
    let ready = converge(&t).await.with_context(|| format!("TENANTRY_SEED={seed}"))?;
    t.assert_one_project_each().await.with_context(|| format!("TENANTRY_SEED={seed}"))?;
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for entry in t.ledger().await?.entries.iter().filter(|entry| entry.kind == "create") {
        *made.entry(entry.name.clone()).or_default() += 1;
    }
    println!("  {} tenants came, {ready} are Ready", made.len());
    ensure!(ready > 0 && made.len() > ready, "nothing came or nothing went");
    ensure!(made.values().all(|count| *count == 1), "made twice (seed {seed}): {made:?}");
    for tenant in t.list().await? {
        t.delete(&tenant.name_any()).await?;
    }
    converge(&t).await.with_context(|| format!("TENANTRY_SEED={seed}"))?;
    ensure!(t.ledger().await?.standing.is_empty(), "orphans (seed {seed})");
    nothing_leaked(&t).await
}
