//! A real Prometheus on loopback that scrapes every second and evaluates the chart's rules.
//!
//! In: what to scrape. Out: [`Server`], which answers queries. It ends with the test. Targets carry the labels that a ServiceMonitor
//! would give them, and jobs of odd names, because no rule may assume one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use acceptance::{World, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::Child;
use stack::install::Prometheus;
use stack::ports;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Server {
    url: String,
    http: reqwest::Client,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill9();
    }
}

impl Server {
    /// Scrapes these: name of the job, address.
    pub(super) async fn start(
        world: &World,
        programs: &Prometheus,
        folder: &Path,
        targets: &[(&str, String)],
    ) -> Result<Self> {
        let config = folder.join("prometheus.yml");
        let scrapes: Vec<Value> =
            targets.iter().map(|(job, address)| scrape(job, address)).collect();
        let settings = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [super::chart_file("rules.yaml")],
            "scrape_configs": scrapes,
        });
        // JSON is YAML.
        std::fs::write(&config, settings.to_string())?;
        let (process, port) = ports::until_free(|| {
            let port = ports::free()?;
            let mut command = Command::new(&programs.server);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            let process = world.stack().spawn("prometheus", &command)?;
            process.wait_for_log("ready to receive web requests", PATIENCE)?;
            Ok((process, port))
        })?;
        let url = format!("http://127.0.0.1:{port}");
        let server = Self { url, http: reqwest::Client::builder().no_proxy().build()?, process };
        wait_until("Prometheus scrapes", PATIENCE, async || {
            ensure!(server.process.is_running(), "{}", server.process.last_lines(20));
            let up = server.query("sum(up)").await?;
            let all = up.iter().any(|value| (*value - targets.len() as f64).abs() < 0.1);
            ensure!(all, "up: {up:?}");
            Ok(())
        })
        .await?;
        Ok(server)
    }

    /// What its API answers.
    pub(super) async fn api(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let request = self.http.get(format!("{}/api/v1/{path}", self.url)).query(query);
        let answer: Value = request.send().await?.json().await?;
        ensure!(answer["status"] == "success", "{path} {query:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The values of all series that a query gives now.
    pub(super) async fn query(&self, expr: &str) -> Result<Vec<f64>> {
        let data = self.api("query", &[("query", expr)]).await?;
        let series = data["result"].as_array().context("a vector")?;
        let value = |one: &Value| Ok(one["value"][1].as_str().context("a value")?.parse()?);
        series.iter().map(value).collect()
    }
}

fn scrape(job: &str, address: &str) -> Value {
    let labels = json!({"namespace": "somewhere", "pod": format!("{job}-0"), "service": job});
    json!({"job_name": job, "static_configs": [{"targets": [address], "labels": labels}]})
}
