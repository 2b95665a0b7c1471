//! The contract as the API server enforces it, and as kubectl shows it.
//!
//! In: good and bad objects. Out: refusals whose message says what to do, defaults, columns, explanations. Most of it
//! needs no operator, and has none.

use acceptance::{TestOperator, condition};
use anyhow::{Context, Result, ensure};
use crds::ADOPT_ANNOTATION;
use serde_json::{Value, json};

/// Specs that must be refused at once, with words of the message.
fn bad_specs() -> Vec<(Value, &'static str)> {
    let autoscaling = |min: &str, max: &str| json!({"autoscaling": {"min": min, "max": max}});
    let labels = |key: &str, value: &str| json!({"secret": {"labels": {key: value}}});
    let many: serde_json::Map<String, Value> =
        (0..33).map(|n| (format!("label-{n}"), json!("x"))).collect();
    vec![
        (autoscaling("2", "1"), "autoscaling.min must not be greater than autoscaling.max"),
        (autoscaling("0.2", "1"), "autoscaling.min must be at least \"0.25\""),
        (autoscaling("56", "57"), "autoscaling.max must be at most \"56\""),
        (autoscaling("2", "20"), "set autoscaling.min equal to autoscaling.max"),
        (autoscaling("lots", "20"), "spec.autoscaling.min"),
        (autoscaling("1", "1e1"), "spec.autoscaling.max"),
        (
            json!({"suspendTimeoutSeconds": 5}),
            "must be -1 (never), 0 (Neon's default) or 60 to 604800",
        ),
        (json!({"suspendTimeoutSeconds": -2}), "spec.suspendTimeoutSeconds"),
        (json!({"suspendTimeoutSeconds": 604_801}), "less than or equal to 604800"),
        (json!({"historyRetentionSeconds": -1}), "spec.historyRetentionSeconds"),
        (json!({"historyRetentionSeconds": 2_592_001}), "less than or equal to 2592000"),
        (json!({"postgresVersion": 13}), "greater than or equal to 14"),
        (json!({"postgresVersion": 19}), "less than or equal to 18"),
        (json!({"vector": {"dimensions": 0}}), "greater than or equal to 1"),
        (json!({"vector": {"dimensions": 4001}}), "less than or equal to 4000"),
        (json!({"region": ""}), "spec.region"),
        (json!({"region": "Frankfurt, please"}), "spec.region"),
        (json!({"deletionPolicy": "Keep"}), "spec.deletionPolicy"),
        (labels("tenantry.dev/tenant", "x"), "which the operator sets: remove them"),
        (labels("app.kubernetes.io/managed-by", "me"), "which the operator sets: remove them"),
        (labels("team", "not a label value"), "spec.secret.labels.team"),
        (labels("team", &"x".repeat(64)), "spec.secret.labels.team"),
        (json!({"secret": {"labels": many}}), "spec.secret.labels"),
        (labels("not a key", "x"), "secret.labels has a key that Kubernetes does not take"),
        (labels("UP/key", "x"), "write it like 'team' or 'example.com/team'"),
        (
            json!({"secret": {"annotations": {"a/b/c": "x"}}}),
            "secret.annotations has a key that Kubernetes does not take",
        ),
        (
            json!({"secret": {"annotations": {"tenantry.dev/x": "y"}}}),
            "which is reserved: remove them",
        ),
        (json!({"secret": {"name": "tenantry-key"}}), "which are reserved: choose another name"),
        (json!({"secret": {"name": "kube-root-ca"}}), "which are reserved: choose another name"),
        (json!({"secret": {"name": "Not_A_Name"}}), "spec.secret.name"),
        (json!({"secret": {"name": "x".repeat(254)}}), "spec.secret.name"),
    ]
}

#[tokio::test]
async fn bad_specs_are_refused_with_a_remedy() -> Result<()> {
    let t = TestOperator::named("bad-specs").idle().start().await?;
    for (spec, words) in bad_specs() {
        let said = t.refused("bad", spec.clone()).await?;
        ensure!(said.contains(words), "{spec}: {said}");
    }
    // What lies just inside the limits is taken.
    for (number, spec) in [
        json!({"autoscaling": {"min": "56", "max": "56"}}),
        json!({"autoscaling": {"min": "250m", "max": "16"}}),
        json!({"suspendTimeoutSeconds": -1, "historyRetentionSeconds": 0}),
        json!({"suspendTimeoutSeconds": 60, "historyRetentionSeconds": 2_592_000}),
        json!({"vector": {"dimensions": 1}, "postgresVersion": 14}),
        json!({"vector": {"dimensions": 4000}, "postgresVersion": 18}),
        json!({"secret": {"name": "x".repeat(253), "labels": {"team": "", "a.key/of-mine": "x"}}}),
        json!({"secret": {"annotations": {"UP.example/Key": "any value"}}}),
    ]
    .into_iter()
    .enumerate()
    {
        t.apply(&format!("good-{number}"), spec).await?;
    }
    Ok(())
}

#[tokio::test]
async fn bad_names_are_refused_with_a_remedy() -> Result<()> {
    let t = TestOperator::named("bad-names").idle().start().await?;
    let long = "x".repeat(64);
    for (name, words) in [
        (
            long.as_str(),
            "63 characters or fewer, because it is also a label value: choose a shorter",
        ),
        ("tenantry-acme", "which are reserved: choose another name"),
        ("kube-acme", "which are reserved: choose another name"),
    ] {
        let said = t.refused(name, json!({})).await?;
        ensure!(said.contains(words), "{name}: {said}");
    }
    t.apply(&long[..63], json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_api_server_cannot_judge_the_operator_refuses() -> Result<()> {
    let t = TestOperator::start("judged-late").await?;
    let annotated = |id: &str| json!({"metadata": {"annotations": {ADOPT_ANNOTATION: id}}});
    t.apply_object("strange", annotated("no project's id")).await?;
    let stalled = t.wait_condition("strange", "Stalled", "True", "InvalidSpec").await?;
    ensure!(stalled.message.contains("'no project's id'"), "{}", stalled.message);
    let table = t.kubectl(&["get", "vt", "strange", "--no-headers"]).await?.success()?;
    let row: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(row[..3], ["strange", "False", "InvalidSpec"]);
    ensure!(t.ledger().await?.entries.is_empty(), "a project was made for a tenant that cannot be");
    t.apply("strange", json!({})).await?;
    t.wait_ready("strange").await.map(drop)
}

/// For each immutable field: a spec that sets it, one that sets it otherwise, its default, and the refusal's words.
fn immutable() -> [(&'static str, Value, Value, Value, &'static str); 3] {
    let dimensions = |n: i32| json!({"vector": {"dimensions": n}});
    [
        (
            "region",
            json!({"region": "aws-eu-central-1"}),
            json!({"region": "aws-ap-southeast-1"}),
            json!({"region": "aws-us-east-1"}),
            "region cannot be changed: create a new VectorTenant in the other region",
        ),
        (
            "version",
            json!({"postgresVersion": 16}),
            json!({"postgresVersion": 15}),
            json!({"postgresVersion": 17}),
            "postgresVersion cannot be changed: create a new VectorTenant with the other version",
        ),
        (
            "dimensions",
            dimensions(384),
            dimensions(768),
            dimensions(1536),
            "vector.dimensions cannot be changed: create a new VectorTenant and embed",
        ),
    ]
}

#[tokio::test]
async fn immutable_fields_stay() -> Result<()> {
    let t = TestOperator::named("immutable").idle().start().await?;
    for (field, first, other, default, words) in immutable() {
        let (set, unset) = (format!("{field}-set"), format!("{field}-unset"));
        t.apply(&set, first.clone()).await?;
        t.apply(&unset, json!({})).await?;
        for (case, name, spec) in [
            ("changed", &set, &other),
            ("removed", &set, &json!({})),
            ("set to the default", &set, &default),
            ("set late", &unset, &other),
        ] {
            let said = t.refused(name, spec.clone()).await?;
            ensure!(said.contains(words), "{field} {case}: {said}");
        }
        // By another way than apply: the field removed, and then set anew, in two patches.
        let gone =
            first.as_object().into_iter().flatten().map(|(key, _)| (key.clone(), Value::Null));
        let gone: serde_json::Map<String, Value> = gone.collect();
        let removed = t.patch(&set, json!({"spec": gone})).await;
        let said = format!("{:#}", removed.err().with_context(|| format!("{field} was removed"))?);
        ensure!(said.contains(words), "{field} removed by a patch: {said}");
        let anew = t.patch(&set, json!({"spec": other})).await;
        ensure!(anew.is_err(), "{field} was set anew");
        // Its own value, and the default where it was never set, are no change.
        t.apply(&set, first.clone()).await?;
        t.apply(&unset, default.clone()).await?;
        t.apply(&unset, json!({})).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_nobody_has_looked_at_says_so() -> Result<()> {
    let t = TestOperator::named("unseen").idle().start().await?;
    t.apply("empty-spec", json!({})).await?;
    t.apply_object("no-spec", json!({})).await?;
    for name in ["empty-spec", "no-spec"] {
        let status =
            t.kubectl(&["get", "vt", name, "-o", "jsonpath={.status}"]).await?.success()?;
        assert_eq!(status, r#"{"observedGeneration":-1}"#, "{name}");
    }
    t.begin().await?;
    t.wait_all_ready(2).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_generated_is_written_into_the_spec() -> Result<()> {
    let t = TestOperator::named("spec-stays").idle().start().await?;
    t.apply("acme", json!({"suspendTimeoutSeconds": 600})).await?;
    let get = ["get", "vt", "acme", "-o", "jsonpath={.spec}{.metadata.generation}"];
    let before = t.kubectl(&get).await?.success()?;
    t.begin().await?;
    t.wait_ready("acme").await?;
    assert_eq!(t.kubectl(&get).await?.success()?, before);
    let managers =
        "jsonpath={.metadata.managedFields[?(@.manager==\"tenantry-operator\")].fieldsV1}";
    let owned = t.kubectl(&["get", "vt", "acme", "--show-managed-fields", "-o", managers]).await?;
    let owned = owned.success()?;
    ensure!(owned.contains("f:finalizers") && !owned.contains("f:spec"), "{owned}");
    Ok(())
}

#[tokio::test]
async fn kubectl_shows_waits_and_explains() -> Result<()> {
    let t = TestOperator::start("kubectl").await?;
    let manifest =
        std::fs::read_to_string(stack::paths::checkout().join("crds/sample-tenant.yaml"))?;
    let file = t.folder()?.join("sample.yaml");
    std::fs::write(&file, manifest)?;
    let applied = t.kubectl(&["apply", "-f", &file.to_string_lossy()]).await?.success()?;
    let name = applied.split([' ', '/']).nth(1).context("the name of the sample")?.to_owned();
    let object = format!("vt/{name}");
    t.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", &object]).await?.success()?;
    let tenant = t.wait_ready(&name).await?;
    let (status, spec) = (tenant.status.clone().unwrap_or_default(), &tenant.spec);

    let table = t.kubectl(&["get", "vt"]).await?.success()?;
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "SCHEMA", "REGION", "AGE"]);
    let schema = status.schema_version.unwrap_or_default().to_string();
    assert_eq!(rows[1][..5], [&name, "True", "Settled", &schema, &spec.region]);

    let table = t.kubectl(&["get", "tenantry", "-o", "wide"]).await?.success()?;
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    let wide = [
        "NAME", "READY", "REASON", "SCHEMA", "REGION", "STALLED", "PROJECT", "HOST", "SECRET",
        "AGE",
    ];
    assert_eq!(rows[0], wide);
    let (project, host) = (status.project_id.unwrap_or_default(), status.host.unwrap_or_default());
    let secret = status.binding.unwrap_or_default().name;
    assert_eq!(rows[1][5..9], ["False".to_owned(), project, host, secret]);
    assert_eq!(condition(&tenant, "Ready")?.status, "True");
    Ok(())
}

#[tokio::test]
async fn every_field_is_explained() -> Result<()> {
    let t = TestOperator::named("explain").idle().start().await?;
    let definition = serde_json::to_value(crds::custom_resource_definition())?;
    let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    for (path, schema) in [
        ("vt.spec", &root["spec"]),
        ("vt.spec.autoscaling", &root["spec"]["properties"]["autoscaling"]),
        ("vt.spec.vector", &root["spec"]["properties"]["vector"]),
        ("vt.spec.secret", &root["spec"]["properties"]["secret"]),
        ("vt.status", &root["status"]),
        ("vt.status.binding", &root["status"]["properties"]["binding"]),
        ("vt.status.settings", &root["status"]["properties"]["settings"]),
    ] {
        let shown = t.kubectl(&["explain", path]).await?.success()?;
        let fields = schema["properties"].as_object().context("properties")?;
        ensure!(!fields.is_empty(), "{path} has no fields");
        for (field, schema) in fields {
            ensure!(shown.contains(&format!("  {field}\t<")), "{path}.{field}: {shown}");
            let described = schema["description"].as_str().is_some_and(|text| text.len() > 10);
            ensure!(described, "{path}.{field} has no description");
        }
        ensure!(!shown.contains("<no description>"), "{shown}");
    }
    Ok(())
}
