//! Values that must be refused. In: a table. Out: each is refused, by words that name the value.

use acceptance::run;
use anyhow::{Result, ensure};

use super::lab::{NEON, chart_arg, helm};

const APP: &str = "app.enabled=true,app.publicUrl=https://chat.example.com,app.database.existingSecret=db,\
    app.oidc.issuer=https://id.example.com,app.oidc.clientId=chat";

/// What is set beside the Neon key, and words of the refusal.
const REFUSED: &[(&str, &str)] = &[
    ("neon.apiKey.existingSecret=", "neon.apiKey.existingSecret is required"),
    ("neon.apiKey.existingSecret=Not_A_Name", "/neon/apiKey/existingSecret"),
    ("neon.apiUrl=console.neon.tech", "/neon/apiUrl"),
    ("neon.timeoutSeconds=0", "/neon/timeoutSeconds"),
    (
        "neon.createGraceSeconds=30",
        "neon.createGraceSeconds must be greater than neon.timeoutSeconds",
    ),
    ("bogus=1", "'bogus' not allowed"),
    ("operator.replica=1", "'replica' not allowed"),
    ("operator.image.tagg=x", "'tagg' not allowed"),
    ("operator.replicas=abc", "/operator/replicas"),
    ("operator.replicas=-1", "/operator/replicas"),
    ("operator.clusterId=a b/c", "/operator/clusterId"),
    ("operator.replicas=11", "/operator/replicas"),
    (
        "operator.leaderElection.enabled=false",
        "operator.replicas is greater than 1: set operator.leaderElection.enabled=true",
    ),
    ("operator.leaderElection.leaseSeconds=1", "/operator/leaderElection/leaseSeconds"),
    ("operator.concurrency=0", "/operator/concurrency"),
    ("operator.concurrency=1001", "/operator/concurrency"),
    ("operator.namespaces={a,a}", "/operator/namespaces"),
    ("operator.namespaces={Team A}", "/operator/namespaces/0"),
    ("operator.log.format=yaml", "/operator/log/format"),
    ("operator.image.digest=sha256:abc", "/operator/image/digest"),
    (
        "operator.podDisruptionBudget.maxUnavailable=many",
        "/operator/podDisruptionBudget/maxUnavailable",
    ),
    ("operator.extraEnv[0].nam=X", "/operator/extraEnv/0"),
    ("operator.enabled=false", "operator.enabled and app.enabled are both false"),
    ("tenantDatabases.sslMode=disable", "/tenantDatabases/sslMode"),
    (
        "tenantDatabases.ca.existingSecret=a,tenantDatabases.ca.existingConfigMap=b",
        "tenantDatabases.ca: existingSecret and existingConfigMap exclude",
    ),
    (
        "operator.serviceAccount.create=false",
        "operator.serviceAccount.create is false: name an account of its own",
    ),
    ("app.ingress.extraHosts={www.example.com}", "'extraHosts' not allowed"),
    ("app.enabled=yes", "/app/enabled"),
    ("app.publicUrl=http://chat.example.com", "/app/publicUrl"),
    ("app.publicUrl=https://chat.example.com/path", "/app/publicUrl"),
    ("monitoring.serviceMonitor.interval=often", "/monitoring/serviceMonitor/interval"),
];

/// The same with an app that is otherwise in order.
const REFUSED_OF_THE_APP: &[(&str, &str)] = &[
    ("app.publicUrl=", "app.publicUrl is required"),
    ("app.database.existingSecret=", "app.database.existingSecret is required"),
    ("app.oidc.issuer=", "app.oidc.issuer is required"),
    ("app.oidc.clientId=", "app.oidc.clientId is required"),
    ("app.chat.url=https://api.openai.com/v1", "app.chat.url and app.chat.model go together"),
    ("app.replicas=2", "app.replicas is greater than 1"),
    ("app.autoscaling.enabled=true", "app.autoscaling.enabled"),
    ("app.files.s3.url=https://bucket", "/app/files/s3/url"),
    ("app.files.persistence.accessModes={ReadOnlyMany}", "/app/files/persistence/accessModes/0"),
    ("app.files.persistence.size=large", "/app/files/persistence/size"),
    (
        "app.autoscaling.enabled=true,app.files.s3.url=s3://b,app.autoscaling.maxReplicas=1",
        "app.autoscaling.maxReplicas must not be less",
    ),
    ("app.sessions.idleHours=200", "app.sessions.idleHours must not be greater"),
    (
        "operator.namespaces={team-a}",
        "operator.namespaces does not hold app.tenantsNamespace (tenants)",
    ),
    (
        "app.tenantsNamespace=default",
        "app.tenantsNamespace is the release's own namespace (default)",
    ),
    (
        "app.serviceAccount.create=false,app.serviceAccount.name=default",
        "app.serviceAccount.create is false: name an account of its own",
    ),
    (
        "app.serviceAccount.name=one,operator.serviceAccount.name=one",
        "operator.serviceAccount.name and app.serviceAccount.name are both one",
    ),
    ("app.drainSeconds=16", "app.terminationGracePeriodSeconds must be at least"),
    ("app.trustedProxies={everybody}", "/app/trustedProxies/0"),
    ("app.embedding.dimensions=4001", "/app/embedding/dimensions"),
    ("app.chat.relevanceFloor=1.5", "/app/chat/relevanceFloor"),
    ("app.tenants.minCu=lots", "/app/tenants/minCu"),
    ("app.ingest.extractMegabytes=64", "/app/ingest/extractMegabytes"),
];

async fn template(sets: &[&str]) -> Result<acceptance::Output> {
    let mut command = helm()?;
    command.args(["template", "r", &chart_arg()]);
    for set in sets {
        command.args(["--set", set]);
    }
    run(command).await
}

#[tokio::test]
async fn bad_values_are_refused_by_name() -> Result<()> {
    let of_app = REFUSED_OF_THE_APP.iter().map(|row| (vec![NEON, APP, row.0], row.1));
    let all = REFUSED.iter().map(|row| (vec![NEON, row.0], row.1)).chain(of_app);
    for (sets, words) in all {
        let output = template(&sets).await?;
        ensure!(output.code != Some(0), "{sets:?} was taken");
        ensure!(output.error.contains(words), "{sets:?}: {}", output.error);
    }
    // What the table starts from is in order.
    template(&[NEON]).await?.success()?;
    template(&[NEON, APP]).await?.success()?;
    Ok(())
}
