//! Objects that the API server removes past their finalizer. In: a deletion that begins before the operator puts its finalizer
//! on, held up by an admission webhook until a project stands. Out: the project goes, or stays by its policy.

use std::net::Ipv4Addr;
use std::time::Duration;

use acceptance::{Front, PATIENCE, TestOperator, wait_until};
use anyhow::{Result, ensure};
use axum::{Json, Router, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::case::{Case, TENANT};
use super::rules::{AFTER, LIST, hold};

/// An admission webhook for deletions in one namespace, which answers as long as it is open.
struct Gate {
    asked: watch::Receiver<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// In force, and shut.
    async fn shut(t: &TestOperator) -> Result<Self> {
        let (count, asked) = watch::channel(0);
        let (open, opened) = watch::channel(true);
        let review = async move |Json(review): Json<Value>| {
            count.send_modify(|count| *count += 1);
            let _ = opened.clone().wait_for(|open| *open).await;
            let response = json!({"uid": review["request"]["uid"], "allowed": true});
            Json(
                json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}),
            )
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let target = listener.local_addr()?.to_string();
        let router = Router::new().route("/", post(review));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let certified = rcgen::generate_simple_self_signed([Ipv4Addr::LOCALHOST.to_string()])?;
        let (folder, authority) = (t.folder()?, certified.cert.pem());
        let (certificate, key) = (folder.join("gate.crt"), folder.join("gate.key"));
        std::fs::write(&certificate, &authority)?;
        std::fs::write(&key, certified.signing_key.serialize_pem())?;
        let front = Front::start("127.0.0.1", (&certificate, &key)).await?;
        front.lead_to(target);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": format!("gate.{}", t.namespace)},
            "webhooks": [{
                "name": "gate.tenantry.dev",
                "clientConfig": {"url": format!("{}/", front.url), "caBundle": BASE64.encode(authority)},
                "rules": [{"apiGroups": ["tenantry.dev"], "apiVersions": ["*"], "operations": ["DELETE"], "resources": ["vectortenants"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}},
                "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 30, "failurePolicy": "Ignore",
            }],
        });
        let path = folder.join("gate.json");
        std::fs::write(&path, configuration.to_string())?;
        t.kubectl(&["apply", "-f", &path.display().to_string()]).await?.success()?;
        let gate = Self { asked, open };
        wait_until("the webhook is in force", PATIENCE, async || {
            t.kubectl(&["delete", "vt", TENANT, "--dry-run=server"]).await?.success()?;
            ensure!(*gate.asked.borrow() > 0, "nobody asked it");
            Ok(())
        })
        .await?;
        gate.open.send_replace(false);
        Ok(gate)
    }

    /// A deletion that has read the object and waits here.
    async fn hold_deletion(&mut self, case: &Case) -> Result<JoinHandle<Result<()>>> {
        let before = *self.asked.borrow_and_update();
        let tenants = case.tenants();
        let deletion = tokio::spawn(async move {
            tenants.delete(TENANT, &kube::api::DeleteParams::default()).await.map(drop)?;
            Ok(())
        });
        tokio::time::timeout(PATIENCE, self.asked.wait_for(|count| *count > before)).await??;
        Ok(deletion)
    }

    fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn idle(name: &str) -> Result<(Case, Gate)> {
    let case = Case::with(TestOperator::named(name).create_grace(1.0)).await?;
    let gate = Gate::shut(&case).await?;
    Ok((case, gate))
}

/// Made once, deleted once.
async fn nothing_stands(case: &Case) -> Result<()> {
    wait_until("the project is gone", Duration::from_secs(60), async || {
        let ledger = case.ledger().await?;
        ensure!(ledger.standing.is_empty(), "{:?}", ledger.standing);
        ensure!(ledger.count("create") == 1 && ledger.count("delete") == 1, "{:?}", ledger.entries);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_ready_tenant_that_vanishes_leaves_no_project() -> Result<()> {
    let (case, mut gate) = idle("vanish-ready").await?;
    let deletion = gate.hold_deletion(&case).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    gate.open();
    deletion.await??;
    case.wait_gone(TENANT).await?;
    nothing_stands(&case).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_tenant_that_vanishes_while_its_project_is_made_leaves_none() -> Result<()> {
    let (case, mut gate) = idle("vanish-creation").await?;
    let fault = case.fault(hold("POST", LIST, AFTER)).await?;
    let deletion = gate.hold_deletion(&case).await?;
    case.begin().await?;
    fault.wait_held(1).await?;
    gate.open();
    deletion.await??;
    case.wait_gone(TENANT).await?;
    ensure!(case.ledger().await?.standing.len() == 1, "the project stands, and its object is gone");
    fault.release().await?;
    nothing_stands(&case).await?;
    case.ends_gone().await
}

#[tokio::test]
async fn a_retained_project_stays_when_its_tenant_vanishes() -> Result<()> {
    let (case, mut gate) = idle("vanish-retain").await?;
    case.patch(TENANT, json!({"spec": {"deletionPolicy": "Retain"}})).await?;
    let deletion = gate.hold_deletion(&case).await?;
    case.begin().await?;
    case.wait_ready(TENANT).await?;
    gate.open();
    deletion.await??;
    case.wait_gone(TENANT).await?;
    case.wait_event(TENANT, "ProjectRetained").await?;
    ensure!(case.ledger().await?.standing.len() == 1);
    Ok(())
}
