//! One tenant from its creation to its end, and what users do to it in between.

use acceptance::TestOperator;
use anyhow::Result;
use serde_json::json;

#[tokio::test]
async fn a_tenant_comes_and_goes() -> Result<()> {
    let t = TestOperator::start("comes-and-goes").await?;
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let mut session = t.binding("acme").await?.connect().await?;
    let (one,): (i32,) = sqlx::query_as("select 1").fetch_one(&mut session).await?;
    assert_eq!(one, 1);
    t.delete("acme").await?;
    t.wait_gone("acme").await?;
    assert!(t.ledger().await?.standing.is_empty());
    Ok(())
}
