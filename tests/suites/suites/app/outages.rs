//! What the app depends on is away. In: a model that is down, slow or wrong; a database that is down; an API server that cannot be
//! reached. Out: calm words, work that goes on by itself, and nothing lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use acceptance::{PATIENCE, TestApp, pdf, wait_until};
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// The real model behind a door that can be shut: 0 is open, 1 never answers, anything else is the status that it answers.
struct Door {
    url: String,
    state: Arc<AtomicU16>,
}

#[derive(Clone)]
struct Behind {
    state: Arc<AtomicU16>,
    model: String,
    http: reqwest::Client,
}

impl Door {
    async fn open() -> Result<Self> {
        let model = acceptance::world()?.stack().embedding_url().to_owned();
        let state = Arc::<AtomicU16>::default();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let behind = Behind { state: state.clone(), model, http };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(pass).with_state(behind)).await
        });
        Ok(Self { url, state })
    }

    fn set(&self, state: u16) {
        self.state.store(state, Ordering::Relaxed);
    }
}

async fn pass(State(behind): State<Behind>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match behind.state.load(Ordering::Relaxed) {
        0 => {}
        1 => std::future::pending::<()>().await,
        status => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            return (status, r#"{"error":{"message":"no","type":"x"}}"#).into_response();
        }
    }
    let path = uri.path().trim_start_matches("/v1");
    let mut request = behind.http.post(format!("{}{path}", behind.model)).body(body);
    for name in ["content-type", "authorization"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            let body = answer.bytes().await.unwrap_or_default();
            (status, [("content-type", "application/json")], Body::from(body)).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn behind_a_door(name: &str) -> Result<(TestApp, Door)> {
    let door = Door::open().await?;
    let setup = TestApp::named(name).env("EMBEDDING_URL", &door.url).env("EMBEDDING_SECONDS", "2");
    Ok((setup.start().await?, door))
}

#[tokio::test]
async fn a_model_that_is_down_delays_and_loses_nothing() -> Result<()> {
    let (app, door) = behind_a_door("model-down").await?;
    let ada = app.ready_person("Ada").await?;
    let first = ada.uploaded("first.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&first, "ready").await?;
    door.set(503);
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    wait_until("an attempt was in vain", PATIENCE, async || {
        ensure!(app.count("select coalesce(max(attempts), 0)::bigint from jobs").await? >= 1);
        Ok(())
    })
    .await?;
    let page = ada.page("/search?q=tufts").await?;
    ensure!(page.text().contains("model"), "{}", page.text());
    door.set(0);
    sqlx::query("update jobs set run_at = now()").execute(&app.db).await?;
    app.wait_stage(&id, "ready").await
}

#[tokio::test]
async fn a_model_that_never_answers_holds_up_no_other_request() -> Result<()> {
    let (app, door) = behind_a_door("model-slow").await?;
    let ada = app.ready_person("Ada").await?;
    let first = ada.uploaded("first.pdf", pdf(&["The lighthouse keeper counts whales."])).await?;
    app.wait_stage(&first, "ready").await?;
    door.set(1);
    ada.uploaded("a.pdf", super::animals()).await?;
    let quick = async {
        for _ in 0..20 {
            ada.get("/documents/list").await?.expect(200)?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, quick).await.context("other requests wait")??;
    let page = tokio::time::timeout(PATIENCE, ada.page("/search?q=tufts")).await??;
    ensure!(page.text().contains("model"), "{}", page.text());
    Ok(())
}

#[tokio::test]
async fn a_refused_key_is_told_and_never_shown() -> Result<()> {
    let door = Door::open().await?;
    let key = "sk-very-secret-key-of-the-model";
    let setup =
        TestApp::named("model-key").env("EMBEDDING_URL", &door.url).env("EMBEDDING_KEY", key);
    let app = setup.start().await?;
    let ada = app.ready_person("Ada").await?;
    door.set(401);
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    wait_until("it is told", PATIENCE, async || {
        let (words,): (Option<String>,) =
            sqlx::query_as("select failure_words from documents where id = $1::uuid")
                .bind(&id)
                .fetch_one(&app.db)
                .await?;
        ensure!(words.is_some(), "no words yet");
        Ok(())
    })
    .await?;
    ensure!(
        !app.log_text().contains(key) && !ada.get("/documents/list").await?.text().contains(key)
    );
    Ok(())
}

#[tokio::test]
async fn a_model_of_another_size_is_refused_at_the_start() -> Result<()> {
    let app =
        TestApp::named("model-size").env("EMBEDDING_DIMENSIONS", "1536").idle().start().await?;
    let _ = tokio::time::timeout(Duration::from_secs(30), app.begin()).await;
    let log = app.log_text();
    ensure!(log.contains("--embedding-dimensions") && log.contains("384"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_down_says_so_and_comes_back() -> Result<()> {
    let app = TestApp::named("db-down")
        .env("TENANT_CONNECT_SECONDS", "2")
        .env("TENANT_IDLE_SECONDS", "1")
        .start()
        .await?;
    let ada = app.ready_person("Ada").await?;
    let id = ada.uploaded("a.pdf", super::animals()).await?;
    app.wait_stage(&id, "ready").await?;
    let (_, object) = app.tenant_of("Ada").await?;
    let project = acceptance::project_id(&app.operator.tenant(&object).await?)?;
    let endpoint = app.operator.neon.endpoint(&project).await?.endpoint_id;
    app.operator.neon.on_endpoint(&endpoint, "refuse").await?;
    app.operator.neon.on_endpoint(&endpoint, "cut").await?;
    wait_until("it says so", PATIENCE, async || {
        let page = ada.page("/search?q=tufts").await?;
        ensure!(page.text().contains("does not answer"), "{} {}", page.status, page.text());
        Ok(())
    })
    .await?;
    ada.get("/documents/list").await?.expect(200)?;
    app.operator.neon.on_endpoint(&endpoint, "accept").await?;
    wait_until("it is back", PATIENCE, async || {
        ensure!(ada.search("tufts").await?.contains(&format!("/documents/{id}?page=2")));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_kubernetes_people_sign_in_and_wait() -> Result<()> {
    let app = TestApp::named("no-kubernetes").idle().start().await?;
    let kubeconfig = app.operator.folder()?.join("nowhere.kubeconfig");
    let nowhere = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nusers: [{name: x, user: {token: x}}]\nclusters: [{name: x, cluster: {server: 'https://127.0.0.1:9'}}]\n";
    std::fs::write(&kubeconfig, nowhere)?;
    drop(app);
    let app = TestApp::named("no-kubernetes-2")
        .env("KUBECONFIG", &kubeconfig.display().to_string())
        .idle()
        .start()
        .await?;
    app.begin_unready().await?;
    ensure!(app.admin("/readyz").await?.0 == 503);
    let ada = app.person("Ada").await?;
    ensure!(ada.page("/documents").await?.expect(200)?.text().contains("Preparing your database"));
    ensure!(app.count("select count(*) from tenants where object_uid is null").await? == 1);
    Ok(())
}
