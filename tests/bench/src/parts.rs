//! Everything that runs during a bench: the stack, the operator, the watch, and the questions asked of them in between.
//!
//! In: a started stack. Out: handles. What is asked here (ledger, Secrets, quiet) is asked outside of what is measured, so
//! that a run that did not do its work cannot look fast.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use stack::{Child, Options, Stack};

use crate::machine::Usage;
use crate::scrape::Scrape;
use crate::tenants::Tenants;
use crate::{Args, Part};

const PATIENCE: Duration = Duration::from_secs(60);
/// Our programs are quiet when they use less than this share of a processor over the time of one look.
const QUIET: (f64, Duration) = (0.15, Duration::from_millis(200));

/// The stack that a bench wants.
pub(crate) fn options(args: &Args) -> Options {
    let mut options = Options { models: args.measures(Part::App), ..Options::default() };
    if let Some(emulator) = &mut options.emulator {
        emulator.extra_args.extend(args.emulator_args.iter().cloned());
    }
    options
}

/// What runs.
pub(crate) struct Parts<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) operator: Child,
    pub(crate) tenants: Tenants,
    pub(crate) client: Client,
    secrets: Api<Secret>,
    pub(crate) http: reqwest::Client,
    metrics: String,
    namespace: (Api<Namespace>, String),
}

impl<'a> Parts<'a> {
    /// Starts the operator and the watch.
    pub(crate) async fn start(stack: &'a Stack, args: &Args) -> Result<Self> {
        let file = kube::config::Kubeconfig::read_from(stack.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
        let client = Client::try_from(config)?;
        // Of its own: on a cluster that was there before, a bench that was killed may have left one.
        let name = format!("bench-{}", stack::paths::random_hex(4)?);
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = serde_json::json!({"metadata": {"name": name}});
        namespaces.create(&PostParams::default(), &serde_json::from_value(namespace)?).await?;

        let mut command = stack.operator()?;
        command.args(&args.operator_args);
        let operator = stack.spawn("operator", &command)?;
        let line = operator.wait_for_log("listening", PATIENCE)?;
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.with_context(|| format!("no address in {line:?}"))?;
        let parts = Self {
            tenants: Tenants::watch(client.clone(), &name).await?,
            secrets: Api::namespaced(client.clone(), &name),
            client,
            http: reqwest::Client::builder().no_proxy().build()?,
            metrics: format!("http://{address}/metrics"),
            namespace: (namespaces, name),
            operator,
            stack,
        };
        parts.ready(&format!("http://{address}/readyz")).await?;
        Ok(parts)
    }

    async fn ready(&self, url: &str) -> Result<()> {
        until("the operator to be ready", async || {
            let answer = self.http.get(url).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await
    }

    pub(crate) async fn scrape(&self) -> Result<Scrape> {
        let mut scrape = Scrape::get(&self.http, &self.metrics).await?;
        let request = kube::core::Request::new("/metrics").list(&ListParams::default())?;
        scrape.add(&self.client.request_text(request).await?);
        Ok(scrape)
    }

    /// A failure with the end of the operator's log, which mostly says why.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("{}\n{}", self.operator.epitaph(), self.operator.last_lines(15)))
    }

    /// Waits until what was measured last has died down (Events being written, Secrets being collected), a minute at most:
    /// a busy machine must not stop the bench, and the load is in the results.
    pub(crate) async fn quiet(&self) {
        let (share, look) = QUIET;
        let _ = tokio::time::timeout(PATIENCE, async {
            loop {
                let before = Usage::now();
                tokio::time::sleep(look).await;
                if Usage::now().since(&before).ours() < share * look.as_secs_f64() {
                    return;
                }
            }
        })
        .await;
    }

    /// Leaves nothing behind on a cluster that stays.
    pub(crate) async fn leave(&self) -> Result<()> {
        let (namespaces, name) = &self.namespace;
        namespaces.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// So many projects stand at Neon, by its own account.
    pub(crate) async fn expect_projects(&self, count: usize) -> Result<()> {
        let url = format!("{}/ledger", self.stack.neon_control_url());
        let ledger: Value = self.http.get(url).send().await?.json().await?;
        let standing = ledger["standing"].as_array().map_or(0, Vec::len);
        ensure!(standing == count, "{standing} projects stand, and not {count}");
        Ok(())
    }

    /// Waits until the tenants' Secrets are gone too: the garbage collector takes them behind the tenants.
    pub(crate) async fn expect_no_secrets(&self) -> Result<()> {
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=tenantry");
        until("the Secrets to go", async || {
            Ok(self.secrets.list_metadata(&ours).await?.items.is_empty().then_some(()))
        })
        .await
    }

    /// The Secret of a tenant leads to its table.
    pub(crate) async fn expect_schema(&self, tenant: &str) -> Result<()> {
        let name = format!("{tenant}-postgres");
        let secret = self.secrets.get(&name).await?;
        let data = secret.data.unwrap_or_default();
        let uri = data.get("uri").with_context(|| format!("{name} has no uri"))?;
        let options = PgConnectOptions::from_str(std::str::from_utf8(&uri.0)?)?
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert_from_pem(std::fs::read(self.stack.ca_file())?);
        let mut session = options.connect().await?;
        let row = sqlx::query("select count(*) from embeddings").fetch_one(&mut session).await?;
        ensure!(row.get::<i64, _>(0) == 0, "a new table is not empty");
        Ok(session.close().await?)
    }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("waiting for {what}"))?
}
