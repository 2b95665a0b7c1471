//! The release, and everything that it needs beside it: Secrets, a main database, a bucket, models, an identity provider.
//!
//! In: the stack with its node. Out: [`Installation`], which Helm installs, upgrades and removes.

use std::path::PathBuf;
use std::process::Command;

use acceptance::{Front, Person, Space, World, run, world};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::node::ADDRESS;
use stack::{Oidc, S3, install, paths};

/// Name of the release; the objects are named after it.
pub(crate) const RELEASE: &str = "tenantry";
/// Where it is installed.
pub(crate) const SYSTEM: &str = "tenantry-system";
/// Where people's tenants are.
pub(crate) const TENANTS: &str = "tenants";
/// Seconds after which a silent leader is replaced.
pub(crate) const LEASE_SECONDS: u64 = 6;

pub(crate) struct Installation {
    pub(crate) world: &'static World,
    pub(crate) front: Front,
    /// The Neon API with TLS: without, the operator sends its key to no other host.
    neon: Front,
    pub(crate) oidc: Oidc,
    /// Tenants that a platform team declares.
    pub(crate) platform: Space,
    helm: PathBuf,
    values: PathBuf,
    s3: S3,
}

impl Installation {
    /// Starts what is outside the cluster and puts the Secrets into it.
    pub(crate) async fn prepare() -> Result<Self> {
        let world = tokio::task::spawn_blocking(world).await??;
        let stack = world.stack();
        let (certificate, key) = stack.server_cert();
        let front = Front::start("127.0.0.1", (&certificate, &key)).await?;
        let neon = Front::start(ADDRESS, (&certificate, &key)).await?;
        let api = url::Url::parse(stack.neon_api_url())?;
        neon.lead_to(
            api.socket_addrs(|| None)?.first().context("the Neon API's address")?.to_string(),
        );
        let (oidc, s3, helm, database) = tokio::task::spawn_blocking(move || {
            let helm = install::go_program("helm")?;
            anyhow::Ok((stack.oidc()?, stack.s3()?, helm, stack.main_database("app")?))
        })
        .await??;
        oidc.admit(&front.url)?;
        let values = stack.scratch_dir()?.join("values.json");
        run(kubectl(world, &["create", "namespace", "platform"])).await?.success()?;
        run(kubectl(world, &["create", "namespace", SYSTEM])).await?.success()?;
        let platform = Space::of("platform").await?;
        let it = Self { world, front, neon, oidc, platform, helm, values, s3 };
        std::fs::write(&it.values, it.settings().to_string())?;
        it.secrets(&from_pods(&database)).await?;
        Ok(it)
    }

    async fn secrets(&self, database: &str) -> Result<()> {
        let stack = self.world.stack();
        let authority = std::fs::read_to_string(stack.ca_file())?;
        let secrets = [
            ("neon", json!({"api-key": stack.neon_api_key()})),
            ("authority", json!({"ca.crt": authority})),
            ("main-database", json!({"uri": database})),
            ("oidc", json!({"client-secret": self.oidc.client_secret})),
            (
                "s3",
                json!({"access-key-id": self.s3.access_key, "secret-access-key": self.s3.secret_key}),
            ),
            ("embedding", json!({"api-key": stack.embeddings().key})),
            ("chat", json!({"api-key": stack.chat().key})),
        ];
        let list: Vec<Value> = secrets
            .into_iter()
            .map(|(name, data)| {
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
            })
            .collect();
        let file = stack.scratch_dir()?.join("secrets.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": list});
        std::fs::write(&file, list.to_string())?;
        let file = file.display().to_string();
        self.kubectl(&["--namespace", SYSTEM, "apply", "--server-side", "-f", &file])
            .await
            .map(drop)
    }

    fn settings(&self) -> Value {
        let stack = self.world.stack();
        let (embeddings, chat) = (stack.embeddings(), stack.chat());
        let s3 = json!({
            "url": format!("s3://{}/app", self.s3.bucket), "endpoint": from_pods(&self.s3.endpoint),
            "region": self.s3.region, "existingSecret": "s3",
        });
        // The Neon API's and the identity provider's certificates are from an authority of our own.
        let volumes = json!([{"name": "authority", "secret": {"secretName": "authority"}}]);
        let mounts =
            json!([{"name": "authority", "mountPath": "/etc/authority", "readOnly": true}]);
        let trust = json!([{"name": "SSL_CERT_FILE", "value": "/etc/authority/ca.crt"}]);
        json!({
            "neon": {
                "apiKey": {"existingSecret": "neon"}, "apiUrl": format!("{}/api/v2", self.neon.url),
                "timeoutSeconds": 10, "createGraceSeconds": 12,
            },
            "tenantDatabases": {"ca": {"existingSecret": "authority"}},
            "operator": {
                "leaderElection": {"leaseSeconds": LEASE_SECONDS}, "resyncSeconds": 15,
                "extraVolumes": volumes, "extraVolumeMounts": mounts, "extraEnv": trust,
            },
            "app": {
                "enabled": true, "replicas": 2, "publicUrl": self.front.url, "tenantsNamespace": TENANTS,
                "database": {"existingSecret": "main-database"},
                "oidc": {
                    "issuer": self.oidc.issuer, "clientId": self.oidc.client_id,
                    "existingSecret": "oidc", "name": "Example",
                },
                "files": {"s3": s3},
                "limits": {"requestsPerMinute": 10_000},
                "embedding": {
                    "url": embeddings.url, "model": embeddings.model,
                    "dimensions": embeddings.dimensions, "existingSecret": "embedding",
                },
                "chat": {
                    "url": chat.url, "model": chat.model, "existingSecret": "chat",
                    "contextTokens": chat.context, "answerTokens": 160, "concurrency": 2,
                },
                "extraVolumes": volumes, "extraVolumeMounts": mounts, "extraEnv": trust,
            },
        })
    }

    /// Installs, or upgrades with one more value, and waits until all pods are ready.
    pub(crate) async fn helm_upgrade(&self, set: &[&str]) -> Result<()> {
        let mut helm = self.helm();
        helm.args(["upgrade", "--install", RELEASE]).arg(paths::checkout().join("charts/tenantry"));
        helm.args(["--wait", "--timeout", "180s", "--values"]).arg(&self.values);
        for value in set {
            helm.args(["--set", value]);
        }
        run(helm).await?.success().map(drop)
    }

    /// The folders of kubectl and helm, as PATH lists them.
    pub(crate) fn programs(&self) -> String {
        let kubectl = self.world.kubectl();
        let folders =
            [std::path::Path::new(kubectl.get_program()), &self.helm].map(|file| file.parent());
        folders
            .into_iter()
            .flatten()
            .map(|folder| folder.display().to_string())
            .collect::<Vec<_>>()
            .join(":")
    }

    /// `helm` in the release's namespace.
    pub(crate) fn helm(&self) -> Command {
        let mut helm = Command::new(&self.helm);
        helm.arg("--kubeconfig").arg(self.world.stack().kubeconfig());
        helm.args(["--namespace", SYSTEM]);
        helm
    }

    /// As a user would, and then finds the app's Service.
    pub(crate) async fn install(&self) -> Result<()> {
        self.helm_upgrade(&[]).await?;
        let address = [
            "get",
            "service",
            "tenantry-app",
            "--output",
            "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}",
        ];
        let address = self.kubectl(&[&["--namespace", SYSTEM], &address[..]].concat()).await?;
        ensure!(address.len() > 8, "the Service is at {address:?}");
        self.front.lead_to(address);
        Ok(())
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<String> {
        run(kubectl(self.world, args)).await?.success()
    }

    /// The same, as JSON.
    pub(crate) async fn get(&self, args: &[&str]) -> Result<Value> {
        let args = [&["get", "--output", "json"], args].concat();
        serde_json::from_str(&self.kubectl(&args).await?).context("kubectl's JSON")
    }

    /// Somebody at a browser who has signed in.
    pub(crate) async fn person(&self, name: &str) -> Result<Person> {
        let authority = std::fs::read(self.world.stack().ca_file())?;
        let person = Person::trusting(&authority, &self.front.url)?;
        let back = person.way_back(name).await?;
        let answer = person.page(&back).await?.expect(303)?;
        ensure!(answer.location().ends_with("/documents"), "{}", answer.location());
        Ok(person)
    }

    /// The pod that holds the Lease.
    pub(crate) async fn leader(&self) -> Result<String> {
        let lease = self.get(&["--namespace", SYSTEM, "lease/tenantry-operator"]).await?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let (pod, _) = holder.rsplit_once('_').context("nobody holds the lease")?;
        Ok(pod.to_owned())
    }

    /// What pods, Events and logs say.
    pub(crate) async fn diagnosis(&self) -> String {
        let system = ["--namespace", SYSTEM];
        let asked: [&[&str]; 6] = [
            &["get", "pods,leases", "--output", "wide"],
            &["get", "vectortenants", "--all-namespaces", "--output", "wide"],
            &["get", "events", "--sort-by", ".lastTimestamp"],
            &[
                "logs",
                "--selector",
                "app.kubernetes.io/component=operator",
                "--tail",
                "25",
                "--prefix",
            ],
            &["logs", "--selector", "app.kubernetes.io/component=app", "--tail", "25", "--prefix"],
            &[
                "logs",
                "--selector",
                "app.kubernetes.io/component=app",
                "--container",
                "migrate",
                "--tail",
                "5",
            ],
        ];
        let mut told = String::new();
        for args in asked {
            let said = self.kubectl(&[&system, args].concat()).await;
            told += &format!(
                "$ kubectl {}\n{}\n",
                args.join(" "),
                said.unwrap_or_else(|error| format!("{error:#}"))
            );
        }
        told
    }
}

fn kubectl(world: &World, args: &[&str]) -> Command {
    let mut kubectl = world.kubectl();
    kubectl.args(args);
    kubectl
}

/// An address on the node's loopback, as pods reach it.
pub(crate) fn from_pods(address: &str) -> String {
    address.replace("127.0.0.1", ADDRESS)
}
