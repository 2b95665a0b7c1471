//! Every way in which an attempt can fail, sorted by hand: what passes by itself, and what needs a person. In: nothing. Out: errors.

use std::time::Duration;

use operator::error::Error;
use operator::{neon, tenant_db};

fn answer(retry_after: Option<Duration>) -> Box<neon::Answer> {
    Box::new(neon::Answer {
        route: "GET /projects",
        status: 500,
        code: String::new(),
        message: "in Neon's words".to_owned(),
        request_id: None,
        retry_after,
        from_neon: true,
    })
}

/// Any error of the HTTP client, which wants its TLS to be chosen first.
fn source() -> reqwest::Error {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new().get("no address").build().expect_err("it is no address")
}

fn words() -> String {
    "migration 2: x".to_owned()
}

fn kube(code: u16) -> Error {
    let status = kube::core::Status::failure("words", "Reason").with_code(code);
    kube::Error::Api(status.boxed()).into()
}

/// What passes by itself.
pub(super) fn that_pass() -> Vec<Error> {
    use neon::Error as Neon;
    use tenant_db::Error as Database;
    let route = "POST /projects";
    let decode = |mutation| Neon::Decode {
        route,
        mutation,
        status: 200,
        truncated: true,
        problem: "x".to_owned(),
    };
    let no_answer = |mutation| Neon::NoAnswer { route, mutation, timeout: true, source: source() };
    vec![
        Neon::NotFound(answer(None)).into(),
        Neon::Conflict(answer(None)).into(),
        Neon::Locked(answer(None)).into(),
        Neon::RateLimited(answer(None)).into(),
        Neon::RateLimited(answer(Some(Duration::from_secs(9)))).into(),
        Neon::Unavailable(answer(None)).into(),
        Neon::OutcomeUnknown(answer(None)).into(),
        Neon::Unreachable { route, source: source() }.into(),
        no_answer(false).into(),
        no_answer(true).into(),
        decode(false).into(),
        decode(true).into(),
        kube(403),
        kube(500),
        Error::Overtaken,
        Database::Timeout(Duration::from_secs(1)).into(),
        Database::Connect(sqlx::Error::PoolTimedOut).into(),
        Database::Locked(words()).into(),
        Database::Interrupted(words()).into(),
    ]
}

/// What stays until a person acts.
pub(super) fn that_need_a_person() -> Vec<Error> {
    use neon::Error as Neon;
    use tenant_db::Error as Database;
    let argument = Neon::Argument { what: "region", value: "x".to_owned() };
    vec![
        Neon::Unauthorized(answer(None)).into(),
        Neon::Forbidden(answer(None)).into(),
        Neon::LimitReached(answer(None)).into(),
        Neon::Refused(answer(None)).into(),
        argument.into(),
        Neon::Settings("x".to_owned()).into(),
        kube(422),
        Database::Certificate(sqlx::Error::PoolTimedOut).into(),
        Database::Mismatch(words()).into(),
        Database::Migration(words()).into(),
        invalid(),
        Error::DeletionRefused(Neon::Refused(answer(None))),
        Error::Incomplete("no endpoint".to_owned()),
    ]
}

/// A spec that an older definition let through.
fn invalid() -> Error {
    let tenant: crds::VectorTenant = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "acme", "namespace": "team", "uid": "x"}, "spec": {"region": ""},
    }))
    .expect("a tenant");
    let cluster = operator::naming::ClusterId::new("test");
    operator::desired::Desired::new(&tenant, &cluster).expect_err("it has no region").into()
}
