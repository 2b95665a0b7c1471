//! The operator's client and the emulator, over the wire: the whole life of a project, and every way in which an
//! answer to its creation can go wrong.
//!
//! In: an emulator. Out: what the client reports, held against what the emulator then has. It
//! proves that the two agree; whether they are right about Neon is what `recorded` and the third parties show.

mod trouble;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use operator::neon::{
    Client, CreatedProject, Deletion, EndpointPatch, NewProject, Operation, ProjectPatch, Retries,
    Settings,
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::lab::{KEY, Lab};

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_client_agrees() -> Result<()> {
    let bench = Bench::start()?;
    bench.a_project_lives().await.context("life")?;
    bench.answers_go_wrong().await.context("answers")?;
    bench.gone_in_every_form().await.context("gone")?;
    bench.what_keeps_a_project().await.context("kept")?;
    if let Some(judge) = &bench.lab.judge {
        println!("operator: {} exchanges conform", judge.judge_record(&bench.lab.record)?);
    }
    Ok(())
}

struct Bench {
    lab: Lab,
    client: Client,
    statuses: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn start() -> Result<Self> {
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let lab = Lab::start("contract/client", &[])?;
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&statuses);
        let settings = Settings {
            base_url: lab.api_url.parse()?,
            api_key: KEY.into(),
            org_id: None,
            timeout: Duration::from_secs(3),
            retries: Retries::default(),
            root_ca: None,
        };
        let client = Client::new(settings, move |call| {
            log.lock().unwrap().push(call.status.to_string());
        })?;
        Ok(Self { lab, client, statuses })
    }

    async fn settle(&self, project: &str) -> Result<()> {
        let settled = async || {
            let operations = self.client.operations(project).await?;
            Ok((!operations.iter().any(Operation::is_pending)).then_some(()))
        };
        self.lab.until("operations are over", settled).await
    }

    async fn a_project_lives(&self) -> Result<()> {
        let client = &self.client;
        client.authenticate().await?;
        self.lab.set(json!({"operation_millis": 300})).await?;
        let created = client.create_project(&new_project("life")).await?;
        let id = created.project.id.as_str();
        self.statuses.lock().unwrap().clear();
        let patch = EndpointPatch { autoscaling_max_cu: Some(4.0), ..EndpointPatch::default() };
        let (endpoint, _) = client.update_endpoint(id, &created.endpoint.id, &patch).await?;
        ensure!(endpoint.autoscaling_max_cu == 4.0 && endpoint.autoscaling_min_cu == 0.25);
        let statuses = self.statuses.lock().unwrap().join(" ");
        ensure!(statuses.starts_with("423") && statuses.ends_with("200"), "{statuses}");
        self.settle(id).await?;
        self.lab.set(json!({"operation_millis": 0})).await?;
        self.it_is_accessible(&created).await.context("access")?;
        self.it_changes_and_ends(id, patch).await.context("end")
    }

    async fn it_is_accessible(&self, created: &CreatedProject) -> Result<()> {
        let client = &self.client;
        let (id, branch) = (created.project.id.as_str(), created.branch_id.as_str());

        ensure!(
            self.lab.psql(created.connection.expose(), "select 6 * 7").await?.as_deref()
                == Ok("42")
        );
        let direct = client.connection_uri(id, branch, "tenant", "owner", false).await?;
        ensure!(direct.expose() == created.connection.expose(), "one URI from both routes");
        let pooled = client.connection_uri(id, branch, "tenant", "owner", true).await?;
        let told = created.connection.pooler_host().context("a pooler")?;
        ensure!(told.starts_with(pooled.host()), "one pooler from both routes");
        let branches = client.branches(id).await?;
        ensure!(
            branches.len() == 1 && branches[0].default && branches[0].annotations["uid"] == "u-1"
        );
        ensure!(client.databases(id, branch).await?[0].owner_name == "owner");
        ensure!(client.roles(id, branch).await?.iter().any(|role| role.name == "owner"));

        let old = client.reveal_password(id, branch, "owner").await?.context("stored")?;
        let (new, _) = client.reset_password(id, branch, "owner").await?;
        self.settle(id).await?;
        ensure!(new.expose_secret() != old.expose_secret());
        ensure!(
            self.lab.psql(created.connection.expose(), "select 1").await?.is_err(),
            "the old one ended"
        );
        let renewed = client.connection_uri(id, branch, "tenant", "owner", false).await?;
        ensure!(self.lab.psql(renewed.expose(), "select 1").await?.as_deref() == Ok("1"));
        Ok(())
    }

    async fn it_changes_and_ends(&self, id: &str, endpoints: EndpointPatch) -> Result<()> {
        let client = &self.client;
        let defaults = Some(EndpointPatch { suspend_timeout_seconds: Some(60), ..endpoints });
        let patch = ProjectPatch {
            name: Some("life-renamed".to_owned()),
            history_retention_seconds: Some(7200),
            default_endpoint_settings: defaults,
        };
        client.update_project(id, &patch).await?;
        let project = client.project(id).await?.context("alive")?;
        ensure!(project.name == "life-renamed" && project.history_retention_seconds == Some(7200));
        ensure!(client.find_projects("life").await?.projects.is_empty(), "exact names only");
        ensure!(client.find_projects("life-renamed").await?.projects[0].id == id);
        ensure!(client.delete_project(id).await? == Deletion::Accepted);
        ensure!(client.delete_project(id).await? == Deletion::AlreadyGone);
        ensure!(client.project(id).await?.is_none());
        Ok(())
    }
}

fn new_project(name: &str) -> NewProject {
    NewProject {
        name: name.to_owned(),
        region_id: "aws-us-east-2".to_owned(),
        pg_version: 17,
        history_retention_seconds: None,
        autoscaling_min_cu: 0.25,
        autoscaling_max_cu: 2.0,
        suspend_timeout_seconds: 300,
        branch_name: "main".to_owned(),
        role_name: "owner".to_owned(),
        database_name: "tenant".to_owned(),
        annotations: BTreeMap::from([("uid".to_owned(), "u-1".to_owned())]),
    }
}
