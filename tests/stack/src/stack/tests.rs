//! Parts for the app, as they really run. What they install stays in the cache.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::json;

use super::*;
use crate::{http, paths, tool};

fn small() -> Options {
    Options { pooler: false, ..Options::postgres_only() }
}

fn ask(psql: &mut Command) -> Result<String> {
    Ok(tool::output(psql)?.trim().to_owned())
}

#[test]
fn the_embedding_server_answers_with_its_key_only() -> Result<()> {
    let stack = Stack::start(Options { models: true, ..small() })?;
    let root = stack.embedding_url();
    let key = format!("Bearer {}", stack.embeddings().key);
    let (status, body) = http::get(&format!("{root}/models"), &[("authorization", &key)])?;
    ensure!(status == 200 && body.contains(&stack.embeddings().model), "{status}: {body}");
    assert_eq!(stack.embeddings().dimensions, 384);
    let (status, body) = http::post(&format!("{root}/embeddings"), r#"{"input": "x"}"#)?;
    ensure!(status == 401 && body.contains("invalid_api_key"), "{status}: {body}");
    Ok(())
}

#[test]
fn the_embedding_servers_own_tests_pass() -> Result<()> {
    let wanted = Wanted { kube: false, postgres: false, pooler: false, models: true, chat: false };
    let models = install::install(wanted)?.models.expect("wanted");
    tool::run("tests of the embedding server", &models.tests())
}

#[test]
fn the_chat_models_server_answers_with_its_key_only() -> Result<()> {
    let stack = Stack::start(Options { chat: true, ..small() })?;
    let chat = stack.chat();
    let key = format!("Bearer {}", chat.key);
    let (status, body) = http::get(&format!("{}/models", chat.url), &[("authorization", &key)])?;
    ensure!(status == 200 && body.contains(&chat.model), "{status}: {body}");
    ensure!(chat.context >= 4096, "{chat:?}");
    let (status, body) = http::post(&format!("{}/chat/completions", chat.url), "{}")?;
    ensure!(status == 401 && body.contains("invalid_api_key"), "{status}: {body}");
    Ok(())
}

#[test]
fn the_chat_models_own_tests_pass() -> Result<()> {
    let wanted = Wanted { kube: false, postgres: false, pooler: false, models: false, chat: true };
    let chat = install::install(wanted)?.chat.expect("wanted");
    tool::run("tests of the chat server", &chat.tests())
}

#[test]
fn each_main_database_belongs_to_its_role_alone() -> Result<()> {
    let stack = Stack::start(small())?;
    let (one, two) = (stack.main_database("app")?, stack.main_database("app")?);
    assert_ne!(one, two);
    ask(stack.psql().arg(&one).args(["-c", "create table mine (id int)"]))?;
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(ask(stack.psql().arg(&two).args(["-tAc", tables]))?, "0");
    let refused = ask(stack.psql().arg(&one).args(["-c", "create role other"])).unwrap_err();
    ensure!(refused.to_string().contains("permission denied"), "{refused}");
    let refused = stack.main_database("a; drop").unwrap_err();
    ensure!(refused.to_string().contains("no name"), "{refused}");
    Ok(())
}

#[test]
fn whoever_stays_hears_which_part_has_ended() -> Result<()> {
    let stack = Stack::start(small())?;
    let before = stack.spawn("before", &Command::new("true"))?;
    before.wait(Duration::from_secs(10))?;
    let script = ["-c", "echo its last words; sleep 0.2; exit 7"];
    stack.spawn("short", Command::new("sh").args(script))?;
    let words = stack.stay().unwrap_err().to_string();
    ensure!(
        words.contains("short ended with code 7") && words.contains("its last words"),
        "{words}"
    );
    Ok(())
}

#[test]
fn the_identity_provider_signs_in_and_errs_when_asked() -> Result<()> {
    let stack = Stack::start(small())?;
    let oidc = stack.oidc()?;
    let about = format!("{}/.well-known/openid-configuration", oidc.issuer);
    let (status, body) = http::get(&about, &[])?;
    ensure!(status == 200 && body.contains("authorization_endpoint"), "{status}: {body}");
    let set = oidc.control(&json!({ "user": "mallory", "fault": "nonce" }))?;
    assert_eq!(set["faults"]["mallory"]["fault"], "nonce");
    let refused = oidc.control(&json!({ "fault": "nonsense" })).unwrap_err().to_string();
    ensure!(refused.contains("there are nonce"), "{refused}");

    let mut app = Command::new("true");
    oidc.configure(app.env("PUBLIC_URL", "http://127.0.0.1:1"))?;
    let set = oidc.control(&json!({}))?;
    assert_eq!(set["redirect_uris"], json!(["http://127.0.0.1:1/sign-in/oidc/callback"]));
    let folder = install::npm(&paths::checkout().join("tests/oidc"))?;
    let mut test = Command::new("node");
    tool::run("tests of the identity provider", test.arg("--test").current_dir(folder))
}

#[test]
fn the_bucket_is_there_and_wants_signatures() -> Result<()> {
    let stack = Stack::start(small())?;
    let s3 = stack.s3()?;
    let (status, body) = http::get(&format!("{}/{}/x", s3.endpoint, s3.bucket), &[])?;
    ensure!(status == 403 && body.contains("AccessDenied"), "{status}: {body}");
    Ok(())
}

#[test]
fn the_apps_account_may_make_tenants_and_read_secrets_in_its_namespace_only() -> Result<()> {
    let stack = Stack::start(Options { emulator: None, pooler: false, ..Options::default() })?;
    let config = stack.app_kubeconfig("tenants")?;
    let may = |config: &Path, namespace: &str, verb: &str, what: &str| -> Result<bool> {
        let mut kubectl = stack.kubectl();
        kubectl.arg(format!("--kubeconfig={}", config.display()));
        kubectl.args(["auth", "can-i", verb, what, "--namespace", namespace]);
        Ok(kubectl.output()?.status.success())
    };
    let tenants = ["create", "get", "list", "watch", "delete"].map(|verb| (verb, "vectortenants"));
    for (verb, what) in tenants.into_iter().chain([("get", "secrets")]) {
        ensure!(may(&config, "tenants", verb, what)?, "it may not {verb} {what}");
        ensure!(!may(&config, "default", verb, what)?, "it may {verb} {what} elsewhere");
    }
    for (verb, what) in [
        ("patch", "vectortenants"),
        ("update", "vectortenants/status"),
        ("deletecollection", "vectortenants"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "secrets"),
        ("get", "configmaps"),
    ] {
        ensure!(!may(&config, "tenants", verb, what)?, "it may {verb} {what}");
    }
    Ok(())
}
