//! Steps that take their time. In: a rule that holds one call of a step. Out: the status says what goes on while it does, and
//! says nothing else once it is done.

use acceptance::{TestOperator, condition};
use anyhow::{Result, ensure};

use super::case::{Case, TENANT};
use super::rules::{BEFORE, PROJECT, hold};

#[tokio::test]
async fn changed_settings_are_told_while_they_are_applied() -> Result<()> {
    let case = Case::ready(TestOperator::named("progress-settings").resync(600.0)).await?;
    let fault = case.fault(hold("PATCH", PROJECT, BEFORE)).await?;
    case.resize("1").await?;
    fault.wait_held(1).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "ApplyingSettings").await?;
    let tenant = case.tenant(TENANT).await?;
    ensure!(condition(&tenant, "Ready")?.status == "True", "it can be used meanwhile");
    ensure!(condition(&tenant, "Stalled")?.status == "False");
    fault.release().await?;
    case.wait_condition(TENANT, "Reconciling", "False", "Settled").await?;
    case.ends_well().await
}

#[tokio::test]
async fn a_deletion_is_told_while_neon_thinks() -> Result<()> {
    let case = Case::ready(TestOperator::named("progress-deletion").resync(600.0)).await?;
    let fault = case.fault(hold("DELETE", PROJECT, BEFORE)).await?;
    case.delete(TENANT).await?;
    fault.wait_held(1).await?;
    case.wait_condition(TENANT, "Reconciling", "True", "Deleting").await?;
    case.wait_condition(TENANT, "Ready", "False", "Deleting").await?;
    fault.release().await?;
    case.ends_gone().await
}
