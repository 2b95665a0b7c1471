//! Taking over a project that is there already: left by Retain, or restored elsewhere.
//!
//! In: the annotation, on projects that may and that may not be taken. Out: the same data under a new tenant, or a
//! tenant that says why not, and a project that nobody touched.

use acceptance::{TestOperator, project_id};
use anyhow::{Result, ensure};
use crds::ADOPT_ANNOTATION;
use serde_json::{Value, json};
use sqlx::Executor as _;

fn adopting(project: &str, spec: Value) -> Value {
    json!({"metadata": {"annotations": {ADOPT_ANNOTATION: project}}, "spec": spec})
}

#[tokio::test]
async fn a_retained_project_is_taken_over_with_its_data() -> Result<()> {
    let t = TestOperator::start("adopt").await?;
    t.apply("old", json!({"deletionPolicy": "Retain"})).await?;
    let id = project_id(&t.wait_ready("old").await?)?;
    let mut session = t.binding("old").await?.connect().await?;
    session.execute("create table kept as select 42 as answer").await?;
    t.delete("old").await?;
    t.wait_gone("old").await?;

    t.apply_object("new", adopting(&id, json!({}))).await?;
    let tenant = t.wait_ready("new").await?;
    assert_eq!(project_id(&tenant)?, id);
    let note = t.wait_event("new", "ProjectAdopted").await?;
    ensure!(note.contains(&id), "{note}");
    let mut session = t.binding("new").await?.connect().await?;
    let (answer,): (i32,) =
        sqlx::query_as("select answer from kept").fetch_one(&mut session).await?;
    assert_eq!(answer, 42);
    // It carries the new tenant's name now, is found again by it, and goes with it.
    t.assert_one_project_each().await?;
    assert_eq!(t.ledger().await?.count("create"), 1);
    t.restart().await?;
    t.wait_ready("new").await?;
    t.delete("new").await?;
    t.wait_gone("new").await?;
    ensure!(t.ledger().await?.standing.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_refused_and_left_alone() -> Result<()> {
    let t = TestOperator::named("adopt-refused").resync(1.0).start().await?;
    t.apply("owner", json!({})).await?;
    let owned = project_id(&t.wait_ready("owner").await?)?;
    let mut theirs = json!({"name": "theirs", "region_id": "aws-eu-central-1", "pg_version": 17});
    let far = t.neon.make_project(theirs.clone()).await?;
    (theirs["region_id"], theirs["pg_version"]) = (json!("aws-us-east-1"), json!(16));
    let old = t.neon.make_project(theirs.clone()).await?;
    theirs["pg_version"] = json!(17);
    theirs["branch"] = json!({"database_name": "other", "role_name": "someone"});
    let other = t.neon.make_project(theirs).await?;
    let cases = [
        ("unknown", "cold-sea-00000000", "Neon has no such project"),
        ("in-use", owned.as_str(), "/owner has it: delete that one first"),
        ("region", far.as_str(), "it is in aws-eu-central-1: set spec.region to that"),
        ("version", old.as_str(), "it is Postgres 16: set spec.postgresVersion to that"),
        ("database", other.as_str(), "it has no database neondb owned by neondb_owner"),
    ];
    for (name, id, why) in cases {
        t.apply_object(name, adopting(id, json!({}))).await?;
        let stalled = t.wait_condition(name, "Stalled", "True", "AdoptionRefused").await?;
        ensure!(
            stalled.message.contains(id) && stalled.message.contains(why),
            "{}",
            stalled.message
        );
        ensure!(stalled.message.contains(ADOPT_ANNOTATION), "no remedy: {}", stalled.message);
    }
    for id in [&far, &old, &other] {
        assert_eq!(t.neon.project(id).await?["project"]["name"], "theirs");
    }
    assert_eq!(t.ledger().await?.count("create"), 1, "only the owner's");
    // The owner has noticed nothing; a corrected annotation is followed, and without one an own project is made.
    t.wait_ready("owner").await?;
    t.annotate("unknown", ADOPT_ANNOTATION, None).await?;
    t.wait_ready("unknown").await?;
    let fitting = json!({"name": "theirs", "region_id": "aws-us-east-1", "pg_version": 17});
    let fitting = t.neon.make_project(fitting).await?;
    t.annotate("region", ADOPT_ANNOTATION, Some(&fitting)).await?;
    assert_eq!(project_id(&t.wait_ready("region").await?)?, fitting);
    for name in ["in-use", "version", "database"] {
        t.delete(name).await?;
        t.wait_gone(name).await?;
    }
    for id in [&far, &old, &other] {
        ensure!(t.neon.project(id).await?["project"]["deleted_at"].is_null(), "{id} was deleted");
    }
    t.wait_ready("owner").await.map(drop)
}

#[tokio::test]
async fn a_project_that_vanished_is_not_replaced_but_another_may_be_taken() -> Result<()> {
    let t = TestOperator::named("adopt-missing").resync(1.0).start().await?;
    t.apply("acme", json!({})).await?;
    let id = project_id(&t.wait_ready("acme").await?)?;
    t.neon.on_project(&id, "delete", json!({})).await?;
    let stalled = t.wait_condition("acme", "Stalled", "True", "ProjectMissing").await?;
    ensure!(stalled.message.contains(&id), "{}", stalled.message);
    ensure!(stalled.message.contains(ADOPT_ANNOTATION), "no remedy: {}", stalled.message);
    t.wait_condition("acme", "Ready", "False", "ProjectMissing").await?;
    let restored = json!({"name": "restored", "region_id": "aws-us-east-1", "pg_version": 17});
    let restored = t.neon.make_project(restored).await?;
    t.annotate("acme", ADOPT_ANNOTATION, Some(&restored)).await?;
    let tenant = t.wait_ready("acme").await?;
    assert_eq!(project_id(&tenant)?, restored);
    t.binding("acme").await?.connect().await?;
    t.assert_one_project_each().await
}
