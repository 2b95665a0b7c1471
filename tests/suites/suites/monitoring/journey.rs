//! A real Prometheus scrapes a real operator and a real app while people use them. Out: whatever the documents, the rules and the
//! dashboard name is there, and every query has data.

use std::time::Duration;

use acceptance::{ChatModel, TestApp, pdf, wait_until};
use anyhow::{Context, Result, ensure};
use crds::ADOPT_ANNOTATION;
use serde_json::{Value, json};
use stack::App;

use super::server::Server;
use super::{dashboard, docs, exposition, rules};

const PATIENCE: Duration = Duration::from_secs(30);
/// So often everything happens.
const ROUNDS: u32 = 3;

#[tokio::test]
async fn a_real_prometheus_sees_all_that_is_promised() -> Result<()> {
    let Some(programs) = super::prometheus("monitoring::journey") else { return Ok(()) };
    let model = ChatModel::start().await?;
    let app = model.behind(TestApp::named("monitoring")).start().await?;
    let foreign =
        json!({"metadata": {"annotations": {ADOPT_ANNOTATION: "cold-sea-00000000"}}, "spec": {}});
    app.operator.apply_object("refused", foreign).await?;
    app.operator.wait_condition("refused", "Stalled", "True", "AdoptionRefused").await?;

    let admin = App::of(app.process())?.admin_url;
    let targets = [
        ("any-name", operator_address(&app)?),
        ("another", admin.trim_start_matches("http://").to_owned()),
    ];
    let folder = app.operator.folder()?;
    let server = Server::start(app.operator.world, &programs, &folder, &targets).await?;
    // A rate needs a series to be there already when something happens to it.
    for round in 1..=ROUNDS {
        live(&app, round).await?;
        let seen = [
            "sum(tenantry_app_ingests_total{outcome=\"ready\"})",
            "sum(tenantry_app_answers_total{outcome=\"done\"})",
            // Ada's tenant is the one more.
            "sum(tenantry_time_to_ready_seconds_count) - 1",
        ];
        wait_until("the round is scraped", PATIENCE, async || {
            for query in seen {
                let value = server.query(query).await?.first().copied().unwrap_or_default();
                ensure!(value >= f64::from(round), "{query} is {value}");
            }
            Ok(())
        })
        .await?;
    }
    wait_until("every query has data", PATIENCE, async || {
        let missing = without_data(&server).await?;
        ensure!(missing.is_empty(), "no data:\n  {}", missing.join("\n  "));
        Ok(())
    })
    .await?;

    check_rules(&server).await?;
    let (status, of_app) = app.admin("/metrics").await?;
    ensure!(status == 200, "{status} {of_app}");
    let operator = exposition::parse(&app.operator.metrics().await?)?;
    let of_app = exposition::parse(&of_app)?;
    docs::check(&operator, &of_app)?;
    let of_rules = rules::all()?
        .into_iter()
        .map(|rule| ("rules.yaml".to_owned(), rules::expr_of(&rule).to_owned()));
    let asked = [of_rules.collect(), dashboard::queries()?, docs::queries_of_alerts()?].concat();
    docs::check_names(&[&operator, &of_app], &asked)
}

fn operator_address(app: &TestApp) -> Result<String> {
    let log = app.operator.process().log_text();
    let line = log.lines().find(|line| line.contains("listening")).context("no line")?;
    let at = line.find("127.0.0.1:").context("no address")?;
    let end = line[at..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    Ok(line[at..end.map_or(line.len(), |end| at + end)].to_owned())
}

/// What happens on a day: somebody signs in, reads, searches and asks; another tenant comes.
async fn live(app: &TestApp, round: u32) -> Result<()> {
    let name = format!("acme-{round}");
    app.operator.apply(&name, json!({"vector": {"dimensions": 8}})).await?;
    let ada = app.ready_person("Ada").await?;
    let pages =
        ["A lynx hunts at night.", "Its ears end in black tufts.", &format!("Copy {round}.")];
    let id = ada.uploaded(&format!("lynx-{round}.pdf"), pdf(&pages)).await?;
    app.wait_stage(&id, "ready").await?;
    ada.search("Which animal hunts at night?").await?;
    ada.ask(&format!("c{round}"), "Which animal hunts at night?").await?.ended("finish")?;
    ada.page("/nowhere").await?.expect(404)?;
    app.operator.wait_ready(&name).await.map(drop)
}

/// Queries of the dashboard and of the recording rules that give no series with a number.
async fn without_data(server: &Server) -> Result<Vec<String>> {
    let mut asked = dashboard::queries()?;
    asked.extend(rules::named("record")?.into_iter().map(|(name, _)| (name.clone(), name)));
    let mut missing = Vec::new();
    for (title, expr) in asked {
        let values = server.query(&expr).await?;
        if !values.iter().any(|value| value.is_finite()) {
            missing.push(format!("{title}: {expr}: {values:?}"));
        }
    }
    Ok(missing)
}

/// Prometheus itself finds no fault; of all alerts, only the one for the tenant that was refused has begun.
async fn check_rules(server: &Server) -> Result<()> {
    let data = server.api("rules", &[]).await?;
    let groups = data["groups"].as_array().context("groups")?;
    let all: Vec<&Value> =
        groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
    assert_eq!(all.len(), rules::all()?.len());
    for rule in &all {
        ensure!(rule["health"] == "ok", "{rule}");
    }
    let begun: Vec<&&Value> = all
        .iter()
        .filter(|rule| rule["state"].as_str().is_some_and(|state| state != "inactive"))
        .collect();
    let names: Vec<&str> = begun.iter().filter_map(|rule| rule["name"].as_str()).collect();
    assert_eq!(names, ["TenantryTenantsStalled"]);
    let alert = &begun[0]["alerts"][0];
    ensure!(alert["labels"]["namespace"] == "somewhere", "{alert}");
    let words = alert["annotations"]["description"].as_str().unwrap_or_default();
    ensure!(words.contains("reason AdoptionRefused: 1."), "{words}");
    Ok(())
}
