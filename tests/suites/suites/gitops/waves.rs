//! Waves: what depends on a tenant is applied only when the operator has made that tenant Ready, at this revision.
//!
//! In: the example's own production, and tenants that nobody has looked at, that are of an older spec, or that need a
//! person. Out: waves that wait, waves that fail at once, and waves that go on when the cause is gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use acceptance::{TestOperator, condition};
use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::examples;
use super::flux::Flux;

/// Names of the two waves in examples/gitops/flux/production.yaml.
const WAVES: [&str; 2] = ["tenants-production-pilot", "tenants-production-customers"];

async fn names(t: &TestOperator) -> Result<Vec<String>> {
    let all = t.list().await?.into_iter().filter_map(|tenant| tenant.metadata.name);
    Ok(all.collect())
}

#[tokio::test]
async fn customers_wait_for_the_pilot_from_its_very_first_second() -> Result<()> {
    let t = TestOperator::named("gitops-waves").idle().start().await?;
    let Some(flux) = Flux::start("waves", &t).await? else { return Ok(()) };
    let [pilot, customers] = WAVES;
    let mut files = examples::files(&t.namespace)?;
    flux.push(&files).await?;
    for mut wave in examples::kustomizations("production.yaml", &t.namespace)? {
        // The controller takes no time-out below half a minute.
        for (key, value) in [("interval", "2s"), ("retryInterval", "1s"), ("timeout", "30s")] {
            wave["spec"][key] = json!(value);
        }
        flux.add(wave).await?;
    }
    // No operator has looked at the pilot yet: the wave runs into its time-out instead of passing.
    let text = flux.wait_unready(pilot, "HealthCheckFailed").await?;
    ensure!(text.contains("pilot") && text.contains("InProgress"), "{text}");
    let seen = t.status("pilot").await?;
    ensure!(seen.observed_generation == Some(-1) && seen.conditions.is_empty(), "{seen:?}");
    flux.wait_unready(customers, "DependencyNotReady").await?;
    assert_eq!(names(&t).await?, ["pilot"]);

    t.begin().await?;
    flux.wait_ready(pilot).await?;
    flux.wait_ready(customers).await?;
    t.wait_all_ready(3).await?;
    t.assert_one_project_each().await?;

    // A newer commit that the operator has not seen blocks the next wave again, although the pilot still says Ready.
    t.end().await?;
    for (file, old, new) in [
        ("base/pilot.yaml", "max: \"1\"", "max: \"2\""),
        ("overlays/production/customers/acme.yaml", "max: \"8\"", "max: \"4\""),
    ] {
        let text = files.get_mut(&format!("examples/gitops/{file}")).context(file)?;
        ensure!(text.contains(old), "{file} lacks {old}");
        *text = text.replace(old, new);
    }
    flux.push(&files).await?;
    let text = flux.wait_unready(pilot, "HealthCheckFailed").await?;
    ensure!(text.contains("InProgress"), "{text}");
    assert_eq!(condition(&t.tenant("pilot").await?, "Ready")?.status, "True");
    flux.wait_unready(customers, "DependencyNotReady").await?;
    assert_eq!(t.tenant("acme").await?.spec.autoscaling.max, "8");
    t.begin().await?;
    flux.wait_ready(customers).await?;
    assert_eq!(t.tenant("acme").await?.spec.autoscaling.max, "4");
    Ok(())
}

#[tokio::test]
async fn a_stalled_tenant_fails_its_wave_at_once() -> Result<()> {
    let t = TestOperator::start("gitops-stalled").await?;
    let Some(flux) = Flux::start("stalled", &t).await? else { return Ok(()) };
    let foreign = json!({"metadata": {"name": "acme-postgres"}, "stringData": {"a": "b"}});
    t.secrets().create(&PostParams::default(), &serde_json::from_value(foreign)?).await?;
    let files = BTreeMap::from([
        ("first/acme.yaml".to_owned(), examples::tenant(&t.namespace, "acme", "{}")),
        ("second/globex.yaml".to_owned(), examples::tenant(&t.namespace, "globex", "{}")),
    ]);
    flux.push(&files).await?;
    flux.follow("first", "first", json!({"timeout": "10m"})).await?;
    flux.follow("second", "second", json!({"dependsOn": [{"name": "first"}]})).await?;

    t.wait_condition("acme", "Stalled", "True", "SecretConflict").await?;
    let stalled = Instant::now();
    let text = flux.wait_unready("first", "HealthCheckFailed").await?;
    let took = stalled.elapsed();
    ensure!(took < Duration::from_secs(30), "it took {took:?} to fail: {text}");
    ensure!(text.contains("acme") && text.contains("Failed"), "{text}");
    flux.wait_unready("second", "DependencyNotReady").await?;
    assert_eq!(names(&t).await?, ["acme"]);

    t.secrets().delete("acme-postgres", &DeleteParams::default()).await?;
    flux.wait_ready("first").await?;
    flux.wait_ready("second").await?;
    t.wait_all_ready(2).await.map(drop)
}
