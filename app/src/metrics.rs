//! What is counted, for Prometheus. Labels come from fixed sets: a person, a tenant or a path never becomes one.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Named {
    name: String,
}

type Histograms = Family<Named, Histogram, fn() -> Histogram>;

/// All of the app's metrics; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<All>);

struct All {
    requests: Family<Request, Counter>,
    request_seconds: Family<Named, Histogram, fn() -> Histogram>,
    sign_ins: Family<Named, Counter>,
    ingest_stages: Histograms,
    ingests: Family<Named, Counter>,
    searches: Histograms,
    answers: Family<Named, Counter>,
    answer_stages: Histograms,
    model_calls: Family<Named, Counter>,
    model_seconds: Histogram,
    open_pools: Gauge,
    streams: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
    ])
}

impl All {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "tenantry_app_requests",
            "Requests by route template and status",
            self.requests.clone(),
        );
        registry.register(
            "tenantry_app_request_seconds",
            "Time to an answer's head by route template",
            self.request_seconds.clone(),
        );
        registry.register("tenantry_app_sign_ins", "Sign-ins by outcome", self.sign_ins.clone());
        registry.register(
            "tenantry_app_ingest_stage_seconds",
            "Time of a document's stages",
            self.ingest_stages.clone(),
        );
        registry.register(
            "tenantry_app_ingests",
            "Documents by how their ingestion ended",
            self.ingests.clone(),
        );
        registry.register(
            "tenantry_app_search_seconds",
            "Time of a search's stages",
            self.searches.clone(),
        );
        registry.register(
            "tenantry_app_answers",
            "Answers in chats by how they ended",
            self.answers.clone(),
        );
        registry.register(
            "tenantry_app_answer_seconds",
            "Time of an answer's stages",
            self.answer_stages.clone(),
        );
        registry.register(
            "tenantry_app_model_calls",
            "Requests to the embedding model by outcome",
            self.model_calls.clone(),
        );
        registry.register(
            "tenantry_app_model_seconds",
            "Time of a request to the embedding model",
            self.model_seconds.clone(),
        );
        registry.register(
            "tenantry_app_tenant_pools",
            "Tenants whose databases are connected",
            self.open_pools.clone(),
        );
        registry.register(
            "tenantry_app_streams",
            "Browsers that listen for changes",
            self.streams.clone(),
        );
    }
}

impl Metrics {
    /// Registers all.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let histograms = || Family::new_with_constructor(seconds as fn() -> Histogram);
        let all = All {
            requests: Family::default(),
            request_seconds: histograms(),
            sign_ins: Family::default(),
            ingest_stages: histograms(),
            ingests: Family::default(),
            searches: histograms(),
            answers: Family::default(),
            answer_stages: histograms(),
            model_calls: Family::default(),
            model_seconds: seconds(),
            open_pools: Gauge::default(),
            streams: Gauge::default(),
        };
        all.register(registry);
        Self(Arc::new(all))
    }

    /// A request was answered.
    pub fn request(&self, method: &str, route: &str, status: u16, elapsed: Duration) {
        let labels = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.0.requests.get_or_create(&labels).inc();
        self.0.request_seconds.get_or_create(&named(route)).observe(elapsed.as_secs_f64());
    }

    /// A sign-in ended so: `ok`, or why not.
    pub fn sign_in(&self, outcome: &str) {
        self.0.sign_ins.get_or_create(&named(outcome)).inc();
    }

    /// A stage of an ingestion took so long: `reading`, `embedding`, `storing`.
    pub fn ingest_stage(&self, stage: &str, elapsed: Duration) {
        self.0.ingest_stages.get_or_create(&named(stage)).observe(elapsed.as_secs_f64());
    }

    /// An ingestion ended so: `ready`, `retry`, or a failure's code.
    pub fn ingest_finished(&self, outcome: &str) {
        self.0.ingests.get_or_create(&named(outcome)).inc();
    }

    /// A stage of a search took so long: `embed`, `query`.
    pub fn search(&self, stage: &str, elapsed: Duration) {
        self.0.searches.get_or_create(&named(stage)).observe(elapsed.as_secs_f64());
    }

    /// An answer ended so: `done`, `stopped`, `failed`.
    pub fn answer(&self, outcome: &str, elapsed: Duration) {
        self.0.answers.get_or_create(&named(outcome)).inc();
        self.answer_stage("whole", elapsed);
    }

    /// A stage of an answer took so long: `sources`, `first_text`, `whole`.
    pub fn answer_stage(&self, stage: &str, elapsed: Duration) {
        self.0.answer_stages.get_or_create(&named(stage)).observe(elapsed.as_secs_f64());
    }

    /// A request to the embedding model ended so: `ok`, or a category of errors.
    pub fn model_call(&self, outcome: &str, elapsed: Duration) {
        self.0.model_calls.get_or_create(&named(outcome)).inc();
        self.0.model_seconds.observe(elapsed.as_secs_f64());
    }

    /// So many tenants' databases are connected.
    pub fn open_pools(&self, count: u64) {
        self.0.open_pools.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A browser listens for changes, until what is returned is dropped.
    #[must_use]
    pub fn stream(&self) -> Listening {
        self.0.streams.inc();
        Listening(self.0.streams.clone())
    }
}

/// A browser that listens.
#[derive(Debug)]
pub struct Listening(Gauge);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn named(name: &str) -> Named {
    Named { name: name.to_owned() }
}
