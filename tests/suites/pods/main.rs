//! The whole product as pods on a real node, from its images, with the chart's own accounts, rights enforced.
//!
//! In: namespaces that `stack e2e-pods` made, archives of images. Out: a line for each part of the walk, in the form of test programs,
//! and an honest exit code. The parts build on each other: the first that fails ends the walk and shows what the pods said.

mod accounts;
mod faults;
mod installation;
mod people;
mod platform;
mod steps;
mod upgrade;

use std::process::ExitCode;

use anyhow::Result;

use installation::Installation;
use steps::Steps;

fn main() -> Result<ExitCode> {
    stack::node::namespaces::furnish()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut steps = Steps::begin();
    let walked = runtime.block_on(walk(&mut steps));
    Ok(steps.end(walked))
}

async fn walk(steps: &mut Steps) -> Result<()> {
    let it = steps.step("the_node_is_ready", Installation::prepare()).await?;
    let walked = parts(steps, &it).await;
    if walked.is_err() {
        steps.detail(&it.diagnosis().await);
    }
    walked
}

async fn parts(steps: &mut Steps, it: &Installation) -> Result<()> {
    steps.step("helm_installs_and_waits", it.install()).await?;
    if stack::options::is_set(stack::options::STAY) {
        println!("   it stays; app: {}", it.front.url);
        println!(
            "   export KUBECONFIG={} PATH=$PATH:{}",
            it.world.stack().kubeconfig().display(),
            it.programs()
        );
        return std::future::pending().await;
    }
    steps.step("pods_have_no_more_power_than_they_need", platform::confined(it)).await?;
    steps.step("a_tenant_comes_and_goes", platform::comes_and_goes(it)).await?;
    steps.step("two_people_sign_up_in_a_browser", people::sign_up(it)).await?;
    steps.step("somebody_chats_in_a_browser", people::chat(it)).await?;
    let rolling = "a_rolling_update_fails_no_request_and_doubles_no_act";
    steps.step(rolling, upgrade::under_load(it)).await?;
    steps.step("a_killed_leader_is_replaced", faults::leader_killed(it)).await?;
    steps
        .step("an_operator_pod_deleted_in_mid_creation", faults::deleted_in_mid_creation(it))
        .await?;
    steps.step("no_right_is_missing_and_none_is_unused", accounts::rights(it)).await?;
    steps.step("uninstalling_keeps_tenants", platform::uninstall_keeps(it)).await
}
