//! The connection Secret: what users do to it, and what becomes of it.
//!
//! In: Secrets that are deleted, edited, renamed, or somebody else's. Out: the Secret as declared, in the end, and
//! other people's Secrets untouched.

use acceptance::{Binding, PATIENCE, Space, TestOperator, project_id, wait_until};
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

async fn edit(space: &Space, name: &str, patch: Value) -> Result<()> {
    let edited = space.secrets().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    edited.map(drop).context("an edit by hand")
}

async fn wait_content(space: &Space, tenant: &str, before: &Binding) -> Result<Binding> {
    let name = before.secret.metadata.name.clone().unwrap_or_default();
    space
        .until("the Secret holds what it held", Some(tenant), async || {
            let now = space.secret(&name).await?;
            let keys: Vec<&String> = now.data.keys().collect();
            ensure!(now.data == before.data, "its keys: {keys:?}");
            ensure!(now.secret.metadata.labels == before.secret.metadata.labels, "labels");
            ensure!(now.secret.type_ == before.secret.type_, "type {:?}", now.secret.type_);
            Ok(now)
        })
        .await
}

#[tokio::test]
async fn deleted_by_hand_it_comes_back() -> Result<()> {
    let t = TestOperator::named("secret-deleted").resync(600.0).start().await?;
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let before = t.binding("acme").await?;
    t.secrets().delete("acme-postgres", &DeleteParams::default()).await?;
    let after = wait_content(&t, "acme", &before).await?;
    assert_ne!(after.secret.metadata.uid, before.secret.metadata.uid);
    t.wait_ready("acme").await?;
    after.connect().await.map(drop)
}

#[tokio::test]
async fn edited_by_hand_it_is_put_right() -> Result<()> {
    // So seldom is the resync that only the operator's watch can have seen the edit.
    let t = TestOperator::named("secret-edited").resync(600.0).start().await?;
    t.apply("acme", json!({"secret": {"labels": {"team": "blue"}}})).await?;
    t.wait_ready("acme").await?;
    let before = t.binding("acme").await?;
    for (what, patch) in [
        ("a value", json!({"stringData": {"host": "elsewhere.example"}})),
        ("a missing key", json!({"data": {"password": null}})),
        ("a label of the spec", json!({"metadata": {"labels": {"team": "red"}}})),
        ("a label of the operator", json!({"metadata": {"labels": {crds::TENANT_LABEL: "x"}}})),
        ("a missing label", json!({"metadata": {"labels": {"team": null}}})),
        ("a key too many", json!({"stringData": {"extra": "value"}})),
    ] {
        edit(&t, "acme-postgres", patch).await?;
        wait_content(&t, "acme", &before).await.context(what)?;
    }
    let revision = t.wait_ready("acme").await?.status.and_then(|s| s.binding?.revision);
    let again = t.binding("acme").await?;
    // And then there is peace: nobody writes it any more.
    t.apply("fence", json!({})).await?;
    t.wait_ready("fence").await?;
    assert_eq!(t.binding("acme").await?.version(), again.version());
    assert_eq!(t.status("acme").await?.binding.and_then(|b| b.revision), revision);
    Ok(())
}

#[tokio::test]
async fn labels_follow_the_spec_and_others_labels_stay() -> Result<()> {
    let t = TestOperator::start("secret-labels").await?;
    let first = json!({"labels": {"team": "blue", "tier": "gold"}, "annotations": {"a/b": "c"}});
    t.apply("acme", json!({"secret": first})).await?;
    t.wait_ready("acme").await?;
    let theirs = json!({"metadata": {"labels": {"theirs": "x"}, "annotations": {"their/s": "y"}}});
    edit(&t, "acme-postgres", theirs).await?;
    t.apply("acme", json!({"secret": {"labels": {"team": "red"}}})).await?;
    t.wait_ready("acme").await?;
    let metadata = t.binding("acme").await?.secret.metadata;
    let (labels, annotations) = (metadata.labels.unwrap_or_default(), metadata.annotations);
    let label = |key: &str| labels.get(key).map(String::as_str);
    assert_eq!(label("team"), Some("red"));
    assert_eq!(label("tier"), None, "it left the spec");
    assert_eq!(label("theirs"), Some("x"));
    let annotations = annotations.unwrap_or_default();
    assert!(!annotations.contains_key("a/b"), "it left the spec");
    assert_eq!(annotations.get("their/s").map(String::as_str), Some("y"));
    Ok(())
}

#[tokio::test]
async fn renamed_the_new_one_is_written_and_the_old_one_removed() -> Result<()> {
    let t = TestOperator::start("secret-renamed").await?;
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let before = t.binding("acme").await?;
    for name in ["first", "second"] {
        t.apply("acme", json!({"secret": {"name": name}})).await?;
        let tenant = t.wait_ready("acme").await?;
        let binding = tenant.status.and_then(|status| status.binding).context("binding")?;
        assert_eq!(binding.name, name);
        assert_eq!(t.secret(name).await?.data, before.data);
    }
    for old in ["acme-postgres", "first"] {
        ensure!(t.secrets().get_opt(old).await?.is_none(), "{old} is still there");
    }
    Ok(())
}

async fn foreign(space: &Space, name: &str) -> Result<Secret> {
    let object = json!({"metadata": {"name": name}, "stringData": {"uri": "theirs"}});
    let secret = serde_json::from_value(object)?;
    Ok(space.secrets().create(&PostParams::default(), &secret).await?)
}

#[tokio::test]
async fn a_foreign_one_stops_the_tenant_before_a_project_is_made() -> Result<()> {
    let t = TestOperator::named("secret-foreign").resync(1.0).start().await?;
    let theirs = foreign(&t, "acme-postgres").await?;
    t.apply("acme", json!({})).await?;
    let stalled = t.wait_condition("acme", "Stalled", "True", "SecretConflict").await?;
    ensure!(stalled.message.contains("acme-postgres"), "{}", stalled.message);
    ensure!(stalled.message.contains("spec.secret.name"), "no remedy: {}", stalled.message);
    t.wait_event("acme", "SecretConflict").await?;
    ensure!(t.ledger().await?.entries.is_empty(), "a project was made");
    assert_eq!(t.secret("acme-postgres").await?.secret, theirs);
    t.secrets().delete("acme-postgres", &DeleteParams::default()).await?;
    t.wait_ready("acme").await?;
    t.binding("acme").await?.connect().await.map(drop)
}

#[tokio::test]
async fn a_foreign_one_under_the_new_name_leaves_the_old_one_in_use() -> Result<()> {
    let t = TestOperator::named("secret-foreign-late").resync(1.0).start().await?;
    t.apply("acme", json!({})).await?;
    t.wait_ready("acme").await?;
    let theirs = foreign(&t, "taken").await?;
    t.apply("acme", json!({"secret": {"name": "taken"}})).await?;
    t.wait_condition("acme", "Stalled", "True", "SecretConflict").await?;
    assert_eq!(t.secret("taken").await?.secret, theirs);
    t.secret("acme-postgres").await?.connect().await?;
    t.apply("acme", json!({"secret": {"name": "free"}})).await?;
    t.wait_ready("acme").await?;
    ensure!(t.secrets().get_opt("acme-postgres").await?.is_none(), "the old one is still there");
    assert_eq!(t.secret("taken").await?.secret, theirs);
    Ok(())
}

#[tokio::test]
async fn two_tenants_never_share_one() -> Result<()> {
    let t = TestOperator::named("secret-shared").resync(1.0).start().await?;
    t.apply("first", json!({"secret": {"name": "shared"}})).await?;
    t.wait_ready("first").await?;
    let firsts = t.secret("shared").await?;
    t.apply("second", json!({"secret": {"name": "shared"}})).await?;
    t.wait_condition("second", "Stalled", "True", "SecretConflict").await?;
    assert_eq!(t.secret("shared").await?.secret, firsts.secret);
    t.delete("first").await?;
    t.wait_ready("second").await?;
    t.assert_one_project_each().await
}

#[tokio::test]
async fn a_new_password_reaches_it_at_the_next_resync() -> Result<()> {
    let t = TestOperator::named("secret-password").resync(1.0).start().await?;
    t.apply("acme", json!({})).await?;
    let tenant = t.wait_ready("acme").await?;
    let before = t.binding("acme").await?;
    let revision = tenant.status.clone().and_then(|s| s.binding?.revision).context("revision")?;
    t.neon.on_project(&project_id(&tenant)?, "reset_password", json!({})).await?;
    t.wait_tenant("acme", "a new revision", |t| {
        let now = t.status.as_ref().and_then(|status| status.binding.as_ref()?.revision.as_ref());
        now.is_some_and(|now| *now != revision)
    })
    .await?;
    let after = t.binding("acme").await?;
    assert_ne!(after.get("password")?, before.get("password")?);
    ensure!(before.connect().await.is_err(), "the old password still works");
    after.connect().await?;
    t.wait_ready("acme").await.map(drop)
}

/// A cluster's admission policy that takes no Secret of this type in the namespace, once it is in force.
async fn forbid_secrets(t: &TestOperator) -> Result<()> {
    let name = format!("no-secrets.{}", t.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"]}],
            },
            "validations": [{"expression": "false", "message": "Secrets come from the vault", "reason": "Invalid"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    let folder = t.folder()?;
    for (file, object) in [("policy.json", policy), ("binding.json", binding)] {
        let path = folder.join(file);
        std::fs::write(&path, object.to_string())?;
        t.kubectl(&["apply", "-f", &path.display().to_string()]).await?.success()?;
    }
    wait_until("the policy is in force", PATIENCE, async || {
        let tried = ["create", "secret", "generic", "probe", "--dry-run=server"];
        ensure!(t.kubectl(&tried).await?.code != Some(0), "a Secret is still taken");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_that_the_clusters_policy_refuses_needs_a_person() -> Result<()> {
    let t = TestOperator::start("secret-forbidden").await?;
    forbid_secrets(&t).await?;
    t.apply("acme", json!({})).await?;
    let told = t.wait_condition("acme", "Stalled", "True", "KubernetesError").await?;
    ensure!(told.message.contains("Secrets come from the vault"), "{}", told.message);
    let name = format!("no-secrets.{}", t.namespace);
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        t.kubectl(&["delete", kind, &name]).await?.success()?;
    }
    wait_until("Secrets are taken again", PATIENCE, async || {
        let tried = ["create", "secret", "generic", "probe", "--dry-run=server"];
        t.kubectl(&tried).await?.success().map(drop)
    })
    .await?;
    // A change of the declaration is how a person says "try again".
    t.apply("acme", json!({"autoscaling": {"max": "1"}})).await?;
    t.wait_ready("acme").await.map(drop)
}
