//! Signing in and out. In: the demo login, a certified identity provider that also lies on demand. Out: sessions that hold what
//! they promise, and clear words where nobody is let in.

use acceptance::{Answer, Person, TestApp};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_begins_and_ends_on_the_server() -> Result<()> {
    let app = TestApp::start("session").await?;
    let ada = app.person("Ada").await?;
    ensure!(ada.page("/documents").await?.expect(200)?.text().contains("Ada"));
    let cookie = ada.cookie("demo-session").context("the session's cookie")?;
    ensure!(cookie.len() == 64 && app.count("select count(*) from sessions").await? == 1);
    let stored: (Vec<u8>,) =
        sqlx::query_as("select id_hash from sessions").fetch_one(&app.db).await?;
    ensure!(!cookie.as_bytes().windows(32).any(|part| part == stored.0), "the id is not kept");
    // A new sign-in in the same browser is a new session, and the old one is no more.
    ada.sign_in("Ada").await?;
    let thief = app.stranger()?;
    thief.set_cookie("demo-session", &cookie);
    thief.get("/documents/list").await?.expect_error(401, "signed_out")?;
    let newer = ada.cookie("demo-session").context("the new cookie")?;
    ensure!(newer != cookie);
    ada.post("/sign-out", &[]).await?.expect(303)?;
    thief.set_cookie("demo-session", &newer);
    thief.get("/documents/list").await?.expect_error(401, "signed_out")?;
    ensure!(app.count("select count(*) from sessions").await? == 0);
    Ok(())
}

#[tokio::test]
async fn a_session_ends_by_time() -> Result<()> {
    let app = TestApp::start("session-time").await?;
    let ada = app.person("Ada").await?;
    for sql in [
        "update sessions set seen_at = now() - interval '25 hours'",
        "update sessions set seen_at = now(), expires_at = now() - interval '1 second'",
    ] {
        sqlx::query(sql).execute(&app.db).await?;
        ada.get("/documents/list").await?.expect_error(401, "signed_out")?;
        ada.sign_in("Ada").await?;
        ada.get("/documents/list").await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn without_a_session_people_are_led_to_the_sign_in_and_back() -> Result<()> {
    let app = TestApp::start("signed-out").await?;
    let stranger = app.stranger()?;
    let answer = stranger.page("/search?q=a%20b").await?.expect(303)?;
    ensure!(
        answer.location() == "/sign-in?return_to=%2Fsearch%3Fq%3Da%2520b",
        "{}",
        answer.location()
    );
    let form = [("name", "Ada"), ("return_to", "/search?q=a%20b")];
    let request = stranger.request(Method::POST, "/sign-in/demo").form(&form);
    ensure!(stranger.send(request).await?.expect(303)?.location() == "/search?q=a%20b");
    let form = [("name", "Ada"), ("return_to", "https://evil.example/")];
    let request = stranger.request(Method::POST, "/sign-in/demo").form(&form);
    ensure!(stranger.send(request).await?.expect(303)?.location() == "/documents");
    for elsewhere in ["/x/..//evil.example", "//evil.example", "/\\evil.example"] {
        let answer = stranger.page(&format!("/sign-in?return_to={elsewhere}")).await?;
        ensure!(answer.expect(303)?.location() == "/documents", "{elsewhere}");
    }
    let nameless = [("name", "  "), ("return_to", "")];
    let request = stranger.request(Method::POST, "/sign-in/demo").form(&nameless);
    ensure!(
        stranger
            .send(request)
            .await?
            .expect(422)?
            .text()
            .contains("Type a name of 1 to 100 characters")
    );
    Ok(())
}

#[tokio::test]
async fn another_site_can_change_nothing() -> Result<()> {
    let app = TestApp::start("csrf").await?;
    let ada = app.person("Ada").await?;
    for path in ["/sign-out", "/account/delete", "/documents"] {
        let request = ada.request(Method::POST, path).header("sec-fetch-site", "cross-site");
        let headers = request.build()?;
        // A browser sends the header once.
        let mut request = ada.http.request(Method::POST, headers.url().clone());
        for (name, value) in headers.headers() {
            if name != "sec-fetch-site" {
                request = request.header(name, value);
            }
        }
        let request =
            request.header("sec-fetch-site", "cross-site").header("origin", "https://evil.example");
        let answer = ada.send(request.header("x-requested-with", "fetch")).await?;
        answer.expect_error(403, "forbidden")?;
    }
    ada.get("/documents/list").await?.expect(200).map(drop)
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_pages_safe() -> Result<()> {
    let app = TestApp::start("headers").await?;
    let ada = app.person("Ada").await?;
    for path in ["/", "/sign-in", "/documents", "/account", "/search", "/nothing"] {
        let answer = ada.page(path).await?;
        for (name, part) in [
            ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("strict-transport-security", "max-age="),
            ("cache-control", "no-store"),
        ] {
            ensure!(answer.header(name).contains(part), "{path}: {name}: {}", answer.header(name));
        }
        ensure!(!answer.text().contains("<style") && !answer.text().contains("style=\""), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn the_demo_login_exists_only_with_its_flag() -> Result<()> {
    let oidc = acceptance::world()?.stack().oidc()?;
    let app = TestApp::named("no-demo")
        .without_env("DEMO_LOGIN")
        .env("PUBLIC_URL", "https://app.example.test")
        .env("OIDC_ISSUER", &oidc.issuer)
        .env("OIDC_CLIENT_ID", &oidc.client_id)
        .start()
        .await?;
    let stranger = app.stranger()?;
    let request = stranger.request(Method::POST, "/sign-in/demo").form(&[("name", "Ada")]);
    ensure!(stranger.send(request).await?.status == 404);
    let page = stranger.page("/sign-in").await?.expect(200)?.text();
    ensure!(!page.contains("/sign-in/demo"), "{page}");
    Ok(())
}

/// An app that knows the provider, and how to make the provider lie.
struct Lab {
    app: TestApp,
    control: String,
}

impl Lab {
    async fn start(name: &str) -> Result<Self> {
        let oidc = acceptance::world()?.stack().oidc()?;
        let setup = TestApp::named(name)
            .env("OIDC_ISSUER", &oidc.issuer)
            .env("OIDC_CLIENT_ID", &oidc.client_id)
            .env("OIDC_CLIENT_SECRET", &oidc.client_secret)
            .env("OIDC_NAME", "Example");
        let app = setup.start().await?;
        let lab = Self { app, control: oidc.control_url.clone() };
        let back = format!("{}/sign-in/oidc/callback", lab.app.url()?);
        lab.order(json!({ "redirect_uri": back })).await?;
        Ok(lab)
    }

    async fn order(&self, order: Value) -> Result<()> {
        let answer = reqwest::Client::new().post(&self.control).json(&order).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        Ok(())
    }

    /// The whole way.
    async fn sign_in(&self, user: &str) -> Result<(Person, Answer)> {
        let person = self.app.stranger()?;
        let back = person.way_back(user).await?;
        let answer = person.page(&back).await?;
        Ok((person, answer))
    }
}

#[tokio::test]
async fn a_person_is_issuer_and_subject_and_never_an_address() -> Result<()> {
    let lab = Lab::start("oidc").await?;
    let page = lab.app.stranger()?.page("/sign-in").await?.text();
    ensure!(page.contains("Example"), "{page}");
    let (alice, answer) = lab.sign_in("alice").await?;
    ensure!(answer.expect(303)?.location() == "/documents");
    ensure!(alice.page("/account").await?.text().contains("alice@example.test"));
    // The same person with another address is the same user; another person with that address is another.
    lab.order(
        json!({"user": "alice", "claims": {"email": "new@example.test", "name": "Alice B."}}),
    )
    .await?;
    lab.order(json!({"user": "bob", "claims": {"email": "alice@example.test"}})).await?;
    let (alice, _) = lab.sign_in("alice").await?;
    lab.sign_in("bob").await?.1.expect(303)?;
    ensure!(alice.page("/account").await?.text().contains("new@example.test"));
    ensure!(lab.app.count("select count(*) from users").await? == 2);
    ensure!(lab.app.count("select count(*) from tenants").await? == 2);
    ensure!(lab.app.count("select count(*) from sign_ins").await? == 0);
    Ok(())
}

#[tokio::test]
async fn an_answer_serves_once_and_in_the_browser_that_asked() -> Result<()> {
    let lab = Lab::start("oidc-once").await?;
    let (alice, mallory) = (lab.app.stranger()?, lab.app.stranger()?);
    let back = alice.way_back("alice").await?;
    let words = "begun in another browser";
    ensure!(mallory.page(&back).await?.expect(400)?.text().contains(words));
    alice.page(&back).await?.expect(303)?;
    ensure!(alice.page(&back).await?.expect(400)?.text().contains(words), "a second time");
    let forged = back.replace("state=", "state=x");
    ensure!(alice.page(&forged).await?.status == 400);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() -> Result<()> {
    let lab = Lab::start("oidc-lies").await?;
    let known: Value = reqwest::get(&lab.control).await?.json().await?;
    let faults: Vec<String> = serde_json::from_value(known["faults_known"].clone())?;
    ensure!(faults.len() >= 5, "{faults:?}");
    for fault in faults.iter().filter(|fault| *fault != "slow") {
        lab.order(json!({"user": "carol", "fault": fault})).await?;
        let (person, answer) = lab.sign_in("carol").await?;
        ensure!(matches!(answer.status, 400 | 502), "{fault}: {} {}", answer.status, answer.text());
        ensure!(person.cookie("demo-session").is_none(), "{fault} was let in");
        ensure!(!answer.text().contains("eyJ"), "{fault}: a token on the page");
    }
    ensure!(lab.app.count("select count(*) from users").await? == 0);
    lab.order(json!({"reset": true})).await?;
    lab.sign_in("carol").await?.1.expect(303).map(drop)
}

#[tokio::test]
async fn a_cancelled_sign_in_and_a_dead_provider_say_so() -> Result<()> {
    let lab = Lab::start("oidc-cancel").await?;
    let person = lab.app.stranger()?;
    let back = person.way_back("dora").await?;
    let state = url::Url::parse(&back)?;
    let state =
        state.query_pairs().find(|(key, _)| key == "state").context("state")?.1.into_owned();
    let said = format!("/sign-in/oidc/callback?error=access_denied&state={state}");
    ensure!(person.page(&said).await?.expect(200)?.text().contains("cancelled"));

    let app = TestApp::named("oidc-dead")
        .env("OIDC_ISSUER", "http://127.0.0.1:9/")
        .env("OIDC_CLIENT_ID", "x")
        .start()
        .await?;
    let answer = app.stranger()?.page("/sign-in/oidc").await?;
    ensure!(answer.expect(502)?.text().contains("does not answer"));
    Ok(())
}
