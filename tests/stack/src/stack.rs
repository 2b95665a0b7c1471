//! The local stack: real parts, started beside each other, stopped together.
//!
//! In: `Options`. Out: addresses, credentials and ready-made commands. Starting says nothing and changes nothing outside the run's
//! folder and the logs. It must not know what is tested with it; programs under test are started by `spawn`.

mod app;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::certs::Certs;
use crate::child::{Child, poll};
use crate::cluster::Cluster;
use crate::database::{self, Database};
use crate::emulator::{self, Neon};
use crate::install::{self, Installed, PgTree, Wanted};
use crate::options::{self, Options};
use crate::run::{Run, Stop};
use crate::{control_plane, models, node, pooler, signals};

pub use app::App;

/// Everything that runs. Dropping it stops everything and removes the run's folder; the logs stay.
#[derive(Debug)]
pub struct Stack {
    run: Arc<Run>,
    certs: Certs,
    psql: Option<PgTree>,
    database: Database,
    pooler: Result<u16, String>,
    neon: Option<Neon>,
    cluster: Option<Cluster>,
    operator_kubeconfig: Option<PathBuf>,
    embeddings: Option<models::Embeddings>,
    chat: Option<models::Chat>,
    has_node: bool,
    /// Databases that were made for apps.
    made: Mutex<Vec<String>>,
}

impl Stack {
    /// Installs what is missing, starts everything but the operator, returns when all of it answers.
    pub fn start(options: Options) -> Result<Self> {
        let installed = install::install(Wanted::for_options(&options))?;
        let run = Run::create()?;
        let logs = run.logs().to_path_buf();
        Self::start_in(run, &options, &installed).with_context(|| {
            format!("the local stack did not start; all logs are in {}", logs.display())
        })
    }

    fn start_in(run: Arc<Run>, options: &Options, installed: &Installed) -> Result<Self> {
        let certs = Certs::create(&run.subfolder("certs")?)?;
        let (data, embeddings, chat, cluster) = thread::scope(|scope| {
            let data = scope.spawn(|| start_data(&run, options, installed, &certs));
            let host = if options.node.is_some() { node::ADDRESS } else { "127.0.0.1" };
            let start = |models| models::start(&run, models, host);
            let embeddings = scope.spawn(move || installed.models.as_ref().map(start).transpose());
            let start = |chat| models::start_chat(&run, chat, host);
            let chat = scope.spawn(move || installed.chat.as_ref().map(start).transpose());
            let cluster = start_cluster(&run, options, installed, &certs);
            let chat = chat.join().map_err(|_| anyhow!("starting the chat model panicked"));
            let embeddings = embeddings.join().map_err(|_| anyhow!("starting the models panicked"));
            let data = data.join().map_err(|_| anyhow!("starting Postgres panicked"));
            (data, embeddings, chat, cluster)
        });
        let Data { database, pooler, neon } = data??;
        let (embeddings, chat) = (embeddings??, chat??);
        let (cluster, operator_kubeconfig) = cluster?;
        let psql = installed.postgres.clone();
        let made = Mutex::default();
        Ok(Self {
            run,
            certs,
            psql,
            database,
            pooler,
            neon,
            cluster,
            operator_kubeconfig,
            embeddings,
            chat,
            has_node: options.node.is_some(),
            made,
        })
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        self.cluster().kubeconfig()
    }

    /// The kubeconfig of the operator's ServiceAccount: a token, and RBAC.
    pub fn operator_kubeconfig(&self) -> &Path {
        self.operator_kubeconfig
            .as_deref()
            .expect("this stack was started without the operator's rights")
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self) -> Command {
        self.cluster().kubectl()
    }

    fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("this stack was started without a cluster")
    }

    /// psql without the user's start-up file, stopping at errors, trusting the stack's authority; give it a URI.
    pub fn psql(&self) -> Command {
        let mut command = self.psql.as_ref().map_or_else(|| Command::new("psql"), PgTree::psql);
        command
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .env("PGSSLROOTCERT", self.ca_file())
            .env("PGCONNECT_TIMEOUT", "20");
        command
    }

    /// The authority that signed the certificate which tenant databases present.
    pub fn ca_file(&self) -> PathBuf {
        self.certs.ca()
    }

    /// Certificate and key of that server certificate.
    pub fn server_cert(&self) -> (PathBuf, PathBuf) {
        (self.certs.cert("postgres"), self.certs.key("postgres"))
    }

    /// The administrator's URL of Postgres, direct.
    pub fn postgres_url(&self) -> &str {
        &self.database.url
    }

    /// `127.0.0.1:…` of the transaction pooler, or why there is none.
    pub fn pooler(&self) -> Result<String, &str> {
        self.pooler.as_ref().map(|port| format!("127.0.0.1:{port}")).map_err(String::as_str)
    }

    /// The Neon API's base URL.
    pub fn neon_api_url(&self) -> &str {
        &self.neon().api_url
    }

    /// The emulator's control routes.
    pub fn neon_control_url(&self) -> &str {
        &self.neon().control_url
    }

    /// The key that the Neon API accepts.
    pub fn neon_api_key(&self) -> &str {
        &self.neon().api_key
    }

    fn neon(&self) -> &Neon {
        self.neon.as_ref().expect("this stack was started without the emulator")
    }

    /// The folder with the log of every part.
    pub fn log_dir(&self) -> &Path {
        self.run.logs()
    }

    /// What was asked of the API server, a line of JSON for each request; only where there is a node.
    pub fn audit_log(&self) -> PathBuf {
        self.run.folder().join(control_plane::AUDIT_LOG)
    }

    /// A folder for whoever uses the stack; gone with it.
    pub fn scratch_dir(&self) -> Result<PathBuf> {
        self.run.subfolder("scratch")
    }

    /// Starts a further program: it dies with us, logs into the log folder, and is stopped first, by SIGTERM. Everything but
    /// its program, arguments, environment changes and folder is set here.
    pub fn spawn(&self, name: &str, command: &Command) -> Result<Child> {
        self.run.spawn(name, command, None, Stop::Gracefully)
    }

    /// Stays until a signal ends this process; an error as soon as a part that runs now has ended by itself.
    pub fn stay(&self) -> Result<Infallible> {
        let parts = self.run.running();
        let ended = poll(Duration::from_secs(u64::MAX / 4), || {
            parts.iter().find(|part| !part.is_running())
        });
        if signals::stopping() {
            signals::wait();
        }
        let part = ended.context("there is nothing to stay for")?;
        bail!("{}\n{}", part.epitaph(), part.last_lines(15))
    }

    /// The operator with everything that it needs to know of this stack; add flags before `spawn`.
    pub fn operator(&self) -> Result<Command> {
        let mut command = Command::new(crate::binary("tenantry-operator")?);
        command.arg("--kubeconfig").arg(self.operator_kubeconfig());
        command.args(["--neon-api-url", self.neon_api_url(), "--listen", "127.0.0.1:0"]);
        command.arg("--tenant-db-ca-file").arg(self.ca_file());
        command.env("NEON_API_KEY", self.neon_api_key()).env_remove("KUBECONFIG");
        Ok(command)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(cluster) = &self.cluster {
            cluster.leave();
        }
        self.drop_databases();
        self.run.stop();
    }
}

struct Data {
    database: Database,
    pooler: Result<u16, String>,
    neon: Option<Neon>,
}

fn start_data(run: &Run, options: &Options, installed: &Installed, certs: &Certs) -> Result<Data> {
    let database = match (&options.postgres_url, &installed.postgres) {
        (Some(url), _) => Database::from_url(url).context(
            "TENANTRY_POSTGRES_URL must read postgresql://user:password@host:port/database",
        )?,
        (None, Some(tree)) => database::start(run, tree, certs, options.node.is_some())?,
        (None, None) => return Err(anyhow!("no Postgres is installed")),
    };
    let pooler = match &installed.pgbouncer {
        Ok(program) => pooler::start(run, program, &database).map_err(|error| format!("{error:#}")),
        Err(reason) => Err(reason.clone()),
    };
    if let (Err(reason), true) = (&pooler, options.pooler) {
        crate::say::line(format!(
            "   no transaction pooler, pooled connections will be refused: {reason}"
        ));
    }
    let port = pooler.as_ref().ok().copied();
    let host = match options.node {
        Some(_) => node::ADDRESS.parse()?,
        None => IpAddr::from(Ipv4Addr::LOCALHOST),
    };
    let start = |options| emulator::start(run, options, certs, &database, port, host);
    let neon = options.emulator.as_ref().map(start).transpose()?;
    Ok(Data { database, pooler, neon })
}

fn start_cluster(
    run: &Run,
    options: &Options,
    installed: &Installed,
    certs: &Certs,
) -> Result<(Option<Cluster>, Option<PathBuf>)> {
    let admit = |cluster: &Cluster| {
        options.operator_rights.then(|| cluster.admit_operator(run)).transpose()
    };
    match (&options.cluster, &installed.kube) {
        (options::Cluster::None, _) => Ok((None, None)),
        (options::Cluster::Existing { trusted }, _) => {
            let cluster = Cluster::existing(run, *trusted)?;
            let operator = admit(&cluster)?;
            Ok((Some(cluster), operator))
        }
        (options::Cluster::Own, Some(tools)) => {
            let api = control_plane::start_api(run, tools, certs, options.node.is_some())?;
            let cluster = Cluster::own(tools.kubectl.clone(), api.kubeconfig.clone());
            let operator = admit(&cluster)?;
            control_plane::start_manager(run, tools, certs, &api)?;
            if let Some(wanted) = &options.node {
                node::start(run, wanted, certs, &api.cluster, || cluster.kubectl())?;
            }
            Ok((Some(cluster), operator))
        }
        (options::Cluster::Own, None) => Err(anyhow!("no control plane is installed")),
    }
}
