//! The chart's accounts have the rights that they use, and no others.
//!
//! In: the API server's audit log of the whole walk, the rules of the chart's roles. Out: an account that was refused something, or a
//! verb that nobody used, is a failure.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::installation::{Installation, SYSTEM};

/// Group, resource with its subresource, verb.
type Right = (String, String, String);

pub(crate) async fn rights(it: &Installation) -> Result<()> {
    let log = fs::read_to_string(it.world.stack().audit_log()).context("the audit log")?;
    for account in ["tenantry-operator", "tenantry-app"] {
        let user = format!("system:serviceaccount:{SYSTEM}:{account}");
        let (used, refused) = told(&log, &user)?;
        ensure!(refused.is_empty(), "{account} was refused: {refused:#?}");
        let granted = granted(it, account).await?;
        ensure!(granted.len() > 3, "{account} has hardly any right: {granted:?}");
        let unused: Vec<&Right> = granted.difference(&used).collect();
        ensure!(unused.is_empty(), "{account} never used: {unused:#?}");
        println!("   {account}: {} verbs granted, all used, none refused", granted.len());
    }
    Ok(())
}

/// What an account did, and what it was refused.
fn told(log: &str, user: &str) -> Result<(BTreeSet<Right>, Vec<String>)> {
    let (mut used, mut refused) = (BTreeSet::new(), Vec::new());
    for line in log.lines() {
        let event: Value = serde_json::from_str(line)?;
        if event["user"]["username"] != user {
            continue;
        }
        let code = event["responseStatus"]["code"].as_i64();
        // A terminating namespace refuses Events; that is no matter of rights.
        let why = event["responseStatus"]["message"].as_str().unwrap_or_default();
        if matches!(code, Some(401 | 403)) && !why.contains("being terminated") {
            refused.push(format!("{} {}: {why}", event["verb"], event["requestURI"]));
            continue;
        }
        let object = &event["objectRef"];
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let resource = match object["subresource"].as_str() {
            Some(sub) => format!("{}/{sub}", text("resource")),
            None => text("resource"),
        };
        let verb = event["verb"].as_str().unwrap_or_default().to_owned();
        // What is applied and was not there is created, and the API server asks for that right too.
        if verb == "patch" && code == Some(201) {
            used.insert((text("apiGroup"), resource.clone(), "create".to_owned()));
        }
        used.insert((text("apiGroup"), resource, verb));
    }
    Ok((used, refused))
}

/// Every right of the roles that are bound to an account.
async fn granted(it: &Installation, account: &str) -> Result<BTreeSet<Right>> {
    let mut granted = BTreeSet::new();
    for kind in ["rolebindings", "clusterrolebindings"] {
        let bindings = it.get(&[kind, "--all-namespaces"]).await?;
        for binding in bindings["items"].as_array().context("items")? {
            let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
            let is_ours =
                |subject: &Value| subject["name"] == account && subject["namespace"] == SYSTEM;
            if !subjects.iter().any(is_ours) {
                continue;
            }
            let name = format!(
                "{}/{}",
                binding["roleRef"]["kind"].as_str().context("kind")?,
                binding["roleRef"]["name"].as_str().context("name")?
            );
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("default");
            let role = it.get(&["--namespace", namespace, &name]).await?;
            granted.extend(rules(&role)?);
        }
    }
    Ok(granted)
}

fn rules(role: &Value) -> Result<BTreeSet<Right>> {
    let list = |rule: &Value, name: &str| -> Result<Vec<String>> {
        let all =
            rule[name].as_array().with_context(|| format!("a rule without {name}: {rule}"))?;
        all.iter().map(|one| Ok(one.as_str().context("a text")?.to_owned())).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().context("rules")? {
        for group in list(rule, "apiGroups")? {
            for resource in list(rule, "resources")? {
                for verb in list(rule, "verbs")? {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    Ok(rights)
}
