//! What each account may do, and no more.
//!
//! In: three installations, `kubectl auth can-i --list` as each account in its own, a tenants' and an unrelated namespace. Out: exactly
//! what rights-*.txt beside this file say, and those are read in review. What every account of a cluster may do is left out.
//! RIGHTS_WRITE=1 writes the files anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use acceptance::{PATIENCE, wait_until};
use anyhow::{Context, Result, ensure};

use serde_json::Value;

use super::lab::{Lab, NEON, chart, chart_arg, helm, lab, objects};

/// Every namespace that a case names.
struct Case {
    name: &'static str,
    sets: &'static [&'static str],
    accounts: &'static [&'static str],
    tenants: &'static str,
    unrelated: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        name: "default",
        sets: &[],
        accounts: &["operator"],
        tenants: "rights-default-tenants",
        unrelated: "rights-default-other",
    },
    Case {
        name: "namespaces",
        sets: &["operator.namespaces={rights-a,rights-b}"],
        accounts: &["operator"],
        tenants: "rights-b",
        unrelated: "rights-c",
    },
    Case {
        name: "app",
        sets: &[
            "app.enabled=true,app.publicUrl=https://chat.example.com,app.database.existingSecret=db",
            "app.oidc.issuer=https://id.example.com,app.oidc.clientId=chat",
            "app.tenantsNamespace=rights-people,operator.namespaces={rights-people}",
        ],
        accounts: &["operator", "app"],
        tenants: "rights-people",
        unrelated: "rights-strangers",
    },
];

#[tokio::test]
async fn accounts_may_do_what_is_written_and_no_more() -> Result<()> {
    let lab = lab()?;
    for case in &CASES {
        let (release, home) = (case.name, format!("rights-{}-home", case.name));
        let spaces = [home.as_str(), case.tenants, case.unrelated, "rights-a", "rights-b"];
        // The app's own chart makes its tenants' namespace.
        let spaces: Vec<&str> =
            spaces.into_iter().filter(|space| *space != "rights-people").collect();
        lab.namespaces(&spaces).await?;
        let chart = chart_arg();
        let mut args =
            vec!["install", release, &chart, "--set", "crds.install=false", "--set", NEON];
        for set in case.sets {
            args.extend(["--set", set]);
        }
        lab.helm_says(&home, &args).await?;
        let found = listing(lab, case, &home).await;
        lab.helm_says(&home, &["uninstall", release]).await?;
        compare(case.name, &found?)?;
    }
    Ok(())
}

/// People with Kubernetes' own roles in a namespace.
#[tokio::test]
async fn who_may_view_or_edit_a_namespace_may_do_so_with_its_tenants() -> Result<()> {
    let (lab, home, chart) = (lab()?, "rights-people-home", chart_arg());
    lab.namespaces(&[home]).await?;
    let install = ["install", "aggregated", &chart, "--set", "crds.install=false", "--set", NEON];
    lab.helm_says(home, &install).await?;
    for role in ["view", "edit", "admin"] {
        let (role_of, user) = (format!("--clusterrole={role}"), format!("--user={role}er"));
        lab.kubectl_says(&["-n", home, "create", "rolebinding", role, &role_of, &user]).await?;
    }
    let (tenants, status) = ("vectortenants.tenantry.dev", "vectortenants.tenantry.dev/status");
    let (read, write) = ("get list watch", "create update patch delete deletecollection");
    let all = format!("{write} {read}");
    let expected = [
        ("view", tenants, read),
        ("view", status, read),
        ("edit", tenants, &all),
        ("edit", status, read),
        ("admin", tenants, &all),
        ("admin", status, read),
    ];
    // Kubernetes adds the rules a moment later.
    wait_until("the roles have the rules", PATIENCE, async || {
        for (role, what, verbs) in expected {
            let rows = may(lab, &format!("{role}er"), home).await?;
            let verbs: BTreeSet<&str> = verbs.split(' ').collect();
            let ours =
                rows.iter().filter_map(|row| row.strip_prefix(what)?.strip_prefix(" [] [] ["));
            let found: BTreeSet<&str> =
                ours.flat_map(|row| row.trim_end_matches(']').split(' ')).collect();
            ensure!(found == verbs, "{role}, {what}: {found:?}");
        }
        Ok(())
    })
    .await?;
    lab.helm_says(home, &["uninstall", "aggregated"]).await.map(drop)
}

/// The text of a case: a part for each account and namespace.
async fn listing(lab: &Lab, case: &Case, home: &str) -> Result<String> {
    let mut text = String::new();
    for account in case.accounts {
        let who = format!("system:serviceaccount:{home}:{}-tenantry-{account}", case.name);
        let spaces =
            [("its own", home), ("a tenants'", case.tenants), ("an unrelated", case.unrelated)];
        for (what, space) in spaces {
            // An account without any right shows what every account may do.
            let nobody = format!("system:serviceaccount:{space}:nobody");
            let usual = may(lab, &nobody, space).await?;
            let more: BTreeSet<String> =
                may(lab, &who, space).await?.difference(&usual).cloned().collect();
            writeln!(text, "{account} in {what} namespace:")?;
            for right in &more {
                writeln!(text, "  {right}")?;
            }
            if more.is_empty() {
                writeln!(text, "  nothing")?;
            }
        }
    }
    Ok(text)
}

/// Rows of `kubectl auth can-i --list`, the same however wide its columns are.
async fn may(lab: &Lab, who: &str, space: &str) -> Result<BTreeSet<String>> {
    let args = ["--namespace", space, "auth", "can-i", "--list", "--no-headers", "--as", who];
    let said = lab.kubectl_says(&args).await?;
    let squeezed = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: BTreeSet<String> = said.lines().map(squeezed).filter(|row| !row.is_empty()).collect();
    ensure!(rows.iter().any(|row| row.contains("selfsubjectreviews")), "this is no list: {said}");
    Ok(rows)
}

fn compare(name: &str, found: &str) -> Result<()> {
    let folder = "tests/suites/suites/charts";
    let file: PathBuf = stack::paths::checkout().join(folder).join(format!("rights-{name}.txt"));
    if stack::options::is_set("RIGHTS_WRITE") {
        return Ok(fs::write(&file, found)?);
    }
    let committed = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    ensure!(
        found == committed,
        "{folder}/rights-{name}.txt says otherwise. Found:\n{found}\nIf that is meant, run this test with RIGHTS_WRITE=1"
    );
    Ok(())
}

/// Group, resource, verb; names of single objects are left out.
fn rights_in(text: &str) -> Result<BTreeSet<[String; 3]>> {
    let mut rights = BTreeSet::new();
    for object in objects(text)? {
        if !object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")) {
            continue;
        }
        for rule in object["rules"].as_array().context("rules")? {
            let list = |name: &str| rule[name].as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            for (group, resource) in list("apiGroups").iter().zip(list("resources").iter()) {
                for verb in list("verbs") {
                    rights.insert([text(group), text(resource), text(&verb)]);
                }
            }
        }
    }
    ensure!(!rights.is_empty(), "no right in {text}");
    Ok(rights)
}

#[tokio::test]
async fn tests_run_with_the_rights_that_the_chart_gives() -> Result<()> {
    let app = "app.enabled=true,app.publicUrl=https://chat.example.com,app.database.existingSecret=db,app.oidc.issuer=https://id.example.com,app.oidc.clientId=chat";
    for (file, template, set) in [
        ("operator-rbac.yaml", "templates/operator/rbac.yaml", "operator.enabled=true"),
        ("app-rbac.yaml", "templates/app/rbac.yaml", app),
    ] {
        let mut command = helm()?;
        command.args(["template", "tenantry"]).arg(chart()).args(["--show-only", template]);
        command.args(["--set", NEON, "--set", set]);
        let given = rights_in(&acceptance::run(command).await?.success()?)?;
        let used = fs::read_to_string(stack::paths::checkout().join("tests/stack").join(file))?;
        assert_eq!(rights_in(&used)?, given, "{file} and the chart's {template}");
    }
    Ok(())
}
