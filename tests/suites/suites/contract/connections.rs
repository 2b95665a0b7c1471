//! The connection strings that the API hands out, in an unmodified libpq: TLS, channel binding, the pooler, wrong names,
//! scale to zero.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::lab::{Lab, text};

#[tokio::test]
async fn uris_work_with_every_ssl_mode_but_without_tls() -> Result<()> {
    let lab = Lab::start("contract/connections/tls", &[])?;
    let made = lab.project("t").await?;
    let uri = text(&made, "/connection_uris/0/connection_uri")?;
    ensure!(uri.ends_with("/neondb?sslmode=require"), "{uri}");
    for mode in ["require", "verify-ca", "verify-full", "require&channel_binding=require"] {
        let uri = uri.replace("sslmode=require", &format!("sslmode={mode}"));
        ensure!(lab.psql(&uri, "select 40 + 2").await? == Ok("42".to_owned()), "{mode}");
    }
    let clear = lab
        .psql(&uri.replace("=require", "=disable"), "select 1")
        .await?
        .err()
        .context("no error")?;
    ensure!(clear.contains("connection is insecure (try using `sslmode=require`)"), "{clear}");
    let stranger = lab.stack.scratch_dir()?.join("stranger.pem");
    std::fs::copy(lab.stack.server_cert().0, &stranger)?;
    let other =
        format!("{}&sslrootcert={}", uri.replace("=require", "=verify-full"), stranger.display());
    ensure!(
        lab.psql(&other, "select 1").await?.is_err(),
        "a certificate that its own authority did not sign"
    );
    Ok(())
}

#[tokio::test]
async fn tenants_make_the_extension_and_see_only_their_own() -> Result<()> {
    let lab = Lab::start("contract/connections/tenants", &[])?;
    let one = text(&lab.project("one").await?, "/connection_uris/0/connection_uri")?;
    let two = text(&lab.project("two").await?, "/connection_uris/0/connection_uri")?;
    let sql = "create extension vector; create table t (v vector(3)); insert into t values ('[1,2,3]'); select v <-> '[1,2,4]' from t";
    ensure!(lab.psql(&one, sql).await? == Ok("1".to_owned()));
    ensure!(lab.psql(&two, "select to_regclass('t') is null").await? == Ok("t".to_owned()));
    // The name that a role has in Postgres opens nothing here: tenants exist only under their own names.
    let physical =
        lab.psql(&two, "select current_database()").await?.map_err(anyhow::Error::msg)?;
    let foreign = one.replace("/neondb?", &format!("/{physical}?"));
    let refused = lab.psql(&foreign, "select 1").await?.err().context("no error")?;
    ensure!(refused.contains("does not exist"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn wrong_names_and_passwords_are_refused_in_neons_words() -> Result<()> {
    let lab = Lab::start("contract/connections/refused", &[])?;
    let made = lab.project("t").await?;
    let uri = text(&made, "/connection_uris/0/connection_uri")?;
    for (wrong, said) in [
        (uri.replace("npg_", "npx_"), "password authentication failed for user 'neondb_owner'"),
        (uri.replace("neondb_owner", "nobody"), "password authentication failed for user 'nobody'"),
        (uri.replace("/neondb?", "/nodb?"), "database \"nodb\" does not exist"),
    ] {
        let error = lab.psql(&wrong, "select 1").await?.err().context("no error")?;
        ensure!(error.contains(said), "{error}");
    }
    let branch = format!(
        "/projects/{}/branches/{}",
        text(&made, "/project/id")?,
        text(&made, "/branch/id")?
    );
    let reset = lab
        .call("POST", &format!("{branch}/roles/neondb_owner/reset_password"), None)
        .await?
        .expect(200)?;
    ensure!(lab.psql(&uri, "select 1").await?.is_err(), "the old password still counts");
    let new = uri.replace(&text(&made, "/roles/0/password")?, &text(&reset, "/role/password")?);
    ensure!(lab.psql(&new, "select 1").await? == Ok("1".to_owned()));
    // Tenants may change it in SQL too: the proxy asks Postgres, not its own memory.
    let own =
        "do $$ begin execute format('alter role %I password %L', current_user, 'mine'); end $$";
    ensure!(lab.psql(&new, own).await?.is_ok());
    let mine = new.replace(&text(&reset, "/role/password")?, "mine");
    ensure!(
        lab.psql(&mine, "select 1").await? == Ok("1".to_owned())
            && lab.psql(&new, "select 1").await?.is_err()
    );
    Ok(())
}

#[tokio::test]
async fn pooled_connections_reach_a_transaction_pooler() -> Result<()> {
    let lab = Lab::start("contract/connections/pooled", &[])?;
    if let Err(reason) = lab.stack.pooler() {
        stack::skip("contract/connections/pooled", reason);
        return Ok(());
    }
    let made = lab.project("t").await?;
    let path = format!(
        "/projects/{}/connection_uri?database_name=neondb&role_name=neondb_owner",
        text(&made, "/project/id")?
    );
    let direct = text(&lab.get(&path).await?.expect(200)?, "/uri")?;
    let pooled = lab
        .send("GET", &format!("{path}&pooled=True"), None, Some(super::lab::KEY))
        .await?
        .expect(200)?;
    let pooled = text(&pooled, "/uri")?;
    ensure!(
        pooled != direct
            && pooled
                .contains(&text(&made, "/connection_uris/0/connection_parameters/pooler_host")?)
    );
    let mut seen = Vec::new();
    for uri in [&pooled, &pooled, &direct] {
        let uri = uri.replace("=require", "=verify-full");
        seen.push(lab.psql(&uri, "select pg_backend_pid()").await?.map_err(anyhow::Error::msg)?);
    }
    ensure!(
        seen[0] == seen[1] && seen[1] != seen[2],
        "the pooler does not share its connections: {seen:?}"
    );
    Ok(())
}

#[tokio::test]
async fn without_a_pooler_pooled_connections_say_so() -> Result<()> {
    let lab = Lab::without_pooler("contract/connections/no-pooler")?;
    let made = lab.project("t").await?;
    let uri = text(&made, "/connection_uris/0/connection_uri")?;
    let parameters = &made["connection_uris"][0]["connection_parameters"];
    let pooled = uri.replace(&text(parameters, "/host")?, &text(parameters, "/pooler_host")?);
    let refused = lab.psql(&pooled, "select 1").await?.err().context("no error")?;
    ensure!(refused.contains("the emulator has no --pooler"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn endpoints_scale_to_zero_and_wake() -> Result<()> {
    let lab = Lab::start("contract/connections/zero", &["--cold-start-millis", "300"])?;
    let made = lab.project("t").await?;
    let (id, uri) =
        (text(&made, "/project/id")?, text(&made, "/connection_uris/0/connection_uri")?);
    ensure!(lab.psql(&uri, "select 1").await?.is_ok());
    let before = lab.endpoint(&id).await?;
    ensure!(
        before["connections_ever"] == 1 && before["wakes"] == 0 && before["state"] == "active",
        "{before}"
    );
    lab.set(json!({ "suspend_after_millis": 1 })).await?;
    let state = async |wanted: &str| {
        lab.until(wanted, async || {
            Ok((lab.endpoint(&id).await?["state"] == json!(wanted)).then_some(()))
        })
        .await
    };
    state("idle").await?;
    let shown = lab.get(&format!("/projects/{id}/endpoints")).await?.expect(200)?;
    ensure!(
        shown["endpoints"][0]["current_state"] == "idle"
            && shown["endpoints"][0]["suspended_at"].is_string()
    );
    let begun = std::time::Instant::now();
    let (one, two) = tokio::join!(lab.psql(&uri, "select 1"), lab.psql(&uri, "select 2"));
    ensure!(one? == Ok("1".to_owned()) && two? == Ok("2".to_owned()));
    ensure!(begun.elapsed().as_millis() >= 300, "it was up at once");
    ensure!(lab.endpoint(&id).await?["wakes"].as_u64() >= Some(1));
    let operations = lab.get(&format!("/projects/{id}/operations")).await?.expect(200)?;
    ensure!(operations["operations"][0]["action"] == "start_compute");
    lab.set(json!({ "suspend_after_millis": null })).await?;
    let open = async |wanted: u64| {
        lab.until(&format!("{wanted} connections are open"), async || {
            Ok((lab.endpoint(&id).await?["connections_open"] == wanted).then_some(()))
        })
        .await
    };
    // Those from before would be taken for the one that is to be cut.
    open(0).await?;
    let endpoint = text(&shown, "/endpoints/0/id")?;
    let suspend = format!("/projects/{id}/endpoints/{endpoint}/suspend");
    let asleep = async {
        open(1).await?;
        // The operation that woke it may still run: Neon then answers 423, and so does the emulator.
        lab.until("no operation is in the way", async || {
            let reply = lab.call("POST", &suspend, None).await?;
            Ok((reply.status != 423).then_some(reply))
        })
        .await
    };
    let (cut, suspended) = tokio::join!(lab.psql(&uri, "select pg_sleep(20)"), asleep);
    suspended?.expect(200)?;
    ensure!(cut?.is_err(), "a suspended compute answered");
    state("idle").await
}
