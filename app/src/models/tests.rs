//! Every fault of an embedding API, against a small server in this process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use clap::{Args as _, FromArgMatches};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "sk-very-secret-0123456789";

/// What the server does next.
#[derive(Clone)]
enum Act {
    Say(u16, String),
    SayAfter(u16, &'static str),
    Stall,
    Vectors,
    VectorsOf(usize),
    OneTooMany,
}

#[derive(Default)]
struct Seen {
    acts: VecDeque<Act>,
    requests: Vec<(HeaderMap, Value)>,
}

type Shared = Arc<Mutex<Seen>>;

async fn answer(
    State(seen): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let count = body["input"].as_array().map_or(0, Vec::len);
    let act = {
        let mut seen = seen.lock().unwrap();
        seen.requests.push((headers, body));
        // The last act is repeated for ever.
        if seen.acts.len() > 1 { seen.acts.pop_front() } else { seen.acts.front().cloned() }
    };
    let vectors = |count: usize, length: usize| {
        let item =
            |index: usize| json!({"index": index, "embedding": vec![index as f32 + 1.0; length]});
        let data: Vec<Value> = (0..count).rev().map(item).collect();
        Json(json!({"object": "list", "data": data})).into_response()
    };
    match act.unwrap_or(Act::Vectors) {
        Act::Say(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Act::SayAfter(status, seconds) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", seconds)], "slow down")
                .into_response()
        }
        Act::Stall => std::future::pending().await,
        Act::Vectors => vectors(count, 4),
        Act::VectorsOf(length) => vectors(count, length),
        Act::OneTooMany => vectors(count + 1, 4),
    }
}

fn embeddings(url: &str, more: &[&str]) -> Result<Embeddings, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fixed =
        ["models", "--embedding-url", url, "--embedding-key", KEY, "--embedding-model", "mini"];
    let rest = ["--embedding-dimensions", "4", "--embedding-batch", "2"];
    let command = ModelArgs::augment_args(clap::Command::new("models"));
    let matches =
        command.args_override_self(true).get_matches_from([&fixed[..], &rest, more].concat());
    let args = ModelArgs::from_arg_matches(&matches).unwrap();
    Embeddings::new(&args, Metrics::new(&mut Registry::default()))
}

async fn server(acts: impl IntoIterator<Item = Act>, more: &[&str]) -> (Embeddings, Shared) {
    let seen = Shared::default();
    seen.lock().unwrap().acts = acts.into_iter().collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/embeddings", post(answer)).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (embeddings(&url, more).unwrap(), seen)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number}")).collect()
}

#[tokio::test]
async fn texts_go_in_batches_and_come_back_in_order() {
    let (model, seen) = server([], &[]).await;
    let vectors = model.embed(&texts(5)).await.unwrap();
    assert_eq!(
        vectors.iter().map(|vector| vector[0]).collect::<Vec<_>>(),
        [1.0, 2.0, 1.0, 2.0, 1.0]
    );
    let requests = &seen.lock().unwrap().requests;
    assert_eq!(requests.len(), 3);
    let (headers, body) = &requests[0];
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(body["model"], "mini");
    assert_eq!(body.get("dimensions"), None, "only some models take the word");
    assert_eq!(body["encoding_format"], "base64");
}

#[tokio::test]
async fn an_api_that_refuses_base64_is_asked_for_numbers_from_then_on() {
    let body =
        json!({"error": {"message": "Unsupported value", "param": "encoding_format"}}).to_string();
    let (model, seen) = server([Act::Say(400, body), Act::Vectors], &[]).await;
    model.embed_query("hello").await.unwrap();
    model.embed_query("again").await.unwrap();
    let requests = &seen.lock().unwrap().requests;
    let forms: Vec<_> = requests.iter().map(|(_, body)| body["encoding_format"].clone()).collect();
    assert_eq!(forms, ["base64", "float", "float"]);
}

#[tokio::test]
async fn nothing_is_asked_for_nothing() {
    let (model, seen) = server([], &[]).await;
    assert_eq!(model.embed(&[]).await, Ok(Vec::new()));
    assert!(seen.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn models_that_can_give_shorter_vectors_are_asked_for_them() {
    let (model, seen) = server([], &["--embedding-model", "openai/text-embedding-3-small"]).await;
    model.embed_query("hello").await.unwrap();
    assert_eq!(seen.lock().unwrap().requests[0].1["dimensions"], 4);
}

#[tokio::test]
async fn a_wrong_key_is_a_refusal_that_does_not_show_the_key() {
    let body =
        json!({"error": {"message": format!("Incorrect API key provided: {KEY}")}}).to_string();
    let (model, seen) = server([Act::Say(401, body)], &[]).await;
    let error = model.embed_query("hello").await.unwrap_err();
    let words = format!("{error} {error:?} {model:?}");
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(
        words.contains("check --embedding-key") && words.contains("Incorrect API key"),
        "{words}"
    );
    assert!(!words.contains(KEY), "{words}");
    assert_eq!(seen.lock().unwrap().requests.len(), 1, "asking again would not help");
    assert_eq!(model.check().await, Ok(()), "documents can be shown without the model");
}

#[tokio::test]
async fn refusals_say_which_flag_to_look_at() {
    let quota =
        json!({"error": {"message": "no credit", "code": "insufficient_quota"}}).to_string();
    let cases = [
        (404, "no such model".to_owned(), "--embedding-model"),
        (400, "too long".to_owned(), "too long"),
        (307, String::new(), "--embedding-url"),
        (429, quota, "no credit"),
    ];
    for (status, body, words) in cases {
        let (model, seen) = server([Act::Say(status, body)], &[]).await;
        let error = model.embed_query("hello").await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && error.to_string().contains(words), "{error}");
        assert_eq!(seen.lock().unwrap().requests.len(), 1);
    }
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let (model, seen) =
        server([Act::SayAfter(429, "0"), Act::Say(500, String::new()), Act::Vectors], &[]).await;
    assert!(model.embed_query("hello").await.is_ok());
    assert_eq!(seen.lock().unwrap().requests.len(), 3);
}

#[tokio::test]
async fn retry_after_is_honoured_and_no_longer_than_anybody_waits() {
    let started = Instant::now();
    let (model, _) = server([Act::SayAfter(503, "1"), Act::Vectors], &[]).await;
    assert!(model.embed_query("hello").await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    let started = Instant::now();
    let (model, _) = server([Act::SayAfter(503, "3600")], &[]).await;
    let error = model.embed_query("hello").await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable(_)) && started.elapsed() < Duration::from_secs(5),
        "{error}"
    );
}

#[tokio::test]
async fn a_model_that_fails_for_ever_is_given_up_on() {
    let (model, seen) =
        server([Act::Say(500, "out of memory".to_owned())], &["--embedding-seconds", "1"]).await;
    let error = model.embed(&texts(1)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(words) if words.contains("out of memory")),
        "{error}"
    );
    assert!(seen.lock().unwrap().requests.len() > 1);
}

#[tokio::test]
async fn a_slow_model_is_not_waited_for() {
    let (model, _) = server([Act::Stall], &["--embedding-seconds", "0.2"]).await;
    let error = model.embed_query("hello").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let (model, _) = server([Act::Stall, Act::Vectors], &["--embedding-seconds", "0.5"]).await;
    assert!(model.embed(&texts(1)).await.is_ok(), "the second attempt is answered");
}

#[tokio::test]
async fn garbage_is_no_vector() {
    for garbage in [
        "<html>hello</html>",
        "{}",
        r#"{"data": 1}"#,
        r#"{"data": [{"index": 0, "embedding": "AAAA"}]}"#,
        "",
    ] {
        let (model, _) =
            server([Act::Say(200, garbage.to_owned())], &["--embedding-seconds", "0.3"]).await;
        let error = model.embed_query("hello").await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{garbage}: {error}");
    }
}

#[tokio::test]
async fn a_wrong_number_of_vectors_is_refused() {
    let (model, _) = server([Act::OneTooMany], &[]).await;
    let error = model.embed(&texts(2)).await.unwrap_err();
    assert!(error.to_string().contains("3 vectors for 2 texts"), "{error}");
}

#[tokio::test]
async fn other_dimensions_are_refused_at_the_start_with_the_remedy() {
    let (model, _) = server([Act::VectorsOf(3)], &[]).await;
    let words = model.check().await.unwrap_err();
    assert!(words.contains("set --embedding-dimensions to 3"), "{words}");
    let error = model.embed(&texts(1)).await.unwrap_err();
    assert_eq!(error, Error::Dimensions { expected: 4, got: 3 });
}

#[tokio::test]
async fn nobody_there_is_an_outage() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let model = embeddings(&url, &["--embedding-seconds", "0.5"]).unwrap();
    let error = model.embed(&texts(1)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(words) if words.contains("no connection")),
        "{error}"
    );
    assert_eq!(model.check().await, Ok(()), "an outage is no reason not to start");
}

#[test]
fn addresses_and_keys_that_cannot_work_name_their_flag() {
    for url in ["ftp://host/v1", "https://host/v1?key=1", "https://user:word@host/v1"] {
        assert!(embeddings(url, &[]).unwrap_err().contains("--embedding-url"), "{url}");
    }
    let error = embeddings("https://host/v1", &["--embedding-key", "a\nb"]).unwrap_err();
    assert!(error.contains("--embedding-key") && !error.contains("a\nb"), "{error}");
}
