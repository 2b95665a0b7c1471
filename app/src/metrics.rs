//! What is counted, for Prometheus. Labels come from fixed sets: a person, a tenant or a path never becomes one.
//!
//! In: what happened, from wherever it does. Out: counts and times in the registry; [`Scrape`] adds what is only looked up when
//! somebody asks. What can be listed is there from the start with zero: a count that is not there cannot be seen to rise.

mod labels;
mod running;
mod scrape;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::ingest::failure::Failure;
use labels::{
    JobLabels, KindLabel, ModelLabel, ModelOutcome, Outcome, Phase, Request, Route, Stage,
};
use running::Work;
pub use running::{Listening, ModelCall, Running};
pub use scrape::Scrape;

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// All of the app's metrics; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<All>);

struct All {
    requests: Family<Request, Counter>,
    request_seconds: Histograms<Route>,
    sign_ins: Family<Outcome, Counter>,
    ingest_stages: Histograms<Stage>,
    ingests: Family<Outcome, Counter>,
    searches: Histograms<Stage>,
    answers: Family<Outcome, Counter>,
    answer_stages: Histograms<Stage>,
    model_calls: Family<ModelOutcome, Counter>,
    model_seconds: Histograms<ModelLabel>,
    open_pools: Gauge,
    streams: Gauge,
    tenants: Family<Phase, Gauge>,
    jobs: Family<JobLabels, Gauge>,
    oldest_waiting: Family<KindLabel, Seconds>,
    longest_running: Family<KindLabel, Seconds>,
    database_up: Gauge,
    work: Work,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
    ])
}

fn histograms<L: Clone + Eq + std::hash::Hash>() -> Histograms<L> {
    Family::new_with_constructor(seconds as fn() -> Histogram)
}

impl All {
    fn new() -> Self {
        Self {
            requests: Family::default(),
            request_seconds: histograms(),
            sign_ins: Family::default(),
            ingest_stages: histograms(),
            ingests: Family::default(),
            searches: histograms(),
            answers: Family::default(),
            answer_stages: histograms(),
            model_calls: Family::default(),
            model_seconds: histograms(),
            open_pools: Gauge::default(),
            streams: Gauge::default(),
            tenants: Family::default(),
            jobs: Family::default(),
            oldest_waiting: Family::default(),
            longest_running: Family::default(),
            database_up: Gauge::default(),
            work: Work::default(),
        }
    }

    /// What is counted, with zeros.
    fn begin(&self) {
        let all = |family: &Family<Outcome, Counter>, outcomes: &[&'static str]| {
            outcomes.iter().for_each(|outcome| drop(family.get_or_create(&Outcome::of(outcome))));
        };
        all(&self.sign_ins, &["ok", "unknown_state", "cancelled", "provider", "token"]);
        all(&self.ingests, &["ready", "retry"]);
        all(&self.ingests, &Failure::CODES);
        all(&self.answers, &["done", "stopped", "failed"]);
        for model in ["embedding", "chat"] {
            for outcome in ["ok", "unavailable", "refused", "too_long", "dimensions", "abandoned"] {
                let _ = self.model_calls.get_or_create(&ModelOutcome { model, outcome });
            }
        }
    }

    fn register_people(&self, registry: &mut Registry) {
        registry.register(
            "tenantry_app_requests",
            "Requests by method, route template and status",
            self.requests.clone(),
        );
        registry.register(
            "tenantry_app_request_seconds",
            "Time to an answer's head by route template",
            self.request_seconds.clone(),
        );
        registry.register("tenantry_app_sign_ins", "Sign-ins by outcome", self.sign_ins.clone());
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
            "tenantry_app_streams",
            "Browsers that listen for changes",
            self.streams.clone(),
        );
        registry.register("tenantry_app_tenants", "Tenants by phase", self.tenants.clone());
        registry.register(
            "tenantry_app_tenant_pools",
            "Tenants whose databases are connected",
            self.open_pools.clone(),
        );
    }

    fn register_work(&self, registry: &mut Registry) {
        registry.register(
            "tenantry_app_ingest_stage_seconds",
            "Time of the stages of a document that became searchable",
            self.ingest_stages.clone(),
        );
        registry.register(
            "tenantry_app_ingests",
            "Attempts to make a document searchable by how they ended",
            self.ingests.clone(),
        );
        registry.register(
            "tenantry_app_jobs",
            "Jobs in the queue of all processes, by kind and state",
            self.jobs.clone(),
        );
        registry.register(
            "tenantry_app_oldest_waiting_job_seconds",
            "Age of the oldest job in the queue that nobody works on",
            self.oldest_waiting.clone(),
        );
        registry.register(
            "tenantry_app_longest_running_job_seconds",
            "For how long this process has worked on the job that takes longest",
            self.longest_running.clone(),
        );
        registry.register(
            "tenantry_app_model_calls",
            "Requests to the models by outcome",
            self.model_calls.clone(),
        );
        registry.register(
            "tenantry_app_model_seconds",
            "Time of a request to a model, to its end",
            self.model_seconds.clone(),
        );
        registry.register(
            "tenantry_app_database_up",
            "Whether the main database answered when it was last asked: 1 or 0",
            self.database_up.clone(),
        );
    }
}

impl Metrics {
    /// Registers all.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let all = All::new();
        all.begin();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("tenantry_app_build", "Version of the running app", build);
        all.register_people(registry);
        all.register_work(registry);
        process::metrics::register(registry);
        Self(Arc::new(all))
    }

    /// A request was answered.
    pub fn request(&self, method: &str, route: &str, status: u16, elapsed: Duration) {
        let labels = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.0.requests.get_or_create(&labels).inc();
        let route = Route { route: route.to_owned() };
        self.0.request_seconds.get_or_create(&route).observe(elapsed.as_secs_f64());
    }

    /// A sign-in ended so: `ok`, or why not.
    pub fn sign_in(&self, outcome: &'static str) {
        self.0.sign_ins.get_or_create(&Outcome::of(outcome)).inc();
    }

    /// A stage of an ingestion took so long: `waiting`, `reading`, `embedding`, `storing`.
    pub fn ingest_stage(&self, stage: &'static str, elapsed: Duration) {
        self.0.ingest_stages.get_or_create(&Stage { stage }).observe(elapsed.as_secs_f64());
    }

    /// An ingestion ended so: `ready`, `retry`, or a failure's code.
    pub fn ingest_finished(&self, outcome: &'static str) {
        self.0.ingests.get_or_create(&Outcome::of(outcome)).inc();
    }

    /// A stage of a search took so long: `embed`, `query`.
    pub fn search(&self, stage: &'static str, elapsed: Duration) {
        self.0.searches.get_or_create(&Stage { stage }).observe(elapsed.as_secs_f64());
    }

    /// An answer ended so: `done`, `stopped`, `failed`.
    pub fn answer(&self, outcome: &'static str, elapsed: Duration) {
        self.0.answers.get_or_create(&Outcome::of(outcome)).inc();
        self.answer_stage("whole", elapsed);
    }

    /// A stage of an answer took so long: `sources`, `first_text`, `whole`.
    pub fn answer_stage(&self, stage: &'static str, elapsed: Duration) {
        self.0.answer_stages.get_or_create(&Stage { stage }).observe(elapsed.as_secs_f64());
    }

    /// A request to a model begins: `embedding` or `chat`.
    #[must_use]
    pub fn model_call(&self, model: &'static str) -> ModelCall {
        ModelCall::new(self.clone(), model)
    }

    /// A request to a model ended so: `ok`, a category of errors, or `abandoned` where nobody wanted the answer any more.
    fn model_called(&self, model: &'static str, outcome: &'static str, started: Instant) {
        self.0.model_calls.get_or_create(&ModelOutcome { model, outcome }).inc();
        let seconds = started.elapsed().as_secs_f64();
        self.0.model_seconds.get_or_create(&ModelLabel { model }).observe(seconds);
    }

    /// A browser listens for changes, until what is returned is dropped.
    #[must_use]
    pub fn stream(&self) -> Listening {
        Listening::new(&self.0.streams)
    }

    /// A job of this kind is worked on, until what is returned is dropped.
    #[must_use]
    pub fn job(&self, kind: &'static str) -> Running {
        self.0.work.begin(kind)
    }
}
